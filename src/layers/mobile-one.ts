import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { convNorm } from './conv-norm.ts'
import type { Scope } from './scope.ts'

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
  file: 'mobile-one.ts',
  usedBy: [],
  examples: [
    {
      label: '64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => mobileOne(scope, x),
      cost: { params: 64 ** 2 + 20 * 64, macs: (64 ** 2 + 10 * 64) * 16 * 16 },
    },
  ],
}
