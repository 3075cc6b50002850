import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { concat, split } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { columnConv, rowConv } from './asymmetric.ts'
import { batchNorm2d } from './batch-norm.ts'
import { channelShuffle } from './channel-shuffle.ts'
import { residualGain } from './residual-gain.ts'
import type { Scope } from './scope.ts'

const epsilon = 1e-3

/**
 * Split-shuffle non-bottleneck, SS-nbt (Wang et al. 2019, LEDNet, figure 2): half of the channels go through
 * 3x1, 1x3 and again dilated, the other half through the same in swapped order; joined, added to the input,
 * and shuffled. Both halves have one dilation. Without the reference's dropout.
 *
 * @param x [N, C, H, W], C even
 * @returns the same shape
 */
export function ssNbt(scope: Scope, x: Value, { dilation }: { dilation: number }): Value {
  const half = x.shape[1]! / 2
  const [left, right] = split(x, 1, [half, half]) as [Value, Value]
  const column = (name: string, value: Value, rate = 1) =>
    columnConv(scope.child(name), value, { length: 3, dilation: rate })
  const row = (name: string, value: Value, rate = 1) =>
    rowConv(scope.child(name), value, { length: 3, dilation: rate })
  const norm = (name: string, value: Value, gain = 1) =>
    batchNorm2d(scope.child(name), value, { epsilon, gain })

  let a = relu(norm('bn1_l', row('conv1x3_1_l', relu(column('conv3x1_1_l', left)))))
  a = norm('bn2_l', row('conv1x3_2_l', relu(column('conv3x1_2_l', a, dilation)), dilation), residualGain)
  let b = relu(norm('bn1_r', column('conv3x1_1_r', relu(row('conv1x3_1_r', right)))))
  b = norm('bn2_r', column('conv3x1_2_r', relu(row('conv1x3_2_r', b, dilation)), dilation), residualGain)
  return channelShuffle(relu(add(x, concat([a, b], 1))), 2)
}
