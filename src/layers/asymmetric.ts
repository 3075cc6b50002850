import type { Value } from '../graph/graph.ts'
import { conv2d } from './conv2d.ts'
import type { Scope } from './scope.ts'

/** Asymmetric convolution: n x 1 and 1 x n in place of n x n, 2n products a pixel instead of n². */

export interface LineConvOptions {
  /** Length of the kernel: odd. */
  readonly length: number
  readonly stride?: number
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
