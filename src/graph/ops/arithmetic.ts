// The algebra that gradients are written in: add, sub, mul, div, sums and means over axes, and stretching.
// One family, because each one's gradient needs another of them: a broadcast is undone by a sum, and a sum
// by a broadcast.

import type { Attrs, Builder, TensorType, Value } from '../graph.ts'
import type { GradientRule, OpDef } from '../op.ts'
import { refuse } from '../op.ts'
import { formatShape, ints, type Shape, sameShape, scalar, sizeOf } from '../tensor.ts'
import { constant, constantValue } from './leaf.ts'
import { reshape } from './shape.ts'
import { broadcastShape, expectInputs, forBroadcast, type NoAttrs, normalAxis, zipPlain } from './support.ts'

/** A value, or a number, which stands for a scalar constant. */
export type Operand = Value | number

/** The definition of an op on two values that broadcast. */
export function binaryOp(
  name: string,
  onnxName: string,
  f: (x: number, y: number) => number,
  gradient: GradientRule<NoAttrs>,
): OpDef<NoAttrs> {
  return {
    name,
    infer(inputs) {
      expectInputs(inputs, 2)
      return [{ dtype: 'float32', shape: broadcastShape(inputs[0]!.shape, inputs[1]!.shape) }]
    },
    emit: (onnx, inputs) => onnx.node(onnxName, inputs),
    gradient,
    cost: 'results',
    reach: 'place',
    words: name,
    reference: ([a, b], _, [type]) => [zipPlain(a!, b!, type!.shape, f)],
  }
}

export const addOp = binaryOp(
  'add',
  'Add',
  (x, y) => x + y,
  ({ grad, inputs: [a, b] }) => [sumTo(grad, a!.shape), sumTo(grad, b!.shape)],
)

export const subOp = binaryOp(
  'sub',
  'Sub',
  (x, y) => x - y,
  ({ grad, inputs: [a, b], wanted }) => [
    wanted[0] ? sumTo(grad, a!.shape) : undefined,
    wanted[1] ? neg(sumTo(grad, b!.shape)) : undefined,
  ],
)

// d(ab) = da b + a db
export const mulOp = binaryOp(
  'mul',
  'Mul',
  (x, y) => x * y,
  ({ grad, inputs: [a, b], wanted }) => [
    wanted[0] ? sumTo(mul(grad, b!), a!.shape) : undefined,
    wanted[1] ? sumTo(mul(grad, a!), b!.shape) : undefined,
  ],
)

// d(a/b) = da / b - (a/b) db / b
export const divOp = binaryOp(
  'div',
  'Div',
  (x, y) => x / y,
  ({ grad, inputs: [a, b], outputs, wanted }) => {
    const scaled = div(grad, b!)
    return [
      wanted[0] ? sumTo(scaled, a!.shape) : undefined,
      wanted[1] ? neg(sumTo(mul(scaled, outputs[0]!), b!.shape)) : undefined,
    ]
  },
)

function binary(op: OpDef<NoAttrs>, a: Operand, b: Operand): Value {
  const graph = graphOf(a, b)
  return graph.apply(op, [asValue(graph, a), asValue(graph, b)], {})[0]!
}

/** The graph that two operands, one of which may be a number, belong to. */
export function graphOf(a: Operand, b: Operand): Builder {
  if (typeof a !== 'number') return a.graph
  if (typeof b !== 'number') return b.graph
  return refuse('two numbers make no graph value', { remedy: 'compute them before the graph is built' })
}

/** The value itself, or a constant scalar for a number. */
export function asValue(graph: Builder, operand: Operand): Value {
  return typeof operand === 'number' ? constant(graph, scalar(operand)) : operand
}

/** a + b, with broadcasting, as all of the following. */
export const add = (a: Operand, b: Operand): Value => binary(addOp, a, b)
/** a - b, element by element; axes of size 1 are broadcast. */
export const sub = (a: Operand, b: Operand): Value => binary(subOp, a, b)
/** a · b, element by element; axes of size 1 are broadcast. */
export const mul = (a: Operand, b: Operand): Value => binary(mulOp, a, b)
/** a / b, element by element; axes of size 1 are broadcast. */
export const div = (a: Operand, b: Operand): Value => binary(divOp, a, b)

export const negOp: OpDef<NoAttrs> = {
  name: 'neg',
  infer(inputs) {
    expectInputs(inputs, 1)
    return [inputs[0]!]
  },
  emit: (onnx, inputs) => onnx.node('Neg', inputs),
  gradient: ({ grad }) => [neg(grad)],
  cost: 'results',
  reach: 'place',
  words: 'neg',
  reference: ([x]) => [x!.data.map((value) => -value)],
}

/** -x, element by element. */
export const neg = (x: Value): Value => x.graph.apply(negOp, [x], {})[0]!

/** The sum of several values of one shape. */
export function addAll(values: readonly Value[]): Value {
  if (values.length === 0) refuse('addAll has values to add', { got: 'none' })
  return values.reduce((sum, value) => add(sum, value))
}

type ReduceAttrs = { readonly axes: readonly number[] }

