import type { Value } from '../../graph/graph.ts'
import { add, addAll, div, mul, neg, type Operand, sub } from '../../graph/ops/arithmetic.ts'
import { clip, greater, greaterOrEqual, maximum, minimum, where } from '../../graph/ops/compare.ts'
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
  sqrt,
  tanh,
} from '../../graph/ops/unary.ts'
import type { Importer, Importers, OnnxNode } from './node.ts'

/** Functions element by element: of one value, of two, and of several. */

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
