import type { Value } from '../graph/graph.ts'
import { batchNorm2d } from './batch-norm.ts'
import { type Conv2dOptions, conv2d } from './conv2d.ts'
import type { Scope } from './scope.ts'

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
