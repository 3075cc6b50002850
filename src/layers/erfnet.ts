// Blocks of ERFNet (Romera et al. 2017), which EDANet, ESNet and LEDNet share, and the blocks that ESNet (Wang et
// al. 2019) adds.
import type { Value } from '../graph/graph.ts'
import { add, addAll } from '../graph/ops/arithmetic.ts'
import { maxPool } from '../graph/ops/pool.ts'
import { concat } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { columnConv, rowConv } from './asymmetric.ts'
import { batchNorm2d, conv2d, convTranspose2d, residualGain } from './conv2d.ts'
import type { Block, Scope } from './scope.ts'

/** Options of `nonBottleneck1d`. */
export interface NonBottleneck1dOptions {
  /** Of the kernels: odd (default 3). */
  readonly length?: number
  /** Of the second pair of convolutions (default 1). */
  readonly dilation?: number
}

const epsilon = 1e-3

/**
 * Non-bottleneck-1D (Romera et al. 2017, ERFNet, section III-B): ResNet's block of two 3x3 convolutions with
 * each factorised into a column and a row.
 *
 * ```
 * x ── n x 1 ─ ReLU ─ 1 x n ─ norm ─ ReLU ── n x 1 dilated ─ ReLU ─ 1 x n dilated ─ norm ── + ─ ReLU
 * └──────────────────────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Parameters: 4 n C² + 8 C. Multiply-adds: 4 n C² H W. Without the reference's dropout.
 *
 * @param x [N, C, H, W]
 * @returns the same shape
 */
export function nonBottleneck1d(scope: Scope, x: Value, options: NonBottleneck1dOptions = {}): Value {
  const { length = 3, dilation = 1 } = options
  const column = (name: string, value: Value, rate = 1) =>
    columnConv(scope.child(name), value, { length, dilation: rate })
  const row = (name: string, value: Value, rate = 1) =>
    rowConv(scope.child(name), value, { length, dilation: rate })

  // The names say 3x1 in every checkpoint, whatever the length.
  let y = row('conv1x3_1', relu(column('conv3x1_1', x)))
  y = relu(batchNorm2d(scope.child('bn1'), y, { epsilon }))
  y = row('conv1x3_2', relu(column('conv3x1_2', y, dilation)), dilation)
  y = batchNorm2d(scope.child('bn2'), y, { epsilon, gain: residualGain })
  return relu(add(y, x))
}

export const nonBottleneck1dBlock: Block = {
  name: 'non-bottleneck-1d',
  title: 'Non-bottleneck-1D',
  examples: [
    {
      label: '128 channels, dilation 2',
      input: [1, 128, 8, 8],
      build: (scope, x) => nonBottleneck1d(scope, x, { dilation: 2 }),
      cost: { params: 12 * 128 ** 2 + 8 * 128, macs: 12 * 128 ** 2 * 8 * 8 },
    },
    {
      label: '64 channels, kernels of 5',
      input: [1, 64, 16, 16],
      build: (scope, x) => nonBottleneck1d(scope, x, { length: 5 }),
      cost: { params: 20 * 64 ** 2 + 8 * 64, macs: 20 * 64 ** 2 * 16 * 16 },
    },
  ],
}

/** Options of `downsampler`. */
export interface DownsamplerOptions {
  /** Of the norm (default 1e-3, ERFNet's; EDANet's is 1e-5). */
  readonly epsilon?: number
}

/**
 * Downsampler (Paszke et al. 2016, ENet's initial block; Romera et al. 2017, ERFNet, section III-C): a 3x3
 * convolution of stride 2 beside a 2x2 max pool, joined, normalised and rectified. The pool gives C channels
 * for nothing, the convolution makes the others.
 *
 * ```
 * x ─┬─ 3x3, stride 2, to D - C ─┬─ join ─ norm ─ ReLU
 *    └─ max pool 2x2 ────────────┘
 * ```
 *
 * Where no more channels are wanted than there are (EDANet's third: 260 to 130), the convolution makes all of
 * them and there is no pool (Lo et al. 2018, EDANet).
 *
 * Parameters, from C to D channels: 9 C (D - C) + 3 D - C where D > C, else 9 C D + 3 D. Multiply-adds:
 * 9 C (D - C) H W / 4, else 9 C D H W / 4.
 *
 * @param x [N, C, H, W], H and W even
 * @param outputs D
 * @returns [N, outputs, H / 2, W / 2]
 * @throws GraphError if pool and convolution meet at an odd size.
 */
export function downsampler(
  scope: Scope,
  x: Value,
  outputs: number,
  { epsilon = 1e-3 }: DownsamplerOptions = {},
): Value {
  const pools = outputs > x.shape[1]!
  const made = pools ? outputs - x.shape[1]! : outputs
  const convolved = conv2d(scope.child('conv'), x, made, { kernel: 3, stride: 2 })
  const joined = pools ? concat([convolved, maxPool(x, [2, 2]).value], 1) : convolved
  return relu(batchNorm2d(scope.child('bn'), joined, { epsilon }))
}

