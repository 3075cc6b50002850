// The language of ops: what an op, a node and a value are, and everything that an op must bring.

import { GraphError } from '../util/errors.ts'
import type { DType, Shape, Tensor } from './tensor.ts'

/** Element type and shape: all that shape rules know of a value. */
export interface TensorType {
  /** Element type. */
  readonly dtype: DType
  /** Sizes of the axes, outermost first. */
  readonly shape: Shape
}

/** What an op is told at build time, besides its inputs. Plain data, so that it can be compared and printed. */
export type Attr = number | string | boolean | readonly number[] | Tensor
/** The attributes of one use of an op, by name. */
export type Attrs = { readonly [name: string]: Attr }

/** What values can be built in: a Graph. */
export interface Builder {
  /** Adds a node. @throws GraphError if the op's shape rule refuses the inputs. */
  apply<A extends Attrs>(op: OpDef<A>, inputs: readonly Value[], attrs: A): readonly Value[]
  /** Runs `build` with `name` added to the path that messages show. */
  within<T>(name: string, build: () => T): T
}

/** One result of one node: the edge of the graph. */
export interface Value extends TensorType {
  /** The graph that the value is built in. */
  readonly graph: Builder
  /** The node that gives the value. */
  readonly node: Node
  /** Which of the node's outputs this is. */
  readonly index: number
}

/** One use of an op. Nodes are numbered in the order of their making, so a node's inputs come before it. */
export interface Node {
  /** Number of the node, in the order of building. */
  readonly id: number
  /** Definition of the op. */
  readonly op: OpDef
  /** Values that the node reads. */
  readonly inputs: readonly Value[]
  /** Attributes of this use of the op. */
  readonly attrs: Attrs
  /** Values that the node gives. */
  readonly outputs: readonly Value[]
  /** Where in the network it was made, for messages: `encoder/layers.3/conv`. */
  readonly scope: string
}

/**
 * Everything that pantin must know of an op: its shape rule, its ONNX form, its gradient, its cost, its reach, its
 * name in words and a plain reference. Each field is required, so an op that lacks one does not compile.
 */
export interface OpDef<A extends Attrs = Attrs> {
  /** Name of the op, as `ops` and the table of ops have it. */
  readonly name: string
  /** The shape rule: types of the outputs. @throws GraphError through `refuse`. */
  infer(inputs: readonly TensorType[], attrs: A): readonly TensorType[]
  /** The ONNX form: writes standard ONNX nodes and returns the name of each output. */
  emit(onnx: OnnxEmitter, inputs: readonly string[], attrs: A, node: Node): readonly string[]
  /**
   * `rule`: a function that builds the gradient. `zero`: the op is flat almost everywhere (sign, floor,
   * comparisons). `forbidden`: asking for its gradient is a mistake, and an error.
   */
  readonly gradient: GradientRule<A> | 'zero' | 'forbidden'
  /**
   * What one run costs. A function counts the multiply-accumulates. `results`: the op writes results, and none
   * are counted for it, as the tables of the literature do for sums, norms, activations and resizing. `nothing`: nothing is
   * computed at all. The result is fed, is stored with the model, or is the same memory under another shape.
   */
  readonly cost: OfUse<A, number> | 'results' | 'nothing'
  /** Which elements of the first input one element of the result depends on. */
  readonly reach: OfUse<A, Reach> | Reach
  /**
   * What the op is called where a network is described to people: `max pool`. `silent`: the op only moves or holds
   * data, and says nothing about what a block computes.
   */
  readonly words: OfUse<A, string> | string
  /** What the op computes, written for reading, in float64. Returns the data of each output. */
  reference(inputs: readonly Plain[], attrs: A, outputs: readonly TensorType[]): readonly Float64Array[]
}

/**
 * Builds vector-Jacobian products: from the gradients of a node's outputs to those of its inputs.
 * Written as a method, whose parameter is bivariant, so that a node can hold any op's definition.
 */
export type GradientRule<A extends Attrs = Attrs> = {
  /** @returns the gradient to each input; undefined if an input is not wanted or carries none. */
  rule(use: GradientUse<A>): readonly (Value | undefined)[]
}['rule']

/** One use of an op, as its gradient rule sees it. */
export interface GradientUse<A extends Attrs = Attrs> {
  /** Inputs of the node. */
  readonly inputs: readonly Value[]
  /** Outputs of the node. */
  readonly outputs: readonly Value[]
  /** Attributes of the node. */
  readonly attrs: A
  /** Gradient of the loss to each output; undefined if the loss does not depend on it. */
  readonly grads: readonly (Value | undefined)[]
  /** Gradient to the first output, of ops whose other outputs carry none. */
  readonly grad: Value
  /** Which inputs' gradients are wanted; the rule may leave the others undefined. */
  readonly wanted: readonly boolean[]
}

