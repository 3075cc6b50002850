import { GraphError } from '../util/errors.ts'
import type { Attrs, Node, TensorType, Value } from './graph.ts'
import type { Tensor } from './tensor.ts'

/**
 * What pantin must know of an op: its shape rule, its ONNX form, its gradient and a plain reference.
 * All four are required, so an op that lacks one does not compile.
 */
export interface OpDef<A extends Attrs = Attrs> {
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
  /** What the op computes, written for reading, in float64. Returns the data of each output. */
  reference(inputs: readonly Plain[], attrs: A, outputs: readonly TensorType[]): readonly Float64Array[]
}

/**
 * Builds vector-Jacobian products: from the gradients of a node's outputs to those of its inputs.
 * Written as a method, whose parameter is bivariant, so that a node can hold any op's definition.
 */
export type GradientRule<A extends Attrs = Attrs> = {
  rule(use: GradientUse<A>): readonly (Value | undefined)[]
}['rule']

export interface GradientUse<A extends Attrs = Attrs> {
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
  readonly attrs: A
  /** Gradient of the loss to each output; undefined where the loss does not depend on it. */
  readonly grads: readonly (Value | undefined)[]
  /** Gradient to the first output, of ops whose other outputs carry none. */
  readonly grad: Value
  /** Which inputs' gradients are wanted; the rule may leave the others undefined. */
  readonly wanted: readonly boolean[]
}

/** A tensor of the plain reference: every element type as float64 (bool as 0 and 1). */
export interface Plain {
  readonly shape: readonly number[]
  readonly data: Float64Array
}

/** Values that ONNX attributes take here. A float attribute is written as `{ float }`, since 1 could be either. */
export type OnnxAttribute = number | string | readonly number[] | { readonly float: number }

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
}

/** Refuses inputs, from within a shape rule. The graph adds where it happened and what it got. */
export function refuse(
  what: string,
  details: { got?: string; expected?: string; remedy?: string } = {},
): never {
  throw new GraphError({ what, ...details })
}