export const downsamplerBlock: Block = {
  name: 'downsampler',
  title: 'Downsampler',
  examples: [
    {
      label: '16 to 64 channels',
      input: [1, 16, 32, 32],
      build: (scope, x) => downsampler(scope, x, 64),
      cost: { params: 9 * 16 * 48 + 3 * 64 - 16, macs: (9 * 16 * 48 * 32 * 32) / 4 },
    },
    {
      label: '260 to 130 channels, without a pool',
      input: [1, 260, 16, 16],
      build: (scope, x) => downsampler(scope, x, 130, { epsilon: 1e-5 }),
      cost: { params: 9 * 260 * 130 + 3 * 130, macs: (9 * 260 * 130 * 16 * 16) / 4 },
    },
  ],
}

/**
 * Upsampler (Romera et al. 2017, ERFNet, section III-C; ESNet has the same): a 3x3 transposed convolution of
 * stride 2, norm and ReLU.
 *
 * Parameters, from C to D channels: 9 C D + 3 D. Multiply-adds: 9 C D h w at the input's h x w.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, 2 H, 2 W]
 */
export function upsampler(scope: Scope, x: Value, outputs: number): Value {
  const options = { kernel: 3, stride: 2, padding: 1, outputPadding: 1 }
  const made = convTranspose2d(scope.child('conv'), x, outputs, options)
  return relu(batchNorm2d(scope.child('bn'), made, { epsilon: 1e-3 }))
}

export const upsamplerBlock: Block = {
  name: 'upsampler',
  title: 'Upsampler',
  examples: [
    {
      label: '128 to 64 channels',
      input: [1, 128, 8, 8],
      build: (scope, x) => upsampler(scope, x, 64),
      cost: { params: 9 * 128 * 64 + 3 * 64, macs: 9 * 128 * 64 * 8 * 8 },
    },
  ],
}

/**
 * Factorised convolution unit, FCU (Wang et al. 2019, ESNet): ERFNet's non-bottleneck-1D with
 * the kernel's length K to choose. ESNet takes K = 3 at half of the picture's size and 5 at a quarter: long
 * kernels reach far where a dilated one would leave holes.
 *
 * ```
 * x ── K x 1 ─ ReLU ─ 1 x K ─ norm ─ ReLU ── K x 1 ─ ReLU ─ 1 x K ─ norm ── + ─ ReLU
 * └──────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Parameters: 4 K C² + 8 C. Multiply-adds: 4 K C² H W. Without the reference's dropout.
 *
 * @param x [N, C, H, W]
 * @param length K, odd
 * @returns the same shape
 */
export function fcu(scope: Scope, x: Value, length: number): Value {
  return nonBottleneck1d(scope, x, { length })
}

export const fcuBlock: Block = {
  name: 'fcu',
  title: 'Factorised convolution unit',
  examples: [
    {
      label: '16 channels, kernels of 3',
      input: [1, 16, 32, 32],
      build: (scope, x) => fcu(scope, x, 3),
      cost: { params: 12 * 16 ** 2 + 8 * 16, macs: 12 * 16 ** 2 * 32 * 32 },
    },
    {
      label: '64 channels, kernels of 5',
      input: [1, 64, 16, 16],
      build: (scope, x) => fcu(scope, x, 5),
      cost: { params: 20 * 64 ** 2 + 8 * 64, macs: 20 * 64 ** 2 * 16 * 16 },
    },
  ],
}

const pfcuDilations = [2, 5, 9] as const

/**
 * Parallel factorised convolution unit, PFCU (Wang et al. 2019, ESNet): one factorised 3x3, then
 * three more side by side that see at dilations of 2, 5 and 9, all added to the input.
 *
 * ```
 *                                       ┌─ 3x1 d2 ─ ReLU ─ 1x3 d2 ─ norm ─┐
 * x ── 3x1 ─ ReLU ─ 1x3 ─ norm ─ ReLU ──┼─ 3x1 d5 ─ ReLU ─ 1x3 d5 ─ norm ─┼── + ─ ReLU
 * │                                     └─ 3x1 d9 ─ ReLU ─ 1x3 d9 ─ norm ─┘   │
 * └───────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * The three norms are one: the published code applies a single `bn2` to all branches (the paper's figure
 * draws one each, 4 C parameters more). In training each application takes the statistics of its own branch,
 * and the running ones are updated three times, in this order.
 *
 * Parameters: 24 C² + 12 C. Multiply-adds: 24 C² H W. Without the reference's dropout.
 *
 * @param x [N, C, H, W]
 * @returns the same shape
 */
export function pfcu(scope: Scope, x: Value): Value {
  const column = (name: string, value: Value, dilation = 1) =>
    columnConv(scope.child(name), value, { length: 3, dilation })
  const row = (name: string, value: Value, dilation = 1) =>
    rowConv(scope.child(name), value, { length: 3, dilation })

  const first = row('conv1x3_1', relu(column('conv3x1_1', x)))
  const shared = relu(batchNorm2d(scope.child('bn1'), first, { epsilon }))
  const branches = pfcuDilations.map((d) => {
    const y = row(`conv1x3_2${d}`, relu(column(`conv3x1_2${d}`, shared, d)), d)
    return batchNorm2d(scope.child('bn2'), y, { epsilon, gain: residualGain })
  })
  return relu(addAll([x, ...branches]))
}

export const pfcuBlock: Block = {
  name: 'pfcu',
  title: 'Parallel factorised convolution unit',
  examples: [
    {
      label: '128 channels',
      input: [1, 128, 8, 8],
      build: (scope, x) => pfcu(scope, x),
      cost: { params: 24 * 128 ** 2 + 12 * 128, macs: 24 * 128 ** 2 * 8 * 8 },
    },
  ],
}