/** One use of an op, as far as its cost, reach and words depend on it. A node is one. */
export interface OpUse<A extends Attrs = Attrs> {
  /** Types of the inputs. */
  readonly inputs: readonly TensorType[]
  /** Types of the outputs. */
  readonly outputs: readonly TensorType[]
  /** Attributes of the node. */
  readonly attrs: A
}

/** A function of one use. Written as a method for the same reason as `GradientRule`. */
type OfUse<A extends Attrs, Result> = { of(use: OpUse<A>): Result }['of']

/** Numbers along height and width. */
export type Pair = readonly [number, number]

/**
 * How far one element of a result sees, for values [N, C, H, W]:
 *
 * - `place`: the elements of its own row and column.
 * - `reshape`: the element at its own place in memory.
 * - `picture`: elements of any row and column.
 * - `samples`: elements of any row and column, read at points that another input gives; the result is a map.
 * - `by: 'axes'`: all elements along these axes.
 * - `by: 'kernel'`, `'pool'`: the elements under a kernel or a window.
 * - `by: 'transposed kernel'`: the elements whose kernel, laid over the result, covers it.
 * - `by: 'resize'`: one element, or its neighbours too if `bilinear`. `factors` are input sizes over result sizes.
 * - `by: 'steps'`: one element; of each axis every `steps`-th is kept.
 * - `by: 'order'`: one element; axis i of the result is axis `order[i]` of the input.
 */
export type Reach =
  | 'place'
  | 'reshape'
  | 'picture'
  | 'samples'
  | {
      /** All elements along some axes. */
      readonly by: 'axes'
      /** The axes. */
      readonly axes: readonly number[]
    }
  | {
      /** The elements under a kernel, or those whose kernel covers the result. */
      readonly by: 'kernel' | 'transposed kernel'
      /** Size of the kernel. */
      readonly kernel: Pair
      /** Steps of the kernel. */
      readonly strides: Pair
      /** Distances between the elements of the kernel. */
      readonly dilations: Pair
    }
  | {
      /** The elements under a window. */
      readonly by: 'pool'
      /** Size of the window. */
      readonly kernel: Pair
      /** Steps of the window. */
      readonly strides: Pair
    }
  | {
      /** One element, or its neighbours too. */
      readonly by: 'resize'
      /** Input sizes over result sizes. */
      readonly factors: Pair
      /** Whether the neighbours are read. */
      readonly bilinear: boolean
    }
  | {
      /** One element; some are left out. */
      readonly by: 'steps'
      /** Of each axis, every `steps`-th element is kept. */
      readonly steps: readonly number[]
    }
  | {
      /** One element; axes are exchanged. */
      readonly by: 'order'
      /** Axis i of the result is axis `order[i]` of the input. */
      readonly order: readonly number[]
    }

/** The reach of one node. */
export const reachOf = ({ op, ...use }: Node): Reach =>
  typeof op.reach === 'function' ? op.reach(use) : op.reach

/** A tensor of the plain reference: every element type as float64 (bool as 0 and 1). */
export interface Plain {
  /** Sizes of the axes, outermost first. */
  readonly shape: readonly number[]
  /** The elements, row-major. */
  readonly data: Float64Array
}

/** Values that ONNX attributes take here. A float attribute is written as `{ float }`, since 1 could be either. */
export type OnnxAttribute =
  | number
  | string
  | readonly number[]
  | {
      /** A float, though it may be a whole number. */
      readonly float: number
    }

/** Where ONNX forms are written to; src/onnx implements it. */
export interface OnnxEmitter {
  /** Adds an ONNX node and returns the names of its outputs. An empty input name means "left out". */
  node(
    type: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, OnnxAttribute>>,
    outputs?: number,
  ): readonly string[]
  /** The name of an initializer with this content; equal contents share one. */
  constant(value: Tensor): string
  /** Whether anything reads this output of the node: optional outputs that nothing reads are not written. */
  used(value: Value): boolean
  /** Whether the file is for sessions that compute each op on one thread alone. */
  readonly oneThread: boolean
}

/** Refuses inputs, from within a shape rule. The graph adds where it happened and what it got. */
export function refuse(
  what: string,
  details: { got?: string; expected?: string; remedy?: string } = {},
): never {
  throw new GraphError({ what, ...details })
}
