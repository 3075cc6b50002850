import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import type { Block } from './block.ts'
import { conv2d } from './conv2d.ts'
import { activate, type EnetStyle, enetBranch, norm } from './enet-branch.ts'
import { residualGain } from './residual-gain.ts'
import type { Scope } from './scope.ts'

export interface EnetBottleneckOptions extends EnetStyle {
  /** Of the 3x3 convolution (default 1). */
  readonly dilation?: number
  /** Length n of a column and a row in place of the 3x3 convolution: odd. */
  readonly asymmetric?: number
}

/**
 * ENet's bottleneck (Paszke et al. 2016, section 3, figure 2b): ResNet's bottleneck with the narrow
 * convolution regular, dilated or asymmetric.
 *
 * ```
 * x ── 1x1 to C/4 ─ norm ─ act ── middle ─ norm ─ act ── 1x1 to C ─ norm (─ act) ── + ─ act
 * └─────────────────────────────────────────────────────────────────────────────────┘
 *
 * middle: 3x3, dilated 3x3, or n x 1 and 1 x n
 * ```
 *
 * `form: 'reference'` is the Efficient-Segmentation-Networks repository's: the activation in brackets is
 * there, asymmetric kernels have norm and activation between column and row, no convolution has a bias, and a
 * PReLU is one slope for the whole block. `form: 'original'` is the authors' Torch code: no activation in
 * brackets, row and column stand together, the middle has a bias, and each PReLU has a slope for each channel.
 *
 * Parameters, with c = C / 4, in the reference's form: 17 c² + 12 c, asymmetric (8 + 2 n) c² + 14 c; 1 more
 * with a PReLU. In the original form: 17 c² + 13 c, asymmetric (8 + 2 n) c² + 13 c; 6 c more with PReLUs.
 * Multiply-adds of both: 17 c² H W, asymmetric (8 + 2 n) c² H W. Without dropout.
 *
 * @param x [N, C, H, W], C a multiple of 4
 * @returns the same shape
 */
export function enetBottleneck(scope: Scope, x: Value, options: EnetBottleneckOptions): Value {
  const { dilation = 1, asymmetric } = options
  const outputs = x.shape[1]!
  const inner = outputs / 4
  const width = { inner, outputs, gain: residualGain }
  const branch =
    asymmetric === undefined
      ? enetBranch(scope, x, options, width, (sequence, y) =>
          conv2d(sequence.child(0), y, inner, { kernel: 3, dilation, bias: options.form === 'original' }),
        )
      : enetBranch(scope, x, options, { ...width, last: 3 }, (sequence, y) =>
          asymmetricMiddle(scope, sequence, y, asymmetric, options),
        )
  return activate(scope, 'out_prelu', add(x, branch), options)
}

/** The two lines have the places of the reference's sequence in both forms: 0 and 3. */
function asymmetricMiddle(block: Scope, sequence: Scope, x: Value, length: number, style: EnetStyle): Value {
  const inner = x.shape[1]!
  if (style.form === 'original') {
    const row = conv2d(sequence.child(0), x, inner, { kernel: [1, length], bias: false })
    return conv2d(sequence.child(3), row, inner, { kernel: [length, 1] })
  }
  const column = conv2d(sequence.child(0), x, inner, { kernel: [length, 1], bias: false })
  const between = activate(block, 'ext_conv2.2', norm(sequence.child(1), column, style), style)
  return conv2d(sequence.child(3), between, inner, { kernel: [1, length], bias: false })
}

const reference = { form: 'reference', activation: 'prelu' } as const
const original = { form: 'original', activation: 'prelu' } as const

export const enetBottleneckBlock: Block = {
  name: 'enet-bottleneck',
  title: 'ENet bottleneck',
  file: 'enet-bottleneck.ts',
  usedBy: ['enet', 'enet-original'],
  examples: [
    {
      label: 'reference form, 128 channels, dilation 2',
      input: [1, 128, 8, 8],
      build: (scope, x) => enetBottleneck(scope, x, { ...reference, dilation: 2 }),
      cost: { params: 17 * 32 ** 2 + 12 * 32 + 1, macs: 17 * 32 ** 2 * 8 * 8 },
    },
    {
      label: 'reference form, 128 channels, asymmetric kernels of 5',
      input: [1, 128, 8, 8],
      build: (scope, x) => enetBottleneck(scope, x, { ...reference, asymmetric: 5 }),
      cost: { params: 18 * 32 ** 2 + 14 * 32 + 1, macs: 18 * 32 ** 2 * 8 * 8 },
    },
    {
      label: 'reference form, decoder’s, 64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => enetBottleneck(scope, x, { ...reference, activation: 'relu' }),
      cost: { params: 17 * 16 ** 2 + 12 * 16, macs: 17 * 16 ** 2 * 16 * 16 },
    },
    {
      label: 'original form, 64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => enetBottleneck(scope, x, original),
      cost: { params: 17 * 16 ** 2 + 19 * 16, macs: 17 * 16 ** 2 * 16 * 16 },
    },
    {
      label: 'original form, 128 channels, asymmetric kernels of 5',
      input: [1, 128, 8, 8],
      build: (scope, x) => enetBottleneck(scope, x, { ...original, asymmetric: 5 }),
      cost: { params: 18 * 32 ** 2 + 19 * 32, macs: 18 * 32 ** 2 * 8 * 8 },
    },
  ],
}
