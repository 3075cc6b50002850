// What follows a convolution: batch normalisation, and the activations that have parameters or bounds.

import type { Value } from '../graph/graph.ts'
import { add, mul } from '../graph/ops/arithmetic.ts'
import { minimum } from '../graph/ops/compare.ts'
import { batchNormalise, normalise } from '../graph/ops/normalise.ts'
import { reshape } from '../graph/ops/shape.ts'
import { leakyRelu, relu } from '../graph/ops/unary.ts'
import { sizeOf } from '../graph/tensor.ts'
import { type Conv2dOptions, conv2d } from './conv2d.ts'
import type { Scope } from './scope.ts'

/** How much of the running statistics one batch replaces (PyTorch's default). */
const momentum = 0.1

/**
 * Batch normalisation (Ioffe and Szegedy 2015) with PyTorch's names: `weight`, `bias`, `running_mean`,
 * `running_var`. In training it uses the batch's statistics and records the running ones, whose variance is
 * the unbiased one, as in PyTorch.
 *
 * @param x [N, C, H, W]
 * @param options `epsilon`, added to the variance (default 1e-5), and `gain`, where the scale `weight` starts (default 1)
 */
export function batchNorm2d(
  scope: Scope,
  x: Value,
  { epsilon = 1e-5, gain = 1 }: { epsilon?: number; gain?: number } = {},
): Value {
  const channels = x.shape[1]!
  const gamma = scope.weight('weight', [channels], { kind: 'fill', value: gain })
  const beta = scope.weight('bias', [channels], { kind: 'fill', value: 0 })
  const mean = scope.buffer('running_mean', [channels], { kind: 'fill', value: 0 })
  const variance = scope.buffer('running_var', [channels], { kind: 'fill', value: 1 })
  if (!scope.training) return normalise(x, { gamma, beta, mean, variance }, epsilon)

  const batch = batchNormalise(x, gamma, beta, epsilon)
  const count = sizeOf(x.shape) / channels
  const unbiased = mul(batch.variance, count / Math.max(count - 1, 1))
  const follow = (name: string, running: Value, now: Value) =>
    scope.update(name, add(mul(scope.current(name, running), 1 - momentum), mul(now, momentum)))
  follow('running_mean', mean, batch.mean)
  follow('running_var', variance, unbiased)
  return batch.value
}

/**
 * Convolution without a bias, then a norm: `conv` and `bn`, as the authors of RepVGG and MobileOne name them.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, H', W']
 */
export function convNorm(
  scope: Scope,
  x: Value,
  outputs: number,
  options: Omit<Conv2dOptions, 'bias'>,
): Value {
  return batchNorm2d(scope.child('bn'), conv2d(scope.child('conv'), x, outputs, { ...options, bias: false }))
}

/**
 * Where the scale of a residual block's last norm starts. A deep residual network whose blocks start near the
 * identity learns sooner (Goyal et al. 2017, section 5.1, start at 0; a little more lets every weight have a
 * gradient). Measured on a talking head, LEDNet, 90 s of training: L1 0.665 of the still picture's instead of
 * 0.684 from 1.
 */
export const residualGain = 0.1

/** Options of `prelu`. */
export interface PreluOptions {
  /** A slope for each channel (default: one for all). */
  readonly perChannel?: boolean
}

/**
 * Parametric ReLU (He et al. 2015, Delving Deep into Rectifiers, section 2.1): x where it is above 0, a · x
 * elsewhere. The slope a is trained: `weight` [1], or [C] with one slope a channel. It starts at 0.25, as in
 * the paper and in PyTorch.
 *
 * Parameters: 1, or C. Two calls with one scope share the slope.
 *
 * @param x [N, C, H, W]
 * @returns the same shape
 */
export function prelu(scope: Scope, x: Value, { perChannel = false }: PreluOptions = {}): Value {
  const slopes = perChannel ? x.shape[1]! : 1
  const weight = scope.weight('weight', [slopes], { kind: 'fill', value: 0.25 })
  return leakyRelu(x, reshape(weight, [1, slopes, 1, 1]))
}

/** min(max(x, 0), 6): what MobileNets use, whose values then fit a few bits. No gradient above 6. */
export const relu6 = (x: Value): Value => minimum(relu(x), 6)
