import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { depthwise, pointwise } from './depthwise.ts'
import { residualGain } from './residual-gain.ts'
import type { Scope } from './scope.ts'
import { squeezeExcitation } from './squeeze-excitation.ts'

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
  file: 'lrse.ts',
  usedBy: ['laednet-s', 'laednet-m', 'laednet-l'],
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
