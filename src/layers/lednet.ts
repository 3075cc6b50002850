// Blocks of LEDNet (Wang et al. 2019): its encoder's and its decoder.
import type { Value } from '../graph/graph.ts'
import { add, mul, reduceMean } from '../graph/ops/arithmetic.ts'
import { resize } from '../graph/ops/pool.ts'
import { concat, split } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { asymmetricConv, columnConv, rowConv } from './asymmetric.ts'
import { batchNorm2d, conv2d, residualGain } from './conv2d.ts'
import type { Block, Scope } from './scope.ts'
import { channelShuffle } from './shufflenet.ts'

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
 * Both halves have one dilation, d. Half the width is a quarter of the products, twice: 6 C² per pixel for
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

/**
 * Which reading of the paper: one channel and kernels in two lines, one channel and `full` kernels, or as
 * `wide` as the input.
 */
export type PyramidForm = 'factorised' | 'full' | 'wide'

interface Level {
  readonly length: number
  readonly stride?: number
  readonly outputs: number
}

/**
 * Attention pyramid network, APN: LEDNet's decoder (Wang et al. 2019, section 3.2). A pyramid of three
 * scales looks far around each pixel and weighs the projected features; the projected global mean is added.
 * Every convolution is followed by norm and ReLU; "up" is bilinear with matching corners.
 *
 * ```
 * x ─┬─ mean over the picture ─ 1x1 to D ─────────────────────────────────────────────── + ──
 *    ├─ 1x1 to D ──────────────────────────────────────────────────────────────────── · ─┘
 *    └─ 7x7, stride 2 ─┬─ 7x7 ─────────────────────────────────────────────── + ─ up ─┘
 *                      └─ 5x5, stride 2 ─┬─ 5x5 ───────────────────── + ─ up ─┘
 *                                        └─ 3x3, stride 2 ─ 3x3 ─ up ─┘
 * ```
 *
 * The paper says neither how wide the pyramid is nor that its kernels are factorised, and public code has
 * three forms:
 *
 * - `factorised` (the Efficient-Segmentation-Networks repository): one channel wide, so that all D channels
 *   share one map of weights; n x n as n x 1 and 1 x n.
 * - `full` (LEDNet's own repository, lednet.py): one channel wide, whole kernels.
 * - `wide` (there, lednet_1.py, as the paper's figure shows it): C channels going down; on each way out a 1x1
 *   to D instead of the 7x7, 5x5 and second 3x3, so that each channel has weights of its own.
 *
 * Parameters, from C to D channels: 2 C D + 6 D + P, with P = 7 C + 77 (factorised), 49 C + 135 (full),
 * 83 C² + 9 C + 3 C D + 9 D (wide). Multiply-adds: C D (H W + 1) + Q H W, with Q = 7 C / 2 + 451 / 64
 * (factorised), 49 C / 4 + 501 / 32 (full), 893 C² / 64 + 21 C D / 64 (wide), for H and W multiples of 8.
 *
 * @param x [N, C, H, W]
 * @param outputs D
 * @returns [N, outputs, H, W]
 */
export function attentionPyramid(
  scope: Scope,
  x: Value,
  outputs: number,
  form: PyramidForm = 'factorised',
): Value {
  const inputs = x.shape[1]!
  const level = form === 'factorised' ? inLines : convNormRelu
  const width = form === 'wide' ? inputs : 1
  const down = (name: string, value: Value, length: number) =>
    level(scope, name, value, { length, stride: 2, outputs: width })
  const out = (name: string, value: Value, length: number) =>
    level(scope, name, value, form === 'wide' ? { length: 1, outputs } : { length, outputs: 1 })
  const project = (name: string, value: Value) => convNormRelu(scope, name, value, { length: 1, outputs })

  const mean = project('branch1.1', reduceMean(x, [2, 3], { keep: true }))
  const middle = project('mid.0', x)
  const half = down('down1', x, 7)
  const quarter = down('down2', half, 5)
  const eighth = down('down3.0', quarter, 3)
  const fromEighth = upTo(quarter, out('down3.1', eighth, 3))
  const fromQuarter = upTo(half, add(out('conv2', quarter, 5), fromEighth))
  const attention = upTo(x, add(out('conv1', half, 7), fromQuarter))
  return add(mul(attention, middle), mean)
}

function upTo({ shape }: Value, value: Value): Value {
  return resize(value, shape.slice(2) as [number, number], 'bilinear-corners')
}

function convNormRelu(scope: Scope, name: string, x: Value, { length, stride = 1, outputs }: Level): Value {
  const sequence = scope.child(name).child('conv')
  const convolved = conv2d(sequence.child(0), x, outputs, { kernel: length, stride })
  return relu(batchNorm2d(sequence.child(1), convolved, { epsilon }))
}

/** n x 1, 1 x n, norm and ReLU; the checkpoint counts the four on through all levels of one sequence. */
function inLines(scope: Scope, name: string, x: Value, level: Level): Value {
  const [sequence, place = '0'] = name.split('.') as [string, string?]
  const inner = scope.child(sequence)
  const first = 4 * Number(place)
  const convolved = asymmetricConv(inner, x, { ...level, names: [first, first + 1] })
  return relu(batchNorm2d(inner.child(first + 2), convolved, { epsilon }))
}

const pyramidCost = (
  inputs: number,
  outputs: number,
  pixels: number,
  pyramid: { params: number; macs: number },
) => ({
  params: 2 * inputs * outputs + 6 * outputs + pyramid.params,
  macs: inputs * outputs * (pixels + 1) + pyramid.macs * pixels,
})

export const attentionPyramidBlock: Block = {
  name: 'attention-pyramid',
  title: 'Attention pyramid network',
  examples: [
    {
      label: '128 to 10 channels, factorised',
      input: [1, 128, 8, 8],
      build: (scope, x) => attentionPyramid(scope, x, 10),
      cost: pyramidCost(128, 10, 64, { params: 7 * 128 + 77, macs: (7 * 128) / 2 + 451 / 64 }),
    },
    {
      label: '128 to 10 channels, full kernels',
      input: [1, 128, 8, 8],
      build: (scope, x) => attentionPyramid(scope, x, 10, 'full'),
      cost: pyramidCost(128, 10, 64, { params: 49 * 128 + 135, macs: (49 * 128) / 4 + 501 / 32 }),
    },
    {
      label: '128 to 10 channels, wide',
      input: [1, 128, 8, 8],
      build: (scope, x) => attentionPyramid(scope, x, 10, 'wide'),
      cost: pyramidCost(128, 10, 64, {
        params: 83 * 128 ** 2 + 9 * 128 + 3 * 128 * 10 + 9 * 10,
        macs: (893 * 128 ** 2 + 21 * 128 * 10) / 64,
      }),
    },
  ],
}
