import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { averagePool } from '../graph/ops/pool.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import type { Block } from './block.ts'
import { conv2d } from './conv2d.ts'
import { doubledConv2d } from './doubled-conv2d.ts'
import type { Scope } from './scope.ts'

/**
 * Same block (Siarohin et al. 2019, First Order Motion Model, as their code has it): convolution, norm and
 * ReLU at one resolution. The generator begins with one.
 *
 * ```
 * x ── n x n ─ norm ─ ReLU ──
 * ```
 *
 * Parameters, from C to D channels: n² C D + 3 D. Multiply-adds: n² C D H W.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, H, W]
 */
export function sameBlock(scope: Scope, x: Value, outputs: number, { kernel = 3 } = {}): Value {
  return relu(batchNorm2d(scope.child('norm'), conv2d(scope.child('conv'), x, outputs, { kernel })))
}

export const fommSameBlock: Block = {
  name: 'fomm-same',
  title: 'Same block',
  file: 'fomm-blocks.ts',
  usedBy: [],
  examples: [
    {
      label: '3 to 64 channels, kernel of 7',
      input: [1, 3, 32, 32],
      build: (scope, x) => sameBlock(scope, x, 64, { kernel: 7 }),
      cost: { params: 49 * 3 * 64 + 3 * 64, macs: 49 * 3 * 64 * 32 * 32 },
    },
  ],
}

/**
 * Down block (Siarohin et al. 2019, as their code has it): the hourglass's halving. Convolution, norm and
 * ReLU at the full size, then the mean of each 2x2 window.
 *
 * ```
 * x ── 3x3 ─ norm ─ ReLU ─ mean 2x2 ──
 * ```
 *
 * Parameters, from C to D channels: 9 C D + 3 D. Multiply-adds: 9 C D H W at the input's H x W, four times
 * those of a convolution of stride 2.
 *
 * @param x [N, C, H, W], H and W even
 * @returns [N, outputs, H / 2, W / 2]
 */
export function downBlock(scope: Scope, x: Value, outputs: number): Value {
  return averagePool(sameBlock(scope, x, outputs), [2, 2])
}

export const fommDownBlock: Block = {
  name: 'fomm-down',
  title: 'Down block',
  file: 'fomm-blocks.ts',
  usedBy: ['hourglass', 'hourglass-small'],
  examples: [
    {
      label: '64 to 128 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => downBlock(scope, x, 128),
      cost: { params: 9 * 64 * 128 + 3 * 128, macs: 9 * 64 * 128 * 16 * 16 },
    },
  ],
}

/**
 * Up block (Siarohin et al. 2019, as their code has it): the hourglass's doubling. Each pixel becomes four,
 * then convolution, norm and ReLU at the doubled size.
 *
 * ```
 * x ── nearest, twice the size ─ 3x3 ─ norm ─ ReLU ──
 * ```
 *
 * Parameters, from C to D channels: 9 C D + 3 D. Multiply-adds: 36 C D H W at the input's H x W.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, 2 H, 2 W]
 */
export function upBlock(scope: Scope, x: Value, outputs: number): Value {
  return relu(batchNorm2d(scope.child('norm'), doubledConv2d(scope.child('conv'), x, outputs)))
}

export const fommUpBlock: Block = {
  name: 'fomm-up',
  title: 'Up block',
  file: 'fomm-blocks.ts',
  usedBy: ['hourglass', 'hourglass-small'],
  examples: [
    {
      label: '128 to 64 channels',
      input: [1, 128, 8, 8],
      build: (scope, x) => upBlock(scope, x, 64),
      cost: { params: 9 * 128 * 64 + 3 * 64, macs: 36 * 128 * 64 * 8 * 8 },
    },
  ],
}

/**
 * Residual block with norms first (He et al. 2016, Identity Mappings; FOMM's generator has six in its
 * middle): twice norm, ReLU and 3x3, added to the input.
 *
 * ```
 * x ── norm ─ ReLU ─ 3x3 ── norm ─ ReLU ─ 3x3 ── + ──
 * └───────────────────────────────────────────────┘
 * ```
 *
 * Parameters: 18 C² + 6 C. Multiply-adds: 18 C² H W.
 *
 * @param x [N, C, H, W]
 * @returns the same shape
 */
export function residualBlock(scope: Scope, x: Value): Value {
  const channels = x.shape[1]!
  let y = relu(batchNorm2d(scope.child('norm1'), x))
  y = conv2d(scope.child('conv1'), y, channels, { kernel: 3 })
  y = relu(batchNorm2d(scope.child('norm2'), y))
  return add(conv2d(scope.child('conv2'), y, channels, { kernel: 3 }), x)
}

export const fommResidualBlock: Block = {
  name: 'fomm-residual',
  title: 'Residual block',
  file: 'fomm-blocks.ts',
  usedBy: [],
  examples: [
    {
      label: '64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => residualBlock(scope, x),
      cost: { params: 18 * 64 ** 2 + 6 * 64, macs: 18 * 64 ** 2 * 16 * 16 },
    },
  ],
}
