// Blocks whose parallel branches become one convolution once they are trained: RepVGG (Ding et al. 2021) and MobileOne
// (Vasu et al. 2023).

import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d, convNorm } from './norm.ts'
import type { Block, Scope } from './scope.ts'

/** Options of `repVgg`. */
export interface RepVggOptions {
  /** D (default: as many as there are). */
  readonly outputs?: number
  /** Of the 3x3 and of the 1x1 (default 1). */
  readonly stride?: number
  /** Of the 3x3 (default 1). */
  readonly dilation?: number
}

/**
 * RepVGG block (Ding et al. 2021, RepVGG, section 3.2 and figure 4): three parallel branches, each with a norm,
 * summed before the only ReLU. All are linear, so a trained block is one 3x3 convolution, which `rewriteExactly`
 * makes of it: branches help training and cost nothing afterwards.
 *
 * ```
 * x ─┬─ 3x3, stride s, dilation d ─ norm ─┬─ + ─ ReLU
 *    ├─ 1x1, stride s ────────────── norm ┤
 *    └─ norm, if s = 1 and D = C ─────────┘
 * ```
 *
 * Parameters, from C to D channels: 10 C D + 4 D, and 2 D more with the third branch. Multiply-adds, giving
 * h x w: 10 C D h w; 9 C D h w once it is one convolution.
 *
 * Parameters are named as in the authors' code: `rbr_dense`, `rbr_1x1`, `rbr_identity`.
 *
 * @param x [N, C, H, W]
 * @returns [N, D, h, w], with h = ceil(H / s) and w = ceil(W / s)
 */
export function repVgg(scope: Scope, x: Value, options: RepVggOptions = {}): Value {
  const { outputs = x.shape[1]!, stride = 1, dilation = 1 } = options
  const dense = convNorm(scope.child('rbr_dense'), x, outputs, { kernel: 3, stride, dilation })
  const point = convNorm(scope.child('rbr_1x1'), x, outputs, { kernel: 1, stride })
  const sum = add(dense, point)
  const keepsShape = stride === 1 && outputs === x.shape[1]
  return relu(keepsShape ? add(sum, batchNorm2d(scope.child('rbr_identity'), x)) : sum)
}

export const repVggBlock: Block = {
  name: 'rep-vgg',
  title: 'RepVGG block',
  examples: [
    {
      label: '64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => repVgg(scope, x),
      cost: { params: 10 * 64 ** 2 + 6 * 64, macs: 10 * 64 ** 2 * 16 * 16 },
    },
    {
      label: '64 to 128 channels, stride 2',
      input: [1, 64, 16, 16],
      build: (scope, x) => repVgg(scope, x, { outputs: 128, stride: 2 }),
      cost: { params: 10 * 64 * 128 + 4 * 128, macs: 10 * 64 * 128 * 8 * 8 },
    },
    {
      label: '128 channels, dilation 2',
      input: [1, 128, 8, 8],
      build: (scope, x) => repVgg(scope, x, { dilation: 2 }),
      cost: { params: 10 * 128 ** 2 + 6 * 128, macs: 10 * 128 ** 2 * 8 * 8 },
    },
  ],
}

/** Options of `mobileOne`. */
export interface MobileOneOptions {
  /** Of the depthwise 3x3 (default 1). */
  readonly dilation?: number
}

/**
 * MobileOne block (Vasu et al. 2023, MobileOne, section 3.3 and figure 3): a depthwise-separable convolution
 * whose two halves have parallel branches in training, each with a norm. A trained half is one convolution,
 * which `rewriteExactly` makes of it.
 *
 * ```
 *    ┌─ depthwise 3x3 ─ norm ─┐            ┌─ 1x1 ─ norm ─┐
 * x ─┼─ depthwise 1x1 ─ norm ─┼─ + ─ ReLU ─┤              ├─ + ─ ReLU
 *    └─ norm ─────────────────┘            └─ norm ───────┘
 * ```
 *
 * One branch of each convolution, as in the paper's S1 to S4; its S0 has four. Without squeeze-and-excitation,
 * which only S4 has.
 *
 * Parameters: C² + 20 C. Multiply-adds: (C² + 10 C) H W; (C² + 9 C) H W once branches are joined.
 *
 * Parameters are named as in the authors' code, where `0` is the depthwise half and `1` the other:
 * `rbr_conv.0`, `rbr_scale`, `rbr_skip`.
 *
 * @param x [N, C, H, W]
 * @returns the same shape
 */
export function mobileOne(scope: Scope, x: Value, { dilation = 1 }: MobileOneOptions = {}): Value {
  const groups = x.shape[1]!
  const depthwise = scope.child(0)
  const around = convNorm(depthwise.child('rbr_conv.0'), x, groups, { kernel: 3, dilation, groups })
  const scale = convNorm(depthwise.child('rbr_scale'), x, groups, { kernel: 1, groups })
  const y = relu(add(add(around, scale), batchNorm2d(depthwise.child('rbr_skip'), x)))

  const pointwise = scope.child(1)
  const mixed = convNorm(pointwise.child('rbr_conv.0'), y, groups, { kernel: 1 })
  return relu(add(mixed, batchNorm2d(pointwise.child('rbr_skip'), y)))
}

export const mobileOneBlock: Block = {
  name: 'mobile-one',
  title: 'MobileOne block',
  examples: [
    {
      label: '64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => mobileOne(scope, x),
      cost: { params: 64 ** 2 + 20 * 64, macs: (64 ** 2 + 10 * 64) * 16 * 16 },
    },
  ],
}
