import type { Value } from '../graph/graph.ts'
import type { Block } from './block.ts'
import { nonBottleneck1d } from './non-bottleneck-1d.ts'
import type { Scope } from './scope.ts'

/**
 * Factorised convolution unit, FCU (Wang et al. 2019, ESNet): ERFNet's non-bottleneck-1D with
 * the kernel's length K to choose. ESNet takes K = 3 at half of the picture's size and 5 at a quarter: long
 * kernels reach far where a dilated one would leave holes.
 *
 * ```
 * x ── K x 1 ─ ReLU ─ 1 x K ─ norm ─ ReLU ── K x 1 ─ ReLU ─ 1 x K ─ norm ── + ─ ReLU
 * └──────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Parameters: 4 K C² + 8 C. Multiply-adds: 4 K C² H W. Without the reference's dropout.
 *
 * @param x [N, C, H, W]
 * @param length K, odd
 * @returns the same shape
 */
export function fcu(scope: Scope, x: Value, length: number): Value {
  return nonBottleneck1d(scope, x, { length })
}

export const fcuBlock: Block = {
  name: 'fcu',
  title: 'Factorised convolution unit',
  file: 'fcu.ts',
  usedBy: ['esnet'],
  examples: [
    {
      label: '16 channels, kernels of 3',
      input: [1, 16, 32, 32],
      build: (scope, x) => fcu(scope, x, 3),
      cost: { params: 12 * 16 ** 2 + 8 * 16, macs: 12 * 16 ** 2 * 32 * 32 },
    },
    {
      label: '64 channels, kernels of 5',
      input: [1, 64, 16, 16],
      build: (scope, x) => fcu(scope, x, 5),
      cost: { params: 20 * 64 ** 2 + 8 * 64, macs: 20 * 64 ** 2 * 16 * 16 },
    },
  ],
}
