// Comparisons, choices between values, and casts.

import type { Value } from '../graph.ts'
import { type OpDef, refuse } from '../op.ts'
import { type DType, onnxTypeOf, sizeOf } from '../tensor.ts'
import { asValue, binaryOp, graphOf, type Operand, sumTo } from './arithmetic.ts'
import {
  broadcastShape,
  describe,
  expectInputs,
  forBroadcast,
  type NoAttrs,
  normalAxis,
  zipPlain,
} from './support.ts'

function compareOp(name: string, onnxName: string, test: (x: number, y: number) => boolean): OpDef<NoAttrs> {
  return {
    name,
    infer(inputs) {
      expectInputs(inputs, 2)
      return [{ dtype: 'bool', shape: broadcastShape(inputs[0]!.shape, inputs[1]!.shape) }]
    },
    emit: (onnx, inputs) => onnx.node(onnxName, inputs),
    gradient: 'zero',
    cost: 'results',
    reach: 'place',
    words: name,
    reference: ([a, b], _, [type]) => [zipPlain(a!, b!, type!.shape, (x, y) => (test(x, y) ? 1 : 0))],
  }
}

export const greaterOp = compareOp('greater', 'Greater', (x, y) => x > y)
export const greaterOrEqualOp = compareOp('greaterOrEqual', 'GreaterOrEqual', (x, y) => x >= y)

function compare(op: OpDef<NoAttrs>, a: Operand, b: Operand): Value {
  const graph = graphOf(a, b)
  return graph.apply(op, [asValue(graph, a), asValue(graph, b)], {})[0]!
}

/** a > b, as bool; the gradient is zero. */
export const greater = (a: Operand, b: Operand): Value => compare(greaterOp, a, b)
/** a >= b, as bool; the gradient is zero. */
export const greaterOrEqual = (a: Operand, b: Operand): Value => compare(greaterOrEqualOp, a, b)

export const whereOp: OpDef<NoAttrs> = {
  name: 'where',
  infer(inputs) {
    const [condition, a, b] = inputs
    if (
      inputs.length !== 3 ||
      condition?.dtype !== 'bool' ||
      a?.dtype !== 'float32' ||
      b?.dtype !== 'float32'
    ) {
      refuse('wrong inputs', { got: describe(inputs), expected: 'a bool condition and two float32 values' })
    }
    return [{ dtype: 'float32', shape: broadcastShape(condition.shape, broadcastShape(a.shape, b.shape)) }]
  },
  emit: (onnx, inputs) => onnx.node('Where', inputs),
  gradient: ({ grad, inputs: [condition, a, b], wanted }) => [
    undefined,
    wanted[1] ? sumTo(where(condition!, grad, 0), a!.shape) : undefined,
    wanted[2] ? sumTo(where(condition!, 0, grad), b!.shape) : undefined,
  ],
  cost: 'results',
  reach: 'place',
  words: 'where',
  reference([condition, a, b], _, [type]) {
    const { shape } = type!
    const first = zipPlain(condition!, a!, shape, (test, x) => (test === 1 ? x : 0))
    const second = zipPlain(condition!, b!, shape, (test, y) => (test === 1 ? 0 : y))
    return [first.map((x, i) => x + second[i]!)]
  },
}

/** `a` where the condition holds, `b` elsewhere; all three broadcast. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  const { graph } = condition
  return graph.apply(whereOp, [condition, asValue(graph, a), asValue(graph, b)], {})[0]!
}

function extremeOp(
  name: 'maximum' | 'minimum',
  onnxName: string,
  pick: (x: number, y: number) => number,
): OpDef<NoAttrs> {
  // The one that won gets the gradient; of two equal ones, the first.
  return binaryOp(name, onnxName, pick, ({ grad, inputs: [a, b], outputs: [y], wanted }) => {
    const first = name === 'maximum' ? greaterOrEqual(a!, y!) : greaterOrEqual(y!, a!)
    return [
      wanted[0] ? sumTo(where(first, grad, 0), a!.shape) : undefined,
      wanted[1] ? sumTo(where(first, 0, grad), b!.shape) : undefined,
    ]
  })
}

export const maximumOp = extremeOp('maximum', 'Max', Math.max)
export const minimumOp = extremeOp('minimum', 'Min', Math.min)

/** The larger of a and b, element by element. */
export const maximum = (a: Operand, b: Operand): Value => compare(maximumOp, a, b)
/** The smaller of a and b, element by element. */
export const minimum = (a: Operand, b: Operand): Value => compare(minimumOp, a, b)

/** Values held to [low, high]; the gradient outside is zero. */
export const clip = (x: Value, low: number, high: number): Value => minimum(maximum(x, low), high)

type CastAttrs = { readonly to: DType }

export const castOp: OpDef<CastAttrs> = {
  name: 'cast',
  infer([x], { to }) {
    if (x === undefined) refuse('nothing to cast')
    return [{ dtype: to, shape: x.shape }]
  },
  emit: (onnx, inputs, { to }) => onnx.node('Cast', inputs, { to: onnxTypeOf[to] }),
  gradient: 'zero',
  cost: 'results',
  reach: 'place',
  words: 'silent',
  reference: ([x], { to }) => [x!.data.map((value) => (to === 'float32' ? value : toInteger(value, to)))],
}

function toInteger(value: number, to: DType): number {
  if (to === 'bool') return value === 0 ? 0 : 1
  return to === 'uint8' ? Math.trunc(value) & 255 : Math.trunc(value)
}

/** The same values in another element type; floats are cut towards zero. The gradient is zero. */
export function cast(x: Value, to: DType): Value {
  return x.dtype === to ? x : x.graph.apply(castOp, [x], { to })[0]!
}

type ArgMaxAttrs = { readonly axis: number }

/** Index of the largest element along an axis, for tests and decoding; it has no gradient. */
export const argMaxOp: OpDef<ArgMaxAttrs> = {
  name: 'argMax',
  infer(inputs, { axis }) {
    expectInputs(inputs, 1)
    return [{ dtype: 'int64', shape: inputs[0]!.shape.map((n, i) => (i === axis ? 1 : n)) }]
  },
  emit: (onnx, inputs, { axis }) => onnx.node('ArgMax', inputs, { axis, keepdims: 1 }),
  gradient: 'forbidden',
  cost: 'results',
  reach: ({ attrs: { axis } }) => ({ by: 'axes', axes: [axis] }),
  words: 'argMax',
  reference([x], _, [type]) {
    const best = new Float64Array(sizeOf(type!.shape)).fill(Number.NEGATIVE_INFINITY)
    const index = new Float64Array(best.length)
    const seen = new Float64Array(best.length)
    forBroadcast(x!.shape, type!.shape, (i, at) => {
      if (x!.data[i]! > best[at]!) {
        best[at] = x!.data[i]!
        index[at] = seen[at]!
      }
      seen[at]! += 1
    })
    return [index]
  },
}

/** Index of the largest element along an axis, as int64. It has no gradient. */
export function argMax(x: Value, axis: number): Value {
  return x.graph.apply(argMaxOp, [x], { axis: normalAxis(axis, x.shape.length) })[0]!
}
