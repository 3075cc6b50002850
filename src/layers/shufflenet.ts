// Channel shuffle, and the units of ShuffleNet V1 (Zhang et al. 2018) and V2 (Ma et al. 2018).
import type { Value } from '../graph/graph.ts'
import { refuse } from '../graph/op.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { averagePool } from '../graph/ops/pool.ts'
import { concat, reshape, split, transpose } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d, depthwise, pointwise, residualGain } from './conv2d.ts'
import type { Block, Scope } from './scope.ts'

/**
 * Channel shuffle (Zhang et al. 2018, ShuffleNet, section 3.1): the channels, read as `groups` rows, are
 * written column by column, so that what follows sees channels of every group.
 *
 * ```
 * a1 a2 a3 a4
 * b1 b2 b3 b4   to   a1 b1 a2 b2 a3 b3 a4 b4
 * ```
 *
 * Parameters: 0. Multiply-adds: 0. It moves all C H W numbers through memory, though.
 *
 * @param x [N, C, H, W], C a multiple of `groups`
 * @returns the same shape
 * @throws GraphError if C is not.
 */
export function channelShuffle(x: Value, groups: number): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  if (c % groups !== 0) refuse('channels do not divide into groups', { got: `${c} into ${groups}` })
  const rows = reshape(x, [n, groups, c / groups, h, w])
  return reshape(transpose(rows, [0, 2, 1, 3, 4]), [n, c, h, w])
}

export const channelShuffleBlock: Block = {
  name: 'channel-shuffle',
  title: 'Channel shuffle',
  examples: [
    {
      label: '128 channels in 2 groups',
      input: [1, 128, 8, 8],
      build: (_scope, x) => channelShuffle(x, 2),
      cost: { params: 0, macs: 0 },
    },
  ],
}

/** Options of `shuffleUnitV1`. */
export interface ShuffleUnitV1Options {
  /** g, of both 1x1 convolutions. */
  readonly groups: number
  /** D, more than C: asks for the unit of stride 2. Without it, stride 1 and D = C. */
  readonly outputs?: number
}

/**
 * Shuffle unit of ShuffleNet V1 (Zhang et al. 2018, section 3.2): a residual bottleneck whose 1x1 convolutions
 * are grouped. What a group gives the next would hand to the same group, so channels are shuffled in between.
 *
 * ```
 * stride 1
 * x ── 1 x 1, g ─ norm ─ ReLU ─ shuffle ── depthwise 3 x 3 ─ norm ── 1 x 1, g ─ norm ── + ─ ReLU
 * └─────────────────────────────────────────────────────────────────────────────────────┘
 * stride 2
 * x ── 1 x 1, g ─ norm ─ ReLU ─ shuffle ── depthwise 3 x 3, s 2 ─ norm ── 1 x 1, g ─ norm ── concat ─ ReLU
 * └─────────────────────────────── mean of 3 x 3, stride 2 ──────────────────────────────────────┘
 * ```
 *
 * Inside are M = D / 4 channels. At stride 2 the last convolution makes the D - C channels that the mean does
 * not bring. In its first unit the reference leaves the first convolution ungrouped, since it has few inputs.
 *
 * Parameters at stride 1: 2 C M / g + 13 M + 2 C; at stride 2: C M / g + M (D - C) / g + 13 M + 2 (D - C).
 * Multiply-adds at stride 1: (2 C M / g + 9 M) H W; at stride 2, giving h x w:
 * (C M / g) H W + (9 M + M (D - C) / g) h w.
 *
 * @param x [N, C, H, W]
 * @returns the same shape; at stride 2 [N, D, ceil(H / 2), ceil(W / 2)]
 * @throws GraphError if C, M or D - C does not divide into the groups.
 */
export function shuffleUnitV1(scope: Scope, x: Value, { groups, outputs }: ShuffleUnitV1Options): Value {
  const channels = x.shape[1]!
  const halves = outputs !== undefined
  const made = halves ? outputs - channels : channels
  const inner = (outputs ?? channels) / 4
  if (made < 1 || [channels, inner, made].some((count) => count % groups !== 0)) {
    refuse('a shuffle unit’s channels do not divide into its groups', {
      got: `${channels} to ${inner} to ${made} channels in ${groups} groups`,
      expected: 'three multiples of the groups, the middle one a quarter of the result',
    })
  }
  let y = pointwise(scope.child('reduce'), x, inner, { groups })
  y = channelShuffle(relu(batchNorm2d(scope.child('norm1'), y)), groups)
  y = depthwise(scope.child('depthwise'), y, { kernel: 3, stride: halves ? 2 : 1 })
  y = batchNorm2d(scope.child('norm2'), y)
  y = pointwise(scope.child('expand'), y, made, { groups })
  y = batchNorm2d(scope.child('norm3'), y, { gain: halves ? 1 : residualGain })
  if (!halves) return relu(add(y, x))
  return relu(concat([averagePool(x, [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }), y], 1))
}

