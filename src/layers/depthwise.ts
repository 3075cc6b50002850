import type { Value } from '../graph/graph.ts'
import { type Conv2dOptions, conv2d } from './conv2d.ts'
import type { Scope } from './scope.ts'

/**
 * Depthwise convolution: every channel has a kernel of its own and sees no other channel. Without a bias
 * unless one is asked for, since a norm follows in most blocks.
 *
 * @param x [N, C, H, W]
 * @returns [N, C, H', W']
 */
export function depthwise(scope: Scope, x: Value, options: Omit<Conv2dOptions, 'groups'>): Value {
  const channels = x.shape[1]!
  return conv2d(scope, x, channels, { bias: false, ...options, groups: channels })
}

/** Convolution of one pixel, 1x1, without a bias unless one is asked for: [N, C, H, W] to [N, outputs, H, W]. */
export function pointwise(scope: Scope, x: Value, outputs: number, { bias = false, groups = 1 } = {}): Value {
  return conv2d(scope, x, outputs, { kernel: 1, bias, groups })
}
