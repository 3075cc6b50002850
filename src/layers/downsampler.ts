import type { Value } from '../graph/graph.ts'
import { maxPool } from '../graph/ops/pool.ts'
import { concat } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import { conv2d } from './conv2d.ts'
import type { Scope } from './scope.ts'

/**
 * Downsampler (Paszke et al. 2016, ENet's initial block; Romera et al. 2017, ERFNet): a 3x3 convolution of
 * stride 2 beside a 2x2 max pool, joined, normalised and rectified.
 *
 * @param x [N, C, H, W], H and W even
 * @param outputs more than C: the convolution makes what the pool does not
 * @returns [N, outputs, H / 2, W / 2]
 */
export function downsampler(scope: Scope, x: Value, outputs: number): Value {
  const convolved = conv2d(scope.child('conv'), x, outputs - x.shape[1]!, { kernel: 3, stride: 2 })
  const pooled = maxPool(x, [2, 2]).value
  return relu(batchNorm2d(scope.child('bn'), concat([convolved, pooled], 1), { epsilon: 1e-3 }))
}
