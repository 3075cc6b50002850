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
