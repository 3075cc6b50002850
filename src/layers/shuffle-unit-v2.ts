import type { Value } from '../graph/graph.ts'
import { refuse } from '../graph/op.ts'
import { concat, split } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { channelShuffle } from './channel-shuffle.ts'
import { depthwise, pointwise } from './depthwise.ts'
import type { Scope } from './scope.ts'

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
 * @param options.outputs D: asks for the unit of stride 2. Without it, stride 1 and D = C.
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
  file: 'shuffle-unit-v2.ts',
  usedBy: [],
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
