// Blocks of ESNet (Wang et al. 2019).

import type { Value } from '../graph/graph.ts'
import { addAll } from '../graph/ops/arithmetic.ts'
import { relu } from '../graph/ops/unary.ts'
import { columnConv, rowConv } from './asymmetric.ts'
import type { Block } from './block.ts'
import { nonBottleneck1d } from './erfnet.ts'
import { batchNorm2d, residualGain } from './norm.ts'
import type { Scope } from './scope.ts'

/**
 * Factorised convolution unit, FCU (Wang et al. 2019, ESNet): ERFNet's non-bottleneck-1D with
 * the kernel's length K to choose. ESNet takes K = 3 at half of the picture's size and 5 at a quarter: long
 * kernels reach far where a dilated one would leave holes.
 *
 * ```
 * x ── K x 1 ─ ReLU ─ 1 x K ─ norm ─ ReLU ── K x 1 ─ ReLU ─ 1 x K ─ norm ── + ─ ReLU
 * └──────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Parameters: 4 K C² + 8 C. Multiply-adds: 4 K C² H W. Without the reference's dropout.
 *
 * @param x [N, C, H, W]
 * @param length K, odd
 * @returns the same shape
 */
export function fcu(scope: Scope, x: Value, length: number): Value {
  return nonBottleneck1d(scope, x, { length })
}

export const fcuBlock: Block = {
  name: 'fcu',
  title: 'Factorised convolution unit',
  examples: [
    {
      label: '16 channels, kernels of 3',
      input: [1, 16, 32, 32],
      build: (scope, x) => fcu(scope, x, 3),
      cost: { params: 12 * 16 ** 2 + 8 * 16, macs: 12 * 16 ** 2 * 32 * 32 },
    },
    {
      label: '64 channels, kernels of 5',
      input: [1, 64, 16, 16],
      build: (scope, x) => fcu(scope, x, 5),
      cost: { params: 20 * 64 ** 2 + 8 * 64, macs: 20 * 64 ** 2 * 16 * 16 },
    },
  ],
}

const epsilon = 1e-3
const pfcuDilations = [2, 5, 9] as const

/**
 * Parallel factorised convolution unit, PFCU (Wang et al. 2019, ESNet): one factorised 3x3, then
 * three more side by side that see at dilations of 2, 5 and 9, all added to the input.
 *
 * ```
 *                                       ┌─ 3x1 d2 ─ ReLU ─ 1x3 d2 ─ norm ─┐
 * x ── 3x1 ─ ReLU ─ 1x3 ─ norm ─ ReLU ──┼─ 3x1 d5 ─ ReLU ─ 1x3 d5 ─ norm ─┼── + ─ ReLU
 * │                                     └─ 3x1 d9 ─ ReLU ─ 1x3 d9 ─ norm ─┘   │
 * └───────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * The three norms are one: the published code applies a single `bn2` to all branches (the paper's figure
 * draws one each, 4 C parameters more). In training each application takes the statistics of its own branch,
 * and the running ones are updated three times, in this order.
 *
 * Parameters: 24 C² + 12 C. Multiply-adds: 24 C² H W. Without the reference's dropout.
 *
 * @param x [N, C, H, W]
 * @returns the same shape
 */
export function pfcu(scope: Scope, x: Value): Value {
  const column = (name: string, value: Value, dilation = 1) =>
    columnConv(scope.child(name), value, { length: 3, dilation })
  const row = (name: string, value: Value, dilation = 1) =>
    rowConv(scope.child(name), value, { length: 3, dilation })

  const first = row('conv1x3_1', relu(column('conv3x1_1', x)))
  const shared = relu(batchNorm2d(scope.child('bn1'), first, { epsilon }))
  const branches = pfcuDilations.map((d) => {
    const y = row(`conv1x3_2${d}`, relu(column(`conv3x1_2${d}`, shared, d)), d)
    return batchNorm2d(scope.child('bn2'), y, { epsilon, gain: residualGain })
  })
  return relu(addAll([x, ...branches]))
}

export const pfcuBlock: Block = {
  name: 'pfcu',
  title: 'Parallel factorised convolution unit',
  examples: [
    {
      label: '128 channels',
      input: [1, 128, 8, 8],
      build: (scope, x) => pfcu(scope, x),
      cost: { params: 24 * 128 ** 2 + 12 * 128, macs: 24 * 128 ** 2 * 8 * 8 },
    },
  ],
}
