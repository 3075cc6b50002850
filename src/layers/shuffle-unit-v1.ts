import type { Value } from '../graph/graph.ts'
import { refuse } from '../graph/op.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { averagePool } from '../graph/ops/pool.ts'
import { concat } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { channelShuffle } from './channel-shuffle.ts'
import { depthwise, pointwise } from './depthwise.ts'
import { residualGain } from './residual-gain.ts'
import type { Scope } from './scope.ts'

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
  file: 'shuffle-unit-v1.ts',
  usedBy: [],
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
