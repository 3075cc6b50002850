// Blocks of LRDNet (Zhuang et al. 2021).

import type { Value } from '../graph/graph.ts'
import { add, mul } from '../graph/ops/arithmetic.ts'
import { relu, sigmoid } from '../graph/ops/unary.ts'
import { conv2d, depthwise, pointwise } from './conv2d.ts'
import { channelGate } from './gates.ts'
import { batchNorm2d, residualGain } from './norm.ts'
import type { Block, Scope } from './scope.ts'

const epsilon = 1e-3

/**
 * Residual asymmetric module (Zhuang et al. 2021, LRDNet's encoder). The paper's abstract says that it is
 * residual and asymmetric and combines factorised with depthwise convolution; the order and the widths are
 * inferred. A dense pair of a column and a row mixes half as many channels, a depthwise dilated pair looks
 * further around at next to no cost, and a 1x1 goes back to all channels.
 *
 * ```
 * x ── 3 x 1 to C/2 ─ ReLU ─ 1 x 3 ─ norm ─ ReLU ─┐
 * │  ┌──────────────────────────────────────────────┘
 * │  └─ depthwise 3 x 1 ─ depthwise 1 x 3, both dilated ─ norm ─ ReLU ── 1 x 1 to C ─ norm ── + ─ ReLU
 * └───────────────────────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Parameters: 2.75 C² + 7.5 C. Multiply-adds: (2.75 C² + 3 C) H W.
 *
 * @param x [N, C, H, W], C even
 * @param options `dilation` of the depthwise pair (default 1)
 * @returns the same shape
 */
export function residualAsymmetric(
  scope: Scope,
  x: Value,
  { dilation = 1 }: { readonly dilation?: number } = {},
): Value {
  const channels = x.shape[1]!
  const inner = channels / 2
  let y = relu(conv2d(scope.child('conv3x1'), x, inner, { kernel: [3, 1] }))
  y = conv2d(scope.child('conv1x3'), y, inner, { kernel: [1, 3], bias: false })
  y = relu(batchNorm2d(scope.child('norm1'), y, { epsilon }))
  y = depthwise(scope.child('depthwise3x1'), y, { kernel: [3, 1], dilation: [dilation, 1] })
  y = depthwise(scope.child('depthwise1x3'), y, { kernel: [1, 3], dilation: [1, dilation] })
  y = relu(batchNorm2d(scope.child('norm2'), y, { epsilon }))
  y = pointwise(scope.child('expand'), y, channels)
  y = batchNorm2d(scope.child('norm3'), y, { epsilon, gain: residualGain })
  return relu(add(y, x))
}

export const residualAsymmetricBlock: Block = {
  name: 'residual-asymmetric',
  title: 'Residual asymmetric module',
  examples: [
    {
      label: '128 channels, dilation 2',
      input: [1, 128, 8, 8],
      build: (scope, x) => residualAsymmetric(scope, x, { dilation: 2 }),
      cost: { params: 2.75 * 128 ** 2 + 7.5 * 128, macs: (2.75 * 128 ** 2 + 3 * 128) * 8 * 8 },
    },
  ],
}

/**
 * Refined dual attention (Zhuang et al. 2021, LRDNet's decoder). The paper's abstract says that it refines dual
 * attention and cuts complexity; what stands here is inferred. Dual attention (Fu et al. 2019) compares every
 * pixel with every other and every channel with every other. Here one gate says which channels matter, another
 * which pixels do, and their product weighs both at once: C + H W numbers instead of C² + (H W)².
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
  examples: [
    {
      label: '64 channels',
      input: [1, 64, 16, 16],
      build: dualAttention,
      cost: { params: 2 * 64 * 16 + 10 * 64 + 16 + 1, macs: 9 * 64 * 16 * 16 + 2 * 64 * 16 },
    },
  ],
}
