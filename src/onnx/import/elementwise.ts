// Importers of functions element by element, and over whole axes.

import type { Value } from '../../graph/graph.ts'
import {
  add,
  addAll,
  div,
  mul,
  neg,
  type Operand,
  type ReduceOptions,
  reduceMean,
  reduceSum,
  sub,
} from '../../graph/ops/arithmetic.ts'
import { argMax, clip, greater, greaterOrEqual, maximum, minimum, where } from '../../graph/ops/compare.ts'
import { dequantise, quantise } from '../../graph/ops/quantise.ts'
import { reshape } from '../../graph/ops/shape.ts'
import { normalAxis } from '../../graph/ops/support.ts'
import {
  abs,
  exp,
  floor,
  leakyRelu,
  log,
  pow,
  relu,
  sigmoid,
  sign,
  softmax,
  sqrt,
  tanh,
} from '../../graph/ops/unary.ts'
import type { Importer, Importers, OnnxNode } from './node.ts'

const unary =
  (f: (x: Value) => Value): Importer =>
  (node) =>
    f(node.input(0))

const binary =
  (f: (a: Value, b: Value) => Value): Importer =>
  (node) =>
    f(node.input(0), node.input(1))

const several =
  (f: (a: Value, b: Value) => Value): Importer =>
  (node) =>
    node.inputs().reduce(f)

/** Bounds stand in attributes before opset 11; a bound that is left out is no bound. */
function importClip(node: OnnxNode): Value {
  const bound = (attribute: string, index: number): Operand | undefined => {
    if (node.hasAttribute(attribute)) return node.float(attribute, 0)
    return node.known(index)?.data.length === 1 ? node.number(index) : node.optional(index)
  }
  const [low, high] = [bound('min', 1), bound('max', 2)]
  const x = node.input(0)
  const held = low === undefined ? x : maximum(x, low)
  return high === undefined ? held : minimum(held, high)
}

function importPow(node: OnnxNode): Value {
  const exponent = node.number(1) ?? node.refuse('Pow lacks its exponent')
  return pow(node.input(0), exponent)
}

/** The zero point is one number here, whatever its shape is. The type is that of the zero point, uint8 without one. */
function zeroPointOf(node: OnnxNode) {
  const stored = node.known(2)
  if (stored === undefined) {
    if (node.has(2)) node.refuse('a zero point that the model computes is not known')
    return { zeroPoint: 0, dtype: undefined }
  }
  const numbers = Array.from(stored.data as ArrayLike<number | bigint>, Number)
  if (numbers.some((number) => number !== numbers[0])) {
    node.refuse('zero points that differ between channels are not known')
  }
  return { zeroPoint: numbers[0] ?? 0, dtype: stored.dtype }
}

const scaleAxis = (node: OnnxNode) => {
  const rank = node.input(0).shape.length
  return rank === 0 ? 0 : normalAxis(Math.min(node.int('axis', 1), rank - 1), rank)
}

/** One number may be written as a vector of one. */
function scaleOf(node: OnnxNode): Value {
  const scale = node.input(1)
  const { shape } = node.input(0)
  const single = scale.shape.length === 1 && scale.shape[0] === 1 && shape[scaleAxis(node)] !== 1
  return single ? reshape(scale, []) : scale
}

function importQuantise(node: OnnxNode): Value {
  const { zeroPoint, dtype = 'uint8' } = zeroPointOf(node)
  if (dtype !== 'uint8' && dtype !== 'int8') {
    node.refuse('only eight bits are known', { got: dtype, expected: 'uint8 or int8' })
  }
  return quantise(node.input(0), scaleOf(node), { to: dtype, zeroPoint, axis: scaleAxis(node) })
}

const importDequantise = (node: OnnxNode): Value =>
  dequantise(node.input(0), scaleOf(node), { zeroPoint: zeroPointOf(node).zeroPoint, axis: scaleAxis(node) })

export const elementwise: Importers = {
  Abs: unary(abs),
  Exp: unary(exp),
  Floor: unary(floor),
  Log: unary(log),
  Neg: unary(neg),
  Reciprocal: unary((x) => div(1, x)),
  Relu: unary(relu),
  Sigmoid: unary(sigmoid),
  Sign: unary(sign),
  Softplus: unary((x) => log(add(exp(x), 1))),
  Sqrt: unary(sqrt),
  Tanh: unary(tanh),

  Add: binary(add),
  Div: binary(div),
  Greater: binary(greater),
  GreaterOrEqual: binary(greaterOrEqual),
  Less: binary((a, b) => greater(b, a)),
  LessOrEqual: binary((a, b) => greaterOrEqual(b, a)),
  Mul: binary(mul),
  PRelu: binary(leakyRelu),
  Sub: binary(sub),
  Where: (node) => where(node.input(0), node.input(1), node.input(2)),

  Max: several(maximum),
  Mean: (node) => mul(addAll(node.inputs()), 1 / node.inputCount),
  Min: several(minimum),
  Sum: several(add),

  Clip: importClip,
  Pow: importPow,
  DequantizeLinear: importDequantise,
  QuantizeLinear: importQuantise,
  Elu: (node) => {
    const x = node.input(0)
    return where(greater(x, 0), x, mul(sub(exp(minimum(x, 0)), 1), node.float('alpha', 1)))
  },
  HardSigmoid: (node) =>
    clip(add(mul(node.input(0), node.float('alpha', 0.2)), node.float('beta', 0.5)), 0, 1),
  HardSwish: (node) => mul(node.input(0), clip(add(mul(node.input(0), 1 / 6), 0.5), 0, 1)),
  LeakyRelu: (node) => leakyRelu(node.input(0), node.float('alpha', 0.01)),
}

type Reduce = (x: Value, axes: readonly number[] | undefined, options: ReduceOptions) => Value

const reduction =
  (reduce: Reduce): Importer =>
  (node) => {
    const x = node.input(0)
    const axes = node.list('axes', 1)?.map((axis) => normalAxis(axis, x.shape.length))
    if (axes !== undefined && new Set(axes).size !== axes.length) node.refuse('an axis is named twice')
    const all = axes === undefined || axes.length === 0
    if (all && node.int('noop_with_empty_axes', 0) === 1) return x
    return reduce(x, all ? undefined : axes, { keep: node.int('keepdims', 1) === 1 })
  }

function importSoftmax(node: OnnxNode): Value {
  const x = node.input(0)
  const axis = normalAxis(node.int('axis', node.opset < 13 ? 1 : -1), x.shape.length)
  if (node.opset >= 13 || axis === x.shape.length - 1) return softmax(x, axis)
  // Before opset 13, all axes from this one on are one.
  const rows = x.shape.slice(0, axis).reduce((a, b) => a * b, 1)
  return reshape(softmax(reshape(x, [rows, -1]), 1), x.shape)
}

function importArgMax(node: OnnxNode): Value {
  if (node.int('select_last_index', 0) !== 0) node.refuse('an ArgMax that takes the last index is not known')
  const x = node.input(0)
  const axis = normalAxis(node.int('axis', 0), x.shape.length)
  const best = argMax(x, axis)
  return node.int('keepdims', 1) === 1 ? best : reshape(best, x.shape.toSpliced(axis, 1))
}

export const reductions: Importers = {
  ArgMax: importArgMax,
  LogSoftmax: (node) => log(importSoftmax(node)),
  ReduceMean: reduction(reduceMean),
  ReduceSum: reduction(reduceSum),
  Softmax: importSoftmax,
}