function reducedType(inputs: readonly TensorType[], { axes }: ReduceAttrs): TensorType[] {
  expectInputs(inputs, 1)
  const { shape } = inputs[0]!
  if (axes.length === 0 || axes.some((axis, i) => axis >= shape.length || axis <= (axes[i - 1] ?? -1))) {
    refuse('a reduction names axes of its input, in rising order', {
      got: `axes [${axes.join(', ')}] of ${formatShape(shape)}`,
    })
  }
  return [{ dtype: 'float32', shape: shape.map((n, i) => (axes.includes(i) ? 1 : n)) }]
}

function sumOver(data: Float64Array, from: Shape, to: Shape): Float64Array {
  const out = new Float64Array(sizeOf(to))
  forBroadcast(from, to, (i, at) => {
    out[at]! += data[i]!
  })
  return out
}

/** Sums along axes, which stay with length 1. */
export const reduceSumOp: OpDef<ReduceAttrs> = {
  name: 'reduceSum',
  infer: reducedType,
  emit: (onnx, [x], { axes }) => onnx.node('ReduceSum', [x!, onnx.constant(ints(axes))], { keepdims: 1 }),
  gradient: ({ grad, inputs }) => [expand(grad, inputs[0]!.shape)],
  cost: 'results',
  reach: ({ attrs: { axes } }) => ({ by: 'axes', axes }),
  words: 'sum',
  reference: ([x], _, [type]) => [sumOver(x!.data, x!.shape, type!.shape)],
}

export const reduceMeanOp: OpDef<ReduceAttrs> = {
  name: 'reduceMean',
  infer: reducedType,
  emit: (onnx, [x], { axes }) => onnx.node('ReduceMean', [x!, onnx.constant(ints(axes))], { keepdims: 1 }),
  gradient: ({ grad, inputs: [x] }) => {
    const count = sizeOf(x!.shape) / sizeOf(grad.shape)
    return [expand(mul(grad, 1 / count), x!.shape)]
  },
  cost: 'results',
  reach: ({ attrs: { axes } }) => ({ by: 'axes', axes }),
  words: 'mean',
  reference([x], _, [type]) {
    const count = x!.data.length / sizeOf(type!.shape)
    return [sumOver(x!.data, x!.shape, type!.shape).map((sum) => sum / count)]
  },
}

/** How `reduceSum` and `reduceMean` reduce. */
export interface ReduceOptions {
  /** Keep the reduced axes with length 1 (default: they go). */
  readonly keep?: boolean
}

function reduce(op: OpDef<ReduceAttrs>, x: Value, axes: readonly number[] | undefined, keep: boolean): Value {
  const all =
    axes === undefined ? x.shape.map((_, i) => i) : axes.map((axis) => normalAxis(axis, x.shape.length))
  if (all.length === 0) return x
  const sorted = [...all].sort((a, b) => a - b)
  const kept = x.graph.apply<Attrs & ReduceAttrs>(op, [x], { axes: sorted })[0]!
  return keep
    ? kept
    : reshape(
        kept,
        x.shape.filter((_, i) => !sorted.includes(i)),
      )
}

/** Sum over `axes` (default: all, to a scalar). */
export function reduceSum(x: Value, axes?: readonly number[], { keep = false }: ReduceOptions = {}): Value {
  return reduce(reduceSumOp, x, axes, keep)
}

/** Mean over `axes` (default: all, to a scalar). */
export function reduceMean(x: Value, axes?: readonly number[], { keep = false }: ReduceOptions = {}): Value {
  return reduce(reduceMeanOp, x, axes, keep)
}

type ExpandAttrs = { readonly shape: Shape }

export const expandOp: OpDef<ExpandAttrs> = {
  name: 'expand',
  infer([x], { shape }) {
    if (x === undefined || !sameShape(broadcastShape(x.shape, shape), shape)) {
      refuse('a value does not stretch to this shape', {
        got: `${x && formatShape(x.shape)} to ${formatShape(shape)}`,
      })
    }
    return [{ dtype: x.dtype, shape }]
  },
  emit: (onnx, [x], { shape }) => onnx.node('Expand', [x!, onnx.constant(ints(shape))]),
  gradient: ({ grad, inputs }) => [sumTo(grad, inputs[0]!.shape)],
  cost: 'results',
  reach: 'place',
  words: 'silent',
  reference([x], _, [type]) {
    const out = new Float64Array(sizeOf(type!.shape))
    forBroadcast(type!.shape, x!.shape, (i, at) => {
      out[i] = x!.data[at]!
    })
    return [out]
  },
}

/** Repeats along axes of length 1 (and new leading axes) until the value has this shape. */
export function expand(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : x.graph.apply(expandOp, [x], { shape })[0]!
}

/** Undoes a broadcast: sums over the axes along which a value of shape `shape` was stretched. */
export function sumTo(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x
  const extra = x.shape.length - shape.length
  const axes = x.shape.flatMap((n, i) => (i < extra || (shape[i - extra] === 1 && n !== 1) ? [i] : []))
  return reshape(reduceSum(x, axes, { keep: true }), shape)
}

/** A constant scalar's number, if that is what the value is. */
export function scalarOf(value: Value): number | undefined {
  const known = constantValue(value)
  return known !== undefined && known.data.length === 1 ? Number(known.data[0]) : undefined
}
