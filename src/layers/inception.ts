// Inception modules: GoogLeNet's (Szegedy et al. 2015) and a dilated one (after Yang et al. 2019).
import type { Value } from '../graph/graph.ts'
import { refuse } from '../graph/op.ts'
import { maxPool } from '../graph/ops/pool.ts'
import { concat } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d, conv2d } from './conv2d.ts'
import type { Block, Scope } from './scope.ts'

/** Channels of an inception module's convolutions; the module gives one + three + five + pool. */
export interface InceptionWidths {
  /** Channels of the 1x1 branch. */
  readonly one: number
  /** Of the 1x1 before the 3x3. */
  readonly reduceThree: number
  /** Channels of the 3x3. */
  readonly three: number
  /** Of the 1x1 before the 5x5. */
  readonly reduceFive: number
  /** Channels of the 5x5. */
  readonly five: number
  /** Channels of the 1x1 after the max pool. */
  readonly pool: number
}

/**
 * Inception module (Szegedy et al. 2015, GoogLeNet, section 4): what matters in a picture may be small or
 * large, so kernels of several sizes look side by side, each behind a 1x1 that keeps it affordable.
 *
 * ```
 *    ┌─ 1 x 1 to a ───────────────────┐
 *    ├─ 1 x 1 to p ── 3 x 3 to b ─────┤
 * x ─┤                                ├─ concat ──
 *    ├─ 1 x 1 to q ── 5 x 5 to c ─────┤
 *    └─ max 3 x 3 ─── 1 x 1 to d ─────┘
 * ```
 *
 * After every convolution a norm (which the paper of 2015 does not have yet, and all later ones do) and ReLU.
 *
 * Parameters from C channels: C (a + p + q + d) + 9 p b + 25 q c + 2 (a + p + b + q + c + d). Multiply-adds:
 * (C (a + p + q + d) + 9 p b + 25 q c) H W.
 *
 * @param x [N, C, H, W]
 * @returns [N, a + b + c + d, H, W]
 */
export function inception(scope: Scope, x: Value, widths: InceptionWidths): Value {
  const pooled = maxPool(x, [3, 3], { strides: [1, 1], pads: [1, 1, 1, 1] }).value
  const branch = (name: string, value: Value, outputs: number, kernel: number) =>
    convolved(scope.child(name), value, outputs, { kernel })
  return concat(
    [
      branch('one', x, widths.one, 1),
      branch('three', branch('three_reduce', x, widths.reduceThree, 1), widths.three, 3),
      branch('five', branch('five_reduce', x, widths.reduceFive, 1), widths.five, 5),
      branch('pool', pooled, widths.pool, 1),
    ],
    1,
  )
}

/**
 * Dilated inception module (after Yang et al. 2019, DINet, arXiv:1904.03571): the branches see more and less
 * of the picture not by the size of their kernels but by their dilations, so all cost the same.
 *
 * ```
 *    ┌─ 3 x 3, rate 1, to D/4 ─┐
 *    ├─ 3 x 3, rate 2, to D/4 ─┤
 * x ─┤                         ├─ concat ──
 *    ├─ 3 x 3, rate 4, to D/4 ─┤
 *    └─ 3 x 3, rate 8, to D/4 ─┘
 * ```
 *
 * After every convolution a norm and ReLU.
 *
 * Parameters from C to D channels: 9 C D + 2 D. Multiply-adds: 9 C D H W. As much as one 3x3 convolution to D
 * channels.
 *
 * @param x [N, C, H, W]
 * @param outputs D, a multiple of the number of rates
 * @returns [N, D, H, W]
 * @throws GraphError if D does not divide into the rates.
 */
export function dilatedInception(
  scope: Scope,
  x: Value,
  outputs: number,
  { rates = [1, 2, 4, 8] }: { readonly rates?: readonly number[] } = {},
): Value {
  if (outputs % rates.length !== 0) {
    refuse('channels do not divide into branches', { got: `${outputs} into ${rates.length}` })
  }
  const branches = rates.map((dilation, i) =>
    convolved(scope.child(i), x, outputs / rates.length, { kernel: 3, dilation }),
  )
  return concat(branches, 1)
}

function convolved(
  scope: Scope,
  x: Value,
  outputs: number,
  options: { readonly kernel: number; readonly dilation?: number },
): Value {
  const y = conv2d(scope.child('conv'), x, outputs, { ...options, bias: false })
  return relu(batchNorm2d(scope.child('norm'), y))
}

const widths3a = { one: 64, reduceThree: 96, three: 128, reduceFive: 16, five: 32, pool: 32 }
const weights3a = 192 * (64 + 96 + 16 + 32) + 9 * 96 * 128 + 25 * 16 * 32

export const inceptionBlock: Block = {
  name: 'inception',
  title: 'Inception module',
  examples: [
    {
      label: 'GoogLeNet’s 3a, 192 to 256 channels',
      input: [1, 192, 8, 8],
      build: (scope, x) => inception(scope, x, widths3a),
      cost: { params: weights3a + 2 * (64 + 96 + 128 + 16 + 32 + 32), macs: weights3a * 8 * 8 },
    },
    {
      label: 'dilated, 64 to 64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => dilatedInception(scope, x, 64),
      cost: { params: 9 * 64 * 64 + 2 * 64, macs: 9 * 64 * 64 * 16 * 16 },
    },
  ],
}
