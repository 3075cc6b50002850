import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { concat, split } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { columnConv, rowConv } from './asymmetric.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { channelShuffle } from './channel-shuffle.ts'
import { residualGain } from './residual-gain.ts'
import type { Scope } from './scope.ts'

const epsilon = 1e-3

/**
 * Split-shuffle non-bottleneck, SS-nbt (Wang et al. 2019, LEDNet, figure 2): the channels are split in two
 * halves. One goes through ERFNet's four factorised convolutions, the other through the same with rows before
 * columns. Joined, added to the input, and shuffled, so that the next block's halves hold channels of both.
 *
 * ```
 * x ─┬─ left half ── 3x1 ─ ReLU ─ 1x3 ─ norm ─ ReLU ─ 3x1 d ─ ReLU ─ 1x3 d ─ norm ─┬─ join ─ + ─ ReLU ─ shuffle
 *    ├─ right half ─ 1x3 ─ ReLU ─ 3x1 ─ norm ─ ReLU ─ 1x3 d ─ ReLU ─ 3x1 d ─ norm ─┘         │
 *    └───────────────────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Both halves have one dilation, d. Half the width is a quarter of the products, twice: 6 C² a pixel for
 * non-bottleneck-1D's 12 C².
 *
 * Parameters: 6 C² + 8 C. Multiply-adds: 6 C² H W. Without the reference's dropout.
 *
 * @param x [N, C, H, W], C even
 * @returns the same shape
 * @throws GraphError if C is odd.
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

export const ssNbtBlock: Block = {
  name: 'ss-nbt',
  title: 'Split-shuffle non-bottleneck',
  file: 'ss-nbt.ts',
  usedBy: ['lednet', 'lednet-official', 'lednet-figure'],
  examples: [
    {
      label: '32 channels, dilation 1',
      input: [1, 32, 32, 32],
      build: (scope, x) => ssNbt(scope, x, { dilation: 1 }),
      cost: { params: 6 * 32 ** 2 + 8 * 32, macs: 6 * 32 ** 2 * 32 * 32 },
    },
    {
      label: '128 channels, dilation 5',
      input: [1, 128, 8, 8],
      build: (scope, x) => ssNbt(scope, x, { dilation: 5 }),
      cost: { params: 6 * 128 ** 2 + 8 * 128, macs: 6 * 128 ** 2 * 8 * 8 },
    },
  ],
}
