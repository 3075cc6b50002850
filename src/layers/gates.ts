// Gates: squeeze-and-excitation, which weighs channels, blocks of LAEDNet and LRDNet (Zhuang et al. 2021) that are made of
// it, and joins of an encoder's map to a decoder's.
import type { Value } from '../graph/graph.ts'
import { add, mul, reduceMean, sub } from '../graph/ops/arithmetic.ts'
import { concat } from '../graph/ops/shape.ts'
import { relu, sigmoid } from '../graph/ops/unary.ts'
import { batchNorm2d, conv2d, depthwise, pointwise, residualGain } from './conv2d.ts'
import type { Block, Scope } from './scope.ts'

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
  examples: [
    {
      label: '128 channels, squeezed to 8',
      input: [1, 128, 8, 8],
      build: (scope, x) => squeezeExcitation(scope, x, 8),
      cost: { params: 2 * 128 * 8 + 128 + 8, macs: 2 * 128 * 8 },
    },
  ],
}

/**
 * S. The decoder's maps are narrow: a 16th, as Hu et al. have it, would leave 1 number of 16 channels. And of
 * fewer than 8 it easily happens that ReLU shuts all.
 */
const squeezedWidth = (channels: number) => Math.max(8, Math.ceil(channels / 4))

/**
 * Lightweight residual squeeze-and-excitation, LRSE (Zhou et al. 2022, LAEDNet's decoder). The paper's abstract
 * gives the name; what stands here is inferred from it: a residual block whose branch is depthwise and weighed
 * by squeeze-and-excitation, behind a 1x1 that brings joined maps to the decoder's width.
 *
 * ```
 * x ── 1 x 1 to D ─ norm ─ ReLU ─┬─ depthwise 3 x 3 ─ norm ─ squeeze-and-excitation ── + ─ ReLU
 *                                └─────────────────────────────────────────────────────┘
 * ```
 *
 * S = D / 4, rounded up, but at least 8. Parameters from C to D channels: C D + 2 D S + 14 D + S. Multiply-adds:
 * (C D + 9 D) H W + 2 D S.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, H, W]
 */
export function lrse(scope: Scope, x: Value, outputs: number): Value {
  const reduced = relu(batchNorm2d(scope.child('norm1'), pointwise(scope.child('reduce'), x, outputs)))
  const spread = depthwise(scope.child('depthwise'), reduced, { kernel: 3 })
  const branch = batchNorm2d(scope.child('norm2'), spread, { gain: residualGain })
  return relu(add(reduced, squeezeExcitation(scope.child('se'), branch, squeezedWidth(outputs))))
}

export const lrseBlock: Block = {
  name: 'lrse',
  title: 'Lightweight residual squeeze-and-excitation',
  examples: [
    {
      label: '152 to 40 channels',
      input: [1, 152, 8, 8],
      build: (scope, x) => lrse(scope, x, 40),
      cost: {
        params: 152 * 40 + 2 * 40 * 10 + 14 * 40 + 10,
        macs: (152 * 40 + 9 * 40) * 8 * 8 + 2 * 40 * 10,
      },
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

/** How a map of the encoder joins one of the decoder: not at all, as a sum, or weighed by a gate. */
export type Skip = 'none' | 'sum' | 'gated'

/**
 * Joins an encoder's map to a decoder's of the same size. The encoder's goes through a 1x1 convolution to
 * the decoder's channels. `sum` adds it. `gated` lets a gate choose between the two at every pixel: one
 * weight from a 1x1 convolution over both and a sigmoid, so g · decoder + (1 - g) · encoder; that is the
 * unified attention fusion of PP-LiteSeg (Peng et al. 2022, section 3.3), whose gate is made of the maps'
 * means and maxima over channels, with a learned projection in their place.
 *
 * Parameters, from S channels to C: C S + C for `sum`; 2 C + 1 more for `gated`.
 *
 * @param x [N, C, H, W], the decoder's
 * @param side [N, S, H, W], the encoder's
 * @returns [N, C, H, W]
 */
export function joinSkip(scope: Scope, x: Value, side: Value, skip: Skip): Value {
  if (skip === 'none') return x
  const inner = scope.child('skip')
  const projected = conv2d(inner, side, x.shape[1]!, { kernel: 1 })
  if (skip === 'sum') return add(x, projected)
  const gate = sigmoid(conv2d(inner.child('gate'), concat([x, projected], 1), 1, { kernel: 1 }))
  return add(projected, mul(gate, sub(x, projected)))
}
