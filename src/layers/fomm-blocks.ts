import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { averagePool } from '../graph/ops/pool.ts'
import { resize } from '../graph/ops/resize.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import { conv2d } from './conv2d.ts'
import type { Scope } from './scope.ts'

/** The four blocks that the First Order Motion Model is made of (Siarohin et al. 2019, appendix A). */

/** Convolution, norm, ReLU at one resolution: [N, C, H, W] to [N, outputs, H, W]. */
export function sameBlock(scope: Scope, x: Value, outputs: number, { kernel = 3 } = {}): Value {
  return relu(batchNorm2d(scope.child('norm'), conv2d(scope.child('conv'), x, outputs, { kernel })))
}

/** sameBlock, then the mean of each 2x2 window: [N, C, H, W] to [N, outputs, H / 2, W / 2]. */
export function downBlock(scope: Scope, x: Value, outputs: number): Value {
  return averagePool(sameBlock(scope, x, outputs), [2, 2])
}

/** Nearest neighbour to twice the size, then sameBlock: [N, C, H, W] to [N, outputs, 2 H, 2 W]. */
export function upBlock(scope: Scope, x: Value, outputs: number): Value {
  const [h, w] = x.shape.slice(2) as [number, number]
  return sameBlock(scope, resize(x, [2 * h, 2 * w], 'nearest'), outputs)
}

/** Residual block with norms first (He et al. 2016): twice norm, ReLU, 3x3, added to the input. */
export function residualBlock(scope: Scope, x: Value): Value {
  const channels = x.shape[1]!
  let y = relu(batchNorm2d(scope.child('norm1'), x))
  y = conv2d(scope.child('conv1'), y, channels, { kernel: 3 })
  y = relu(batchNorm2d(scope.child('norm2'), y))
  return add(conv2d(scope.child('conv2'), y, channels, { kernel: 3 }), x)
}
