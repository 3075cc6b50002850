import type { Value } from '../graph/graph.ts'
import { add, mul } from '../graph/ops/arithmetic.ts'
import { sigmoid } from '../graph/ops/unary.ts'
import type { Block } from './block.ts'
import { conv2d } from './conv2d.ts'
import type { Scope } from './scope.ts'
import { channelGate } from './squeeze-excitation.ts'

/**
 * Refined dual attention (Zhuang et al. 2021, LRDNet's decoder). The paper's abstract says that it refines dual
 * attention and cuts complexity; what stands here is inferred. Dual attention (Fu et al. 2019) compares every
 * pixel with every other and every channel with every other. Here one gate says which channels matter, another
 * which pixels do, and their product weighs both at once: C + H W numbers in place of C² + (H W)².
 *
 * ```
 *    ┌──────────────────────────────────────────────────────────────────┐
 *    ├───────────────────────────────────────────────── times ── times ── + ──
 * x ─┤                                                    │        │
 *    ├─ mean ─ 1 x 1 to S ─ ReLU ─ 1 x 1 to C ─ sigmoid ──┘        │
 *    └─ 3 x 3 to 1 channel ─ sigmoid ──────────────────────────────┘
 * ```
 *
 * So y = x (1 + c s): nothing is lost where the gates are shut. S = C / 4, rounded up. Parameters:
 * 2 C S + 10 C + S + 1. Multiply-adds: 9 C H W + 2 C S.
 *
 * @param x [N, C, H, W]
 * @returns the same shape
 */
export function dualAttention(scope: Scope, x: Value): Value {
  const channels = channelGate(scope.child('channel'), x, Math.ceil(x.shape[1]! / 4))
  const pixels = sigmoid(conv2d(scope.child('spatial'), x, 1, { kernel: 3 }))
  return add(x, mul(mul(x, channels), pixels))
}

export const dualAttentionBlock: Block = {
  name: 'dual-attention',
  title: 'Refined dual attention',
  file: 'dual-attention.ts',
  usedBy: ['lrdnet'],
  examples: [
    {
      label: '64 channels',
      input: [1, 64, 16, 16],
      build: dualAttention,
      cost: { params: 2 * 64 * 16 + 10 * 64 + 16 + 1, macs: 9 * 64 * 16 * 16 + 2 * 64 * 16 },
    },
  ],
}
