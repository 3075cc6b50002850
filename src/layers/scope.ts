// What every block is written with: a scope, which hands out parameters by the names that they have in published
// checkpoints, and the entry in which a block states its name and examples with their costs.

import type { Builder, Value } from '../graph/graph.ts'
import { type Initial, parameter, type Role } from '../graph/ops/leaf.ts'
import { formatShape, type Shape, sameShape } from '../graph/tensor.ts'
import { GraphError } from '../util/errors.ts'

/**
 * What becomes of a dilation at which every tap but the middle one falls outside of the map, wherever the
 * kernel stands: `clipped` to the largest at which every pixel still has a neighbour to read, or left as
 * `published`.
 */
export type Dilations = 'clipped' | 'published'

/** A dilation that was clipped, along one axis. */
export interface Clipping {
  /** The convolution, by the name of its parameters. */
  readonly layer: string
  /** The axis along which the dilation was clipped. */
  readonly axis: 'height' | 'width'
  /** The dilation of the published network. */
  readonly published: number
  /** The dilation that is used instead. */
  readonly used: number
}

/** State that all scopes of one network share. */
interface Shared {
  readonly graph: Builder
  readonly parameters: Map<string, Value>
  readonly updates: Map<string, Value>
  readonly clippings: Map<string, Clipping>
}

/** Options that hold for a whole network. */
export interface ScopeOptions {
  /**
   * Layers with two behaviours (batch normalisation) take that of training: they use the batch's statistics
   * and record updates of their running ones.
   */
  readonly training: boolean
  /** Default: clipped. */
  readonly dilations?: Dilations
}

/** What holds for a scope and all scopes in it. */
interface Policy extends Required<ScopeOptions> {
  /** Results of the convolutions of a pruned network, by the full prefixes of their parameters. */
  readonly widths?: ReadonlyMap<string, number>
}

/**
 * Where a network takes its parameters from, by the names they have in checkpoints: `scope.child('encoder')`
 * prefixes `encoder.`. Asking twice for one name gives the same value, so a network that is applied twice
 * shares its weights.
 */
export class Scope {
  private constructor(
    private readonly shared: Shared,
    private readonly prefix: string,
    private readonly policy: Policy,
  ) {}

  /** The scope of a whole network or model. */
  static root(graph: Builder, { training, dilations = 'clipped' }: ScopeOptions): Scope {
    const shared = { graph, parameters: new Map(), updates: new Map(), clippings: new Map() }
    return new Scope(shared, '', { training, dilations })
  }

  /** The graph that the network is built in. */
  get graph(): Builder {
    return this.shared.graph
  }

  /** Whether layers behave as in training. */
  get training(): boolean {
    return this.policy.training
  }

  /** All parameters asked for so far, by full name, in the order of the first asking. */
  get parameters(): ReadonlyMap<string, Value> {
    return this.shared.parameters
  }

  /** New values of buffers, by full name: what a training step has to write back. */
  get updates(): ReadonlyMap<string, Value> {
    return this.shared.updates
  }

  /** The dilations that were clipped so far, in the order of building. */
  get clippings(): readonly Clipping[] {
    return [...this.shared.clippings.values()]
  }

  /** The scope whose parameters' names begin with `name` and a dot. */
  child(name: string | number): Scope {
    return new Scope(this.shared, `${this.prefix}${name}.`, this.policy)
  }

  /** This scope under another policy for dilations. */
  withDilations(dilations: Dilations): Scope {
    return new Scope(this.shared, this.prefix, { ...this.policy, dilations })
  }

  /** This scope with layers that behave as in evaluation: running statistics are used and stay as they are. */
  inEvaluation(): Scope {
    return new Scope(this.shared, this.prefix, { ...this.policy, training: false })
  }

  /** This scope of a pruned network, whose convolutions have these numbers of results, by their names in the scope. */
  withWidths(widths: Readonly<Record<string, number>>): Scope {
    const byPrefix = Object.entries(widths).map(([name, width]) => [`${this.prefix}${name}.`, width] as const)
    return new Scope(this.shared, this.prefix, { ...this.policy, widths: new Map(byPrefix) })
  }

  /** Number of results of the convolution of this scope: as published, or what a pruned network has left of them. */
  width(published: number): number {
    return this.policy.widths?.get(this.prefix) ?? published
  }

  /** Whether the network has the convolution of this scope: as published, or what a pruned network began with. */
  has(published: boolean): boolean {
    return this.policy.widths?.has(this.prefix) ?? published
  }

  /** The dilation to use along an axis of a map, where a convolution's is published as `dilation`. */
  dilation(axis: 'height' | 'width', dilation: number, size: number): number {
    if (this.policy.dilations === 'published' || dilation < size) return dilation
    const used = Math.max(1, Math.floor(size / 2))
    const layer = this.prefix.slice(0, -1)
    if (used !== dilation) {
      this.shared.clippings.set(`${layer} ${axis}`, { layer, axis, published: dilation, used })
    }
    return used
  }

  /** Runs `build` in the scope `name`; error messages show the name too. */
  within<T>(name: string | number, build: (scope: Scope) => T): T {
    return this.graph.within(String(name), () => build(this.child(name)))
  }

  /** A trained parameter. */
  weight(name: string, shape: Shape, initial: Initial): Value {
    return this.ask(name, shape, initial, 'weight')
  }

  /** A parameter that is kept with the weights and not trained. */
  buffer(name: string, shape: Shape, initial: Initial): Value {
    return this.ask(name, shape, initial, 'buffer')
  }

  /** The value that a buffer has by now: as fed, or as the last update left it. */
  current(name: string, buffer: Value): Value {
    return this.shared.updates.get(this.prefix + name) ?? buffer
  }

  /** Records the new value of a buffer. */
  update(name: string, value: Value): void {
    this.shared.updates.set(this.prefix + name, value)
  }

  private ask(name: string, shape: Shape, initial: Initial, role: Role): Value {
    const full = this.prefix + name
    const known = this.shared.parameters.get(full)
    if (known !== undefined) {
      if (sameShape(known.shape, shape)) return known
      throw new GraphError({
        what: `the parameter ${full} is asked for with two shapes`,
        got: `${formatShape(known.shape)} and ${formatShape(shape)}`,
        remedy: 'give the two uses scopes of their own',
      })
    }
    const made = parameter(this.graph, full, shape, initial, role)
    this.shared.parameters.set(full, made)
    return made
  }
}

/**
 * What a block says of itself. Its description, picture and formulas are the comment over its function: the
 * pages in docs/blocks are made from there, so they are written once.
 */
export interface Block {
  /** As in `docs/blocks/NAME.md`. */
  readonly name: string
  /** Title of the page of the block. */
  readonly title: string
  /** Uses of the block, for its page and its tests. */
  readonly examples: readonly BlockExample[]
}

/** One use of a block. */
export interface BlockExample {
  /** What the example shows. */
  readonly label: string
  /** [N, C, H, W] */
  readonly input: Shape
  /** Builds the block on an input of that shape. */
  readonly build: (scope: Scope, x: Value) => Value
  /** By the block's formulas, with this example's numbers; tests hold the built graph to it. */
  readonly cost: {
    /** Trained numbers, without running statistics. */
    readonly params: number
    /** Multiply-accumulates of convolutions and matrix products. */
    readonly macs: number
  }
}
