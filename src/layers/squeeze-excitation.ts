import type { Value } from '../graph/graph.ts'
import { mul, reduceMean } from '../graph/ops/arithmetic.ts'
import { relu, sigmoid } from '../graph/ops/unary.ts'
import type { Block } from './block.ts'
import { pointwise } from './depthwise.ts'
import type { Scope } from './scope.ts'

/**
 * Squeeze-and-excitation (Hu et al. 2018, section 3): each channel is weighed by what the whole picture has in
 * all channels.
 *
 * ```
 * x ────────────────────────────────────────────────────────────── times ──
 * └─ mean over H, W ── 1 x 1 to S ─ ReLU ── 1 x 1 to C ─ sigmoid ─────┘
 * ```
 *
 * The paper has S = C / 16. Parameters: 2 C S + C + S. Multiply-adds: 2 C S, whatever the size.
 *
 * @param x [N, C, H, W]
 * @param squeezed S
 * @returns the same shape
 */
export function squeezeExcitation(scope: Scope, x: Value, squeezed: number): Value {
  return mul(x, channelGate(scope, x, squeezed))
}

/** The weights alone: [N, C, 1, 1], between 0 and 1. */
export function channelGate(scope: Scope, x: Value, squeezed: number): Value {
  const mean = reduceMean(x, [2, 3], { keep: true })
  const vector = relu(pointwise(scope.child('fc1'), mean, squeezed, { bias: true }))
  return sigmoid(pointwise(scope.child('fc2'), vector, x.shape[1]!, { bias: true }))
}

export const squeezeExcitationBlock: Block = {
  name: 'squeeze-excitation',
  title: 'Squeeze-and-excitation',
  file: 'squeeze-excitation.ts',
  usedBy: ['laednet-s', 'laednet-m', 'laednet-l', 'lrdnet'],
  examples: [
    {
      label: '128 channels, squeezed to 8',
      input: [1, 128, 8, 8],
      build: (scope, x) => squeezeExcitation(scope, x, 8),
      cost: { params: 2 * 128 * 8 + 128 + 8, macs: 2 * 128 * 8 },
    },
  ],
}
