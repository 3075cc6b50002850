import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { relu } from '../graph/ops/unary.ts'
import { columnConv, rowConv } from './asymmetric.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { residualGain } from './residual-gain.ts'
import type { Scope } from './scope.ts'

export interface NonBottleneck1dOptions {
  /** Of the kernels: odd (default 3). */
  readonly length?: number
  /** Of the second pair of convolutions (default 1). */
  readonly dilation?: number
}

const epsilon = 1e-3

/**
 * Non-bottleneck-1D (Romera et al. 2017, ERFNet, section III-B): ResNet's block of two 3x3 convolutions with
 * each factorised into a column and a row.
 *
 * ```
 * x ── n x 1 ─ ReLU ─ 1 x n ─ norm ─ ReLU ── n x 1 dilated ─ ReLU ─ 1 x n dilated ─ norm ── + ─ ReLU
 * └──────────────────────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Parameters: 4 n C² + 8 C. Multiply-adds: 4 n C² H W. Without the reference's dropout.
 *
 * @param x [N, C, H, W]
 * @returns the same shape
 */
export function nonBottleneck1d(scope: Scope, x: Value, options: NonBottleneck1dOptions = {}): Value {
  const { length = 3, dilation = 1 } = options
  const column = (name: string, value: Value, rate = 1) =>
    columnConv(scope.child(name), value, { length, dilation: rate })
  const row = (name: string, value: Value, rate = 1) =>
    rowConv(scope.child(name), value, { length, dilation: rate })

  // The names say 3x1 in every checkpoint, whatever the length.
  let y = row('conv1x3_1', relu(column('conv3x1_1', x)))
  y = relu(batchNorm2d(scope.child('bn1'), y, { epsilon }))
  y = row('conv1x3_2', relu(column('conv3x1_2', y, dilation)), dilation)
  y = batchNorm2d(scope.child('bn2'), y, { epsilon, gain: residualGain })
  return relu(add(y, x))
}

export const nonBottleneck1dBlock: Block = {
  name: 'non-bottleneck-1d',
  title: 'Non-bottleneck-1D',
  file: 'non-bottleneck-1d.ts',
  usedBy: ['erfnet', 'esnet', 'edanet-erfdec'],
  examples: [
    {
      label: '128 channels, dilation 2',
      input: [1, 128, 8, 8],
      build: (scope, x) => nonBottleneck1d(scope, x, { dilation: 2 }),
      cost: { params: 12 * 128 ** 2 + 8 * 128, macs: 12 * 128 ** 2 * 8 * 8 },
    },
    {
      label: '64 channels, kernels of 5',
      input: [1, 64, 16, 16],
      build: (scope, x) => nonBottleneck1d(scope, x, { length: 5 }),
      cost: { params: 20 * 64 ** 2 + 8 * 64, macs: 20 * 64 ** 2 * 16 * 16 },
    },
  ],
}
