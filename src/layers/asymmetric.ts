// Convolutions along one axis, and the pair of them that stands for a square kernel.

import type { Value } from '../graph/graph.ts'
import type { Block } from './block.ts'
import { conv2d } from './conv2d.ts'
import type { Scope } from './scope.ts'

/** Options of `columnConv` and `rowConv`. */
export interface LineConvOptions {
  /** Length of the kernel: odd. */
  readonly length: number
  /** Step along the line (default 1). */
  readonly stride?: number
  /** Distance between the elements of the kernel (default 1). */
  readonly dilation?: number
  /** Channels of the result (default: as many as there are). */
  readonly outputs?: number
}

/** Convolution along columns, length x 1: stride and dilation act on the height only. [N, C, H, W]. */
export function columnConv(scope: Scope, x: Value, options: LineConvOptions): Value {
  const { length, stride = 1, dilation = 1, outputs = x.shape[1]! } = options
  return conv2d(scope, x, outputs, { kernel: [length, 1], stride: [stride, 1], dilation: [dilation, 1] })
}

/** Convolution along rows, 1 x length: stride and dilation act on the width only. [N, C, H, W]. */
export function rowConv(scope: Scope, x: Value, options: LineConvOptions): Value {
  const { length, stride = 1, dilation = 1, outputs = x.shape[1]! } = options
  return conv2d(scope, x, outputs, { kernel: [1, length], stride: [1, stride], dilation: [1, dilation] })
}

/** Options of `asymmetricConv`. */
export interface AsymmetricConvOptions extends LineConvOptions {
  /** Of the two in checkpoints (default: column, row). */
  readonly names?: readonly [string | number, string | number]
}

/**
 * Asymmetric convolution (Szegedy et al. 2016, Inception-v3, section 3.2; Jin et al. 2015, Flattened
 * Networks): a square kernel of n x n as a column of n x 1, then a row of 1 x n. Two lines have 2 n weights
 * for the square's n², so a third less at n = 3 and five sevenths less at n = 7, and see the same pixels. The
 * price is that everything passes through the D channels between the two.
 *
 * ```
 * x ── n x 1 ── 1 x n ──
 * ```
 *
 * ERFNet's and LEDNet's blocks put a ReLU between the two, which makes of the pair a deeper network than the
 * square; EDANet's, ENet's and the attention pyramid's have none there.
 *
 * Parameters, from C to D channels: n C D + n D² + 2 D; 2 n C² + 2 C at one width. Multiply-adds at stride 1:
 * (n C D + n D²) H W; 2 n C² H W at one width. At stride 2 the column's result is H / 2 x W and the row's
 * H / 2 x W / 2: (n C D / 2 + n D² / 4) H W.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, H / stride, W / stride], rounded up
 */
export function asymmetricConv(scope: Scope, x: Value, options: AsymmetricConvOptions): Value {
  const { names = ['column', 'row'], outputs = x.shape[1]!, ...line } = options
  const column = columnConv(scope.child(names[0]), x, { ...line, outputs })
  return rowConv(scope.child(names[1]), column, line)
}

export const asymmetricConvBlock: Block = {
  name: 'asymmetric-convolution',
  title: 'Asymmetric convolution',
  examples: [
    {
      label: '64 channels, kernels of 3',
      input: [1, 64, 16, 16],
      build: (scope, x) => asymmetricConv(scope, x, { length: 3 }),
      cost: { params: 6 * 64 ** 2 + 2 * 64, macs: 6 * 64 ** 2 * 16 * 16 },
    },
    {
      label: '128 channels to 1, kernels of 7, stride 2',
      input: [1, 128, 8, 8],
      build: (scope, x) => asymmetricConv(scope, x, { length: 7, stride: 2, outputs: 1 }),
      cost: { params: 7 * 128 + 7 + 2, macs: ((7 * 128) / 2 + 7 / 4) * 8 * 8 },
    },
  ],
}
