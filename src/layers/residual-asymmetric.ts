import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { conv2d } from './conv2d.ts'
import { depthwise, pointwise } from './depthwise.ts'
import { residualGain } from './residual-gain.ts'
import type { Scope } from './scope.ts'

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
 * @param options.dilation of the depthwise pair (default 1)
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
  file: 'residual-asymmetric.ts',
  usedBy: ['lrdnet'],
  examples: [
    {
      label: '128 channels, dilation 2',
      input: [1, 128, 8, 8],
      build: (scope, x) => residualAsymmetric(scope, x, { dilation: 2 }),
      cost: { params: 2.75 * 128 ** 2 + 7.5 * 128, macs: (2.75 * 128 ** 2 + 3 * 128) * 8 * 8 },
    },
  ],
}
