// Batch normalisation (Ioffe and Szegedy 2015) over [N, C, H, W], in its two forms.

import type { TensorType, Value } from '../graph.ts'
import { type OpDef, type Plain, refuse } from '../op.ts'
import { floats, ints, sizeOf } from '../tensor.ts'
import { add, div, mul, reduceSum, sub } from './arithmetic.ts'
import { filled } from './leaf.ts'
import { reshape } from './shape.ts'
import { describe, expectInputs, expectRank } from './support.ts'
import { sqrt } from './unary.ts'

type NormAttrs = { readonly epsilon: number }

function checkChannels(inputs: readonly TensorType[], count: number): TensorType {
  expectInputs(inputs, count)
  const x = inputs[0]!
  expectRank(x, 4, '[N, C, H, W]')
  for (const vector of inputs.slice(1)) {
    if (vector.shape.length !== 1 || vector.shape[0] !== x.shape[1]) {
      refuse('a norm has one number a channel', { got: describe(inputs), expected: `[${x.shape[1]}]` })
    }
  }
  return x
}

/** A vector over channels, shaped so that it broadcasts over [N, C, H, W]. */
const perChannel = (vector: Value): Value => reshape(vector, [1, -1, 1, 1])
const overPixels = [0, 2, 3] as const

function normalised(
  x: Plain,
  mean: ArrayLike<number>,
  variance: ArrayLike<number>,
  use: NormUse,
): Float64Array {
  const pixels = sizeOf(x.shape.slice(2))
  return x.data.map((value, i) => {
    const c = Math.floor(i / pixels) % x.shape[1]!
    return ((value - mean[c]!) / Math.sqrt(variance[c]! + use.epsilon)) * use.gamma[c]! + use.beta[c]!
  })
}

interface NormUse {
  readonly epsilon: number
  readonly gamma: Float64Array
  readonly beta: Float64Array
}

/** Batch normalisation with given statistics, as in a trained network. */
export const normaliseOp: OpDef<NormAttrs> = {
  name: 'normalise',
  infer: (inputs) => [checkChannels(inputs, 5)],
  emit: (onnx, inputs, { epsilon }) =>
    onnx.node('BatchNormalization', inputs, { epsilon: { float: epsilon } }),
  gradient: ({ grad, inputs: [x, gamma, , mean, variance], attrs: { epsilon }, wanted }) => {
    const deviation = sqrt(add(variance!, epsilon))
    const scale = div(gamma!, deviation)
    const dx = mul(grad, perChannel(scale))
    const centred = sub(x!, perChannel(mean!))
    const dBeta = reduceSum(grad, overPixels)
    const dGamma = div(reduceSum(mul(grad, centred), overPixels), deviation)
    return [
      wanted[0] ? dx : undefined,
      dGamma,
      dBeta,
      wanted[3] ? mul(mul(dBeta, scale), -1) : undefined,
      wanted[4] ? mul(div(mul(dGamma, gamma!), add(variance!, epsilon)), -0.5) : undefined,
    ]
  },
  cost: 'results',
  reach: 'place',
  words: 'norm',
  reference: ([x, gamma, beta, mean, variance], { epsilon }) => [
    normalised(x!, mean!.data, variance!.data, { epsilon, gamma: gamma!.data, beta: beta!.data }),
  ],
}

/**
 * (x - mean) / sqrt(variance + epsilon) · gamma + beta, channel by channel.
 *
 * @param x [N, C, H, W]; the four vectors are [C]
 */
export function normalise(
  x: Value,
  { gamma, beta, mean, variance }: Record<'gamma' | 'beta' | 'mean' | 'variance', Value>,
  epsilon: number,
): Value {
  return x.graph.apply(normaliseOp, [x, gamma, beta, mean, variance], { epsilon })[0]!
}

/**
 * Batch normalisation with the batch's own statistics, as in training. Results: y, the mean and the variance of each
 * channel, and x without its mean, which the gradient reads too.
 */
