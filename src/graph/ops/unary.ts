// Functions of one value, element by element, and softmax.

import type { Value } from '../graph.ts'
import type { GradientRule, OpDef } from '../op.ts'
import { add, div, mul, neg, reduceSum, sub } from './arithmetic.ts'
import { greater, where } from './compare.ts'
import { like } from './leaf.ts'
import { expectInputs, mapPlain, type NoAttrs, normalAxis } from './support.ts'

function unaryOp(
  name: string,
  onnxName: string,
  f: (x: number) => number,
  gradient: GradientRule<NoAttrs> | 'zero',
): OpDef<NoAttrs> {
  return {
    name,
    infer(inputs) {
      expectInputs(inputs, 1)
      return [inputs[0]!]
    },
    emit: (onnx, inputs) => onnx.node(onnxName, inputs),
    gradient,
    cost: 'results',
    reach: 'place',
    words: name,
    reference: ([x]) => [mapPlain(x!, f)],
  }
}

// In each rule x is the input, y the output and grad the gradient to y.
export const expOp = unaryOp('exp', 'Exp', Math.exp, ({ grad, outputs: [y] }) => [mul(grad, y!)])
export const logOp = unaryOp('log', 'Log', Math.log, ({ grad, inputs: [x] }) => [div(grad, x!)])
export const sqrtOp = unaryOp('sqrt', 'Sqrt', Math.sqrt, ({ grad, outputs: [y] }) => [
  div(mul(grad, 0.5), y!),
])
// Comparing is half the price of ONNX Runtime's Sign on the CPU. At 0 the slope taken is -1 (abs), 0 (relu).
export const absOp = unaryOp('abs', 'Abs', Math.abs, ({ grad, inputs: [x] }) => [
  where(greater(x!, 0), grad, neg(grad)),
])
export const reluOp = unaryOp(
  'relu',
  'Relu',
  (x) => Math.max(x, 0),
  // A product with 0 and 1 takes three quarters of the time of a choice.
  ({ grad, outputs: [y] }) => [mul(grad, isPositive(y!))],
)
export const sigmoidOp = unaryOp(
  'sigmoid',
  'Sigmoid',
  (x) => 1 / (1 + Math.exp(-x)),
  ({ grad, outputs: [y] }) => [mul(grad, mul(y!, sub(1, y!)))],
)
export const tanhOp = unaryOp('tanh', 'Tanh', Math.tanh, ({ grad, outputs: [y] }) => [
  mul(grad, sub(1, mul(y!, y!))),
])
export const floorOp = unaryOp('floor', 'Floor', Math.floor, 'zero')
export const signOp = unaryOp('sign', 'Sign', Math.sign, 'zero')

/** A slope so steep that the smallest normal number is past its end. */
const steepest = 3e38

/** One op instead of two, a comparison and a cast. */
export const isPositiveOp: OpDef<NoAttrs> = {
  ...unaryOp('isPositive', 'HardSigmoid', (x) => (x > 0 ? 1 : 0), 'zero'),
  emit: (onnx, inputs) =>
    onnx.node('HardSigmoid', inputs, { alpha: { float: steepest }, beta: { float: 0 } }),
}

const unary =
  (op: OpDef<NoAttrs>) =>
  (x: Value): Value =>
    x.graph.apply(op, [x], {})[0]!

/** e to the power x, element by element. */
export const exp = unary(expOp)
/** Natural logarithm. */
export const log = unary(logOp)
/** Square root, element by element. */
export const sqrt = unary(sqrtOp)
/** Absolute value, element by element. The slope at 0 is -1. */
export const abs = unary(absOp)
/** The larger of x and 0, element by element. The slope at 0 is 0. */
export const relu = unary(reluOp)
/** 1 / (1 + e^-x), element by element. */
export const sigmoid = unary(sigmoidOp)
/** Hyperbolic tangent, element by element. */
export const tanh = unary(tanhOp)
/** The largest whole number that is not above x, element by element. Its gradient is 0. */
export const floor = unary(floorOp)
/** -1, 0 or 1, element by element. Its gradient is 0. */
export const sign = unary(signOp)
/** 1 where x is above 0, 0 elsewhere, as float32. */
export const isPositive = unary(isPositiveOp)
/** x · x, element by element. */
export const square = (x: Value): Value => mul(x, x)

/**
 * Numbers above 0, with all below 1e-12 exactly 0. What is multiplied with such traces comes below 1e-38, where Intel's
 * processors take a hundred times as long for each number: a training step at 256x256 took twice as long.
 */
export const withoutTraces = (x: Value): Value => relu(sub(x, 1e-12))

type PowAttrs = { readonly exponent: number }

export const powOp: OpDef<PowAttrs> = {
  name: 'pow',
  infer(inputs) {
    expectInputs(inputs, 1)
    return [inputs[0]!]
  },
  emit: (onnx, [x], { exponent }) =>
    onnx.node('Pow', [x!, onnx.constant({ dtype: 'float32', shape: [], data: Float32Array.of(exponent) })]),
  // The power below it is infinite at 0.
  gradient: ({ grad, inputs: [x], attrs: { exponent } }) => [
    exponent === 0 ? like(x!, 0) : mul(grad, mul(pow(x!, exponent - 1), exponent)),
  ],
  cost: 'results',
  reach: 'place',
  words: 'pow',
  reference: ([x], { exponent }) => [mapPlain(x!, (value) => value ** exponent)],
}

/** x to a power that is known when the graph is built. */
export function pow(x: Value, exponent: number): Value {
  return x.graph.apply(powOp, [x], { exponent })[0]!
}

type SoftmaxAttrs = { readonly axis: number }

export const softmaxOp: OpDef<SoftmaxAttrs> = {
  name: 'softmax',
  infer(inputs, { axis }) {
    expectInputs(inputs, 1)
    normalAxis(axis, inputs[0]!.shape.length)
    return [inputs[0]!]
  },
  emit: (onnx, inputs, { axis }) => onnx.node('Softmax', inputs, { axis }),
  // dx = y (dy - sum(dy y))
  gradient: ({ grad, outputs: [y], attrs: { axis } }) => {
    const weighted = mul(grad, y!)
    return [sub(weighted, mul(y!, reduceSum(weighted, [axis], { keep: true })))]
  },
  cost: 'results',
  reach: ({ attrs: { axis } }) => ({ by: 'axes', axes: [axis] }),
  words: 'softmax',
  reference([x], { axis }) {
    const { shape, data } = x!
    const out = new Float64Array(data.length)
    const n = shape[axis]!
    const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1)
    for (let start = 0; start < data.length; start += n * inner) {
      for (let i = start; i < start + inner; i++) {
        let max = Number.NEGATIVE_INFINITY
        for (let k = 0; k < n; k++) max = Math.max(max, data[i + k * inner]!)
        let sum = 0
        for (let k = 0; k < n; k++) sum += Math.exp(data[i + k * inner]! - max)
        for (let k = 0; k < n; k++) out[i + k * inner] = Math.exp(data[i + k * inner]! - max) / sum
      }
    }
    return [out]
  },
}

/** exp(x) over its sum along an axis. */
export function softmax(x: Value, axis: number): Value {
  return x.graph.apply(softmaxOp, [x], { axis: normalAxis(axis, x.shape.length) })[0]!
}

/** x where it is above 0, slope times x elsewhere. `slope` may be a value that broadcasts, as in a PReLU. */
export function leakyRelu(x: Value, slope: Value | number): Value {
  return add(relu(x), mul(sub(x, relu(x)), slope))
}