export const shuffleUnitV1Block: Block = {
  name: 'shuffle-unit-v1',
  title: 'Shuffle unit, ShuffleNet V1',
  examples: [
    {
      label: 'stride 1, 240 channels, 3 groups',
      input: [1, 240, 8, 8],
      build: (scope, x) => shuffleUnitV1(scope, x, { groups: 3 }),
      cost: {
        params: (2 * 240 * 60) / 3 + 13 * 60 + 2 * 240,
        macs: ((2 * 240 * 60) / 3 + 9 * 60) * 8 * 8,
      },
    },
    {
      label: 'stride 2, 240 to 480 channels, 3 groups',
      input: [1, 240, 16, 16],
      build: (scope, x) => shuffleUnitV1(scope, x, { groups: 3, outputs: 480 }),
      cost: {
        params: (240 * 120) / 3 + (120 * 240) / 3 + 13 * 120 + 2 * 240,
        macs: ((240 * 120) / 3) * 16 * 16 + (9 * 120 + (120 * 240) / 3) * 8 * 8,
      },
    },
  ],
}

/**
 * Shuffle unit of ShuffleNet V2 (Ma et al. 2018, section 3.2): grouped convolutions and sums cost more time
 * than their products say, so the channels are split once, one half passes untouched, and the shuffle comes at
 * the end.
 *
 * ```
 * stride 1
 *             ┌──────────────────────────────────────────────────────────────────────┐
 * x ── split ─┤                                                                      ├─ concat ─ shuffle
 *             └─ 1 x 1 ─ norm ─ ReLU ─ depthwise 3 x 3 ─ norm ─ 1 x 1 ─ norm ─ ReLU ─┘
 * stride 2
 *    ┌──────────────────────── depthwise 3 x 3, s 2 ─ norm ─ 1 x 1 ─ norm ─ ReLU ─┐
 * x ─┤                                                                            ├─ concat ─ shuffle
 *    └─ 1 x 1 ─ norm ─ ReLU ─ depthwise 3 x 3, s 2 ─ norm ─ 1 x 1 ─ norm ─ ReLU ─┘
 * ```
 *
 * Each half of the result has M = D / 2 channels. Parameters at stride 1, where D = C: 2 M² + 15 M; at stride
 * 2: 2 C M + M² + 11 C + 17 M. Multiply-adds at stride 1: (2 M² + 9 M) H W; at stride 2, giving h x w:
 * C M H W + (C M + M² + 9 C + 9 M) h w.
 *
 * Parameters are named as in torchvision: `branch1.0` to `branch1.3`, `branch2.0` to `branch2.6`.
 *
 * @param x [N, C, H, W]
 * @param options `outputs` D: asks for the unit of stride 2. Without it, stride 1 and D = C.
 * @returns the same shape; at stride 2 [N, D, ceil(H / 2), ceil(W / 2)]
 * @throws GraphError if D is odd.
 */
export function shuffleUnitV2(
  scope: Scope,
  x: Value,
  { outputs }: { readonly outputs?: number } = {},
): Value {
  const halves = outputs !== undefined
  const half = (outputs ?? x.shape[1]!) / 2
  if (!Number.isInteger(half)) {
    refuse('a shuffle unit’s channels do not divide into halves', { got: String(2 * half) })
  }
  const [left, right] = halves ? [x, x] : (split(x, 1, [half, half]) as [Value, Value])
  const branch1 = scope.child('branch1')
  const branch2 = scope.child('branch2')

  const untouched = halves ? project(branch1, 2, spread(branch1, 0, left, 2), half) : left
  const mixed = project(branch2, 0, right, half)
  const made = project(branch2, 5, spread(branch2, 3, mixed, halves ? 2 : 1), half)
  return channelShuffle(concat([untouched, made], 1), 2)
}

/** 1x1, norm and ReLU, which stand in the checkpoint's sequence from `first`. */
function project(scope: Scope, first: number, x: Value, outputs: number): Value {
  return relu(batchNorm2d(scope.child(first + 1), pointwise(scope.child(first), x, outputs)))
}

function spread(scope: Scope, first: number, x: Value, stride: number): Value {
  return batchNorm2d(scope.child(first + 1), depthwise(scope.child(first), x, { kernel: 3, stride }))
}

export const shuffleUnitV2Block: Block = {
  name: 'shuffle-unit-v2',
  title: 'Shuffle unit, ShuffleNet V2',
  examples: [
    {
      label: 'stride 1, 116 channels',
      input: [1, 116, 8, 8],
      build: (scope, x) => shuffleUnitV2(scope, x),
      cost: { params: 2 * 58 ** 2 + 15 * 58, macs: (2 * 58 ** 2 + 9 * 58) * 8 * 8 },
    },
    {
      label: 'stride 2, 24 to 116 channels',
      input: [1, 24, 16, 16],
      build: (scope, x) => shuffleUnitV2(scope, x, { outputs: 116 }),
      cost: {
        params: 2 * 24 * 58 + 58 ** 2 + 11 * 24 + 17 * 58,
        macs: 24 * 58 * 16 * 16 + (24 * 58 + 58 ** 2 + 9 * 24 + 9 * 58) * 8 * 8,
      },
    },
  ],
}
