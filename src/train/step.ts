// A training step as one graph: a loss, its gradient, running statistics and Adam; and what takes such steps.
import type { Graph, Value } from '../graph/graph.ts'
import { concat, gradient, input, reduceSum, reshape, simplify, sqrt, square } from '../graph/ops/index.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { Scope } from '../layers/scope.ts'
import type { Device, Tensors } from '../runtime/session.ts'
import { type AdamOptions, adam } from './adam.ts'
import {
  copyWithFlat,
  type FlatLayout,
  flatLayout,
  flatten,
  type StateName,
  stateOutputs,
  type TrainingState,
} from './state.ts'

/** A training step as one graph, and where each weight and buffer stands in its flat vectors. */
export interface TrainingStep {
  /**
   * Inputs: what one batch brings, `weights`, `buffers`, `firstMoment`, `secondMoment`, and Adam's scalars.
   * Outputs: `losses`, as `reports` lists them, and the four vectors under the names of `stateOutputs`.
   */
  readonly graph: Graph
  readonly weights: FlatLayout
  readonly buffers: FlatLayout
  /** Contents of the parameters that are not trained: those of a perceptual network. */
  readonly fixed: ReadonlyMap<string, Tensor>
  /** What the step reports: `loss`, its terms, and `gradientNorm`. */
  readonly reports: readonly string[]
}

/** What a step minimises, and further scalars that it reports. */
export type Terms = Readonly<Record<string, Value>> & { readonly loss: Value }

/** What a step is given besides its loss. */
export interface StateOptions {
  /** Contents of the graph's parameters that are not the scope's. */
  readonly fixed?: ReadonlyMap<string, Tensor>
  /** A loss of its own for the parameters whose names begin with a prefix: those of a discriminator. It is reported. */
  readonly adversary?: { readonly prefix: string; readonly name: string; readonly loss: Value }
}

/**
 * Makes a training step of a loss: adds gradients, running statistics and Adam, and reads all parameters from
 * flat vectors.
 *
 * @param scope in training mode, with all parameters that the loss reads
 */
export function withState(
  scope: Scope,
  terms: Terms,
  options: AdamOptions,
  { fixed = new Map(), adversary }: StateOptions = {},
): TrainingStep {
  const parameters = [...scope.parameters.values()]
  const weights = flatLayout(parameters, 'weight')
  const buffers = flatLayout(parameters, 'buffer')
  const grad = flatten(gradients(scope, weights, terms.loss, adversary), weights)
  const nextBuffers = flatten(new Map([...scope.parameters, ...scope.updates]), buffers)

  const reported = {
    ...terms,
    ...(adversary && { [adversary.name]: adversary.loss }),
    gradientNorm: sqrt(reduceSum(square(grad))),
  }
  const losses = concat(
    Object.values(reported).map((value) => reshape(value, [1])),
    0,
  )
  const flat = copyWithFlat([losses, grad, nextBuffers], { weights, buffers })
  const { graph } = flat
  const moment = (name: StateName) => input(graph, name, 'float32', [weights.size])
  const state = {
    weights: flat.weights,
    firstMoment: moment('firstMoment'),
    secondMoment: moment('secondMoment'),
  }
  const next = adam(state, flat.copy(grad), options)
  graph.output('losses', flat.copy(losses))
  graph.output(stateOutputs.weights, next.weights)
  graph.output(stateOutputs.buffers, flat.copy(nextBuffers))
  graph.output(stateOutputs.firstMoment, next.firstMoment)
  graph.output(stateOutputs.secondMoment, next.secondMoment)
  return { graph: simplify(graph), weights, buffers, fixed, reports: Object.keys(reported) }
}

/** The gradient of each weight: of the loss, or of the adversary's. Both are updated at once. */
function gradients(
  scope: Scope,
  weights: FlatLayout,
  loss: Value,
  adversary: StateOptions['adversary'],
): Map<string, Value> {
  const names = weights.entries.map(({ name }) => name)
  const isAdversary = (name: string) => adversary !== undefined && name.startsWith(adversary.prefix)
  const of = (minimised: Value, wanted: readonly string[]) => {
    const grads = gradient(
      minimised,
      wanted.map((name) => scope.parameters.get(name)!),
    )
    return wanted.map((name, i) => [name, grads[i]!] as const)
  }
  const own = names.filter((name) => !isAdversary(name))
  return new Map([
    ...of(loss, own),
    ...(adversary === undefined ? [] : of(adversary.loss, names.filter(isAdversary))),
  ])
}

/** What a step reports, by the names of its `reports`. */
export type Report = Readonly<Record<string, number>>

/** Takes training steps, on whatever device, with the state that it works on. */
export interface StepRunner {
  /** The device that is really used. */
  readonly device: Device
  /**
   * Computes step `number` (from 1). The new state counts only if all numbers of the step are finite, so that the state
   * is good at any time.
   *
   * @param batch the step's inputs besides state and Adam's scalars
   * @returns the losses, and whether the new state counts
   */
  run(number: number, rate: number, batch: Tensors): Promise<{ report: Report; taken: boolean }>
  /** The state after the last good step. Later steps may overwrite it: use it before the next step, or copy it. */
  read(): Promise<TrainingState>
  close(): Promise<void>
}

/** Makes a runner of a step that begins with a state, which is the runner's to write to. */
export type OpenStep = (step: TrainingStep, adam: AdamOptions, state: TrainingState) => Promise<StepRunner>
