import type { Value } from '../graph/graph.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { convTranspose2d } from './conv2d.ts'
import type { Scope } from './scope.ts'

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
  file: 'upsampler.ts',
  usedBy: ['erfnet', 'esnet'],
  examples: [
    {
      label: '128 to 64 channels',
      input: [1, 128, 8, 8],
      build: (scope, x) => upsampler(scope, x, 64),
      cost: { params: 9 * 128 * 64 + 3 * 64, macs: 9 * 128 * 64 * 8 * 8 },
    },
  ],
}
