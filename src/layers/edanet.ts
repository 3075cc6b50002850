// The block of EDANet (Lo et al. 2018).

import type { Value } from '../graph/graph.ts'
import { concat } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { asymmetricConv } from './asymmetric.ts'
import type { Block } from './block.ts'
import { conv2d } from './conv2d.ts'
import { batchNorm2d } from './norm.ts'
import type { Scope } from './scope.ts'

/** Options of `edaModule`. */
export interface EdaModuleOptions {
  /** Of the second pair of convolutions. */
  readonly dilation: number
  /** k, the channels that the module adds (default 40, as published). */
  readonly growth?: number
}

/**
 * EDA module (Lo et al. 2018, EDANet): efficient dense module of asymmetric convolution. A 1x1
 * convolution squeezes all that came before to k channels, two asymmetric convolutions work on those, and
 * what they make stands in front of the input. So each module reads the results of all before it, as in
 * DenseNet, and a row of modules costs little: only the 1x1 grows.
 *
 * ```
 * x ── 1x1 to k ─ norm ─ ReLU ── 3x1 ─ 1x3 ─ norm ─ ReLU ── 3x1 dilated ─ 1x3 dilated ─ norm ─ ReLU ── join
 * └────────────────────────────────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Parameters: C k + 12 k² + 11 k. Multiply-adds: (C k + 12 k²) H W. Without the reference's dropout.
 *
 * @param x [N, C, H, W]
 * @returns [N, k + C, H, W], the new channels first
 */
export function edaModule(scope: Scope, x: Value, { dilation, growth = 40 }: EdaModuleOptions): Value {
  let y = conv2d(scope.child('conv1x1'), x, growth, { kernel: 1 })
  y = relu(batchNorm2d(scope.child('bn0'), y))
  y = asymmetricConv(scope, y, { length: 3, names: ['conv3x1_1', 'conv1x3_1'] })
  y = relu(batchNorm2d(scope.child('bn1'), y))
  y = asymmetricConv(scope, y, { length: 3, dilation, names: ['conv3x1_2', 'conv1x3_2'] })
  y = relu(batchNorm2d(scope.child('bn2'), y))
  return concat([y, x], 1)
}

export const edaModuleBlock: Block = {
  name: 'eda-module',
  title: 'EDA module',
  examples: [
    {
      label: '60 channels, dilation 1',
      input: [1, 60, 16, 16],
      build: (scope, x) => edaModule(scope, x, { dilation: 1 }),
      cost: { params: 60 * 40 + 12 * 40 ** 2 + 11 * 40, macs: (60 * 40 + 12 * 40 ** 2) * 16 * 16 },
    },
    {
      label: '410 channels, dilation 4',
      input: [1, 410, 8, 8],
      build: (scope, x) => edaModule(scope, x, { dilation: 4 }),
      cost: { params: 410 * 40 + 12 * 40 ** 2 + 11 * 40, macs: (410 * 40 + 12 * 40 ** 2) * 8 * 8 },
    },
  ],
}