export const batchNormaliseOp: OpDef<NormAttrs> = {
  name: 'batchNormalise',
  infer(inputs) {
    const x = checkChannels(inputs, 3)
    const vector: TensorType = { dtype: 'float32', shape: [x.shape[1]!] }
    return [x, vector, vector, x]
  },
  emit(onnx, [x, gamma, beta], { epsilon }, node) {
    const one = (type: string, inputs: readonly string[]) => onnx.node(type, inputs)[0]!
    const axes = onnx.constant(ints(overPixels))
    const flat = (name: string) => one('Reshape', [name, onnx.constant(ints([-1]))])
    const mean = onnx.node('ReduceMean', [x!, axes], { keepdims: 1 })[0]!
    const centred = one('Sub', [x!, mean])
    const square = one('Mul', [centred, centred])
    const variance = flat(onnx.node('ReduceMean', [square, axes], { keepdims: 1 })[0]!)
    // Of the centred values: with the mean in the shift, channels far from zero would lose digits.
    const zeros = onnx.constant(floats(new Array<number>(node.outputs[1]!.shape[0]!).fill(0)))
    const inputs = [centred, gamma!, beta!, zeros, variance]
    const y = onnx.node('BatchNormalization', inputs, { epsilon: { float: epsilon } })[0]!
    return [y, onnx.used(node.outputs[1]!) ? flat(mean) : '', variance, centred]
  },
  // With x̂ the normalised input, M the number of pixels per channel and s = gamma / deviation:
  // dx = s (dy - mean(dy) - x̂ mean(dy x̂)).
  gradient: ({ grads: [grad], inputs: [x, gamma], outputs: [, , variance, centred], attrs: { epsilon } }) => {
    if (grad === undefined) return []
    const count = sizeOf(x!.shape) / x!.shape[1]!
    const deviation = sqrt(add(variance!, epsilon))
    const dBeta = reduceSum(grad, overPixels)
    const dGamma = div(reduceSum(mul(grad, centred!), overPixels), deviation)
    const scale = div(gamma!, deviation)
    const shift = mul(mul(scale, dBeta), 1 / count)
    const slope = mul(div(mul(scale, dGamma), deviation), 1 / count)
    // The norm's own op is the fastest way to scale and shift each channel.
    const plain = { mean: filled(x!.graph, shift, 0), variance: filled(x!.graph, shift, 1) }
    const pulled = normalise(centred!, { gamma: slope, beta: shift, ...plain }, 0)
    return [sub(mul(grad, perChannel(scale)), pulled), dGamma, dBeta]
  },
  cost: 'results',
  reach: 'place',
  words: 'norm',
  reference([x, gamma, beta], { epsilon }) {
    const channels = x!.shape[1]!
    const pixels = sizeOf(x!.shape.slice(2))
    const count = x!.data.length / channels
    const mean = new Float64Array(channels)
    const variance = new Float64Array(channels)
    const channelOf = (i: number) => Math.floor(i / pixels) % channels
    x!.data.forEach((value, i) => {
      mean[channelOf(i)]! += value / count
    })
    x!.data.forEach((value, i) => {
      variance[channelOf(i)]! += (value - mean[channelOf(i)]!) ** 2 / count
    })
    const use = { epsilon, gamma: gamma!.data, beta: beta!.data }
    const centred = x!.data.map((value, i) => value - mean[channelOf(i)]!)
    return [normalised(x!, mean, variance, use), mean, variance, centred]
  },
}

/**
 * Normalises each channel by its mean and (biased) variance over batch and pixels.
 *
 * @param x [N, C, H, W]
 * @param gamma [C]
 * @param beta [C]
 * @returns the result, and the statistics [C]; only the result carries a gradient.
 */
export function batchNormalise(
  x: Value,
  gamma: Value,
  beta: Value,
  epsilon: number,
): {
  /** The normalised map. */
  value: Value
  /** Means of the batch, [C]. */
  mean: Value
  /** Variances of the batch, [C]. */
  variance: Value
} {
  const [value, mean, variance] = x.graph.apply(batchNormaliseOp, [x, gamma, beta], { epsilon })
  return { value: value!, mean: mean!, variance: variance! }
}
