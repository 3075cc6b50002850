import type { Value } from '../graph/graph.ts'
import { maxPool } from '../graph/ops/pool.ts'
import { concat } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { conv2d } from './conv2d.ts'
import type { Scope } from './scope.ts'

export interface DownsamplerOptions {
  /** Of the norm (default 1e-3, ERFNet's; EDANet's is 1e-5). */
  readonly epsilon?: number
}

/**
 * Downsampler (Paszke et al. 2016, ENet's initial block; Romera et al. 2017, ERFNet, section III-C): a 3x3
 * convolution of stride 2 beside a 2x2 max pool, joined, normalised and rectified. The pool gives C channels
 * for nothing, the convolution makes the others.
 *
 * ```
 * x ─┬─ 3x3, stride 2, to D - C ─┬─ join ─ norm ─ ReLU
 *    └─ max pool 2x2 ────────────┘
 * ```
 *
 * Where no more channels are wanted than there are (EDANet's third: 260 to 130), the convolution makes all of
 * them and there is no pool (Lo et al. 2018, EDANet).
 *
 * Parameters, from C to D channels: 9 C (D - C) + 3 D - C where D > C, else 9 C D + 3 D. Multiply-adds:
 * 9 C (D - C) H W / 4, else 9 C D H W / 4.
 *
 * @param x [N, C, H, W], H and W even
 * @param outputs D
 * @returns [N, outputs, H / 2, W / 2]
 * @throws GraphError where pool and convolution meet at an odd size.
 */
export function downsampler(
  scope: Scope,
  x: Value,
  outputs: number,
  { epsilon = 1e-3 }: DownsamplerOptions = {},
): Value {
  const pools = outputs > x.shape[1]!
  const made = pools ? outputs - x.shape[1]! : outputs
  const convolved = conv2d(scope.child('conv'), x, made, { kernel: 3, stride: 2 })
  const joined = pools ? concat([convolved, maxPool(x, [2, 2]).value], 1) : convolved
  return relu(batchNorm2d(scope.child('bn'), joined, { epsilon }))
}

export const downsamplerBlock: Block = {
  name: 'downsampler',
  title: 'Downsampler',
  file: 'downsampler.ts',
  usedBy: ['erfnet', 'edanet', 'edanet-erfdec', 'esnet', 'lednet', 'lednet-official', 'lednet-figure'],
  examples: [
    {
      label: '16 to 64 channels',
      input: [1, 16, 32, 32],
      build: (scope, x) => downsampler(scope, x, 64),
      cost: { params: 9 * 16 * 48 + 3 * 64 - 16, macs: (9 * 16 * 48 * 32 * 32) / 4 },
    },
    {
      label: '260 to 130 channels, without a pool',
      input: [1, 260, 16, 16],
      build: (scope, x) => downsampler(scope, x, 130, { epsilon: 1e-5 }),
      cost: { params: 9 * 260 * 130 + 3 * 130, macs: (9 * 260 * 130 * 16 * 16) / 4 },
    },
  ],
}
