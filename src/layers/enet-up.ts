import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { resize } from '../graph/ops/resize.ts'
import { sliceAxis } from '../graph/ops/shape.ts'
import type { Block } from './block.ts'
import { conv2d, convTranspose2d } from './conv2d.ts'
import { activate, type EnetStyle, enetBranch, innerWidth, norm } from './enet-branch.ts'
import { enetPool, pooled } from './enet-down.ts'
import { maxUnpool } from './max-unpool.ts'
import type { Scope } from './scope.ts'

export interface EnetUpOptions extends EnetStyle {
  readonly outputs: number
  /** Of a max pool in the encoder: [N, outputs, H, W]. */
  readonly index: Value
}

/**
 * ENet's upsampling bottleneck (Paszke et al. 2016, sections 3 and 4): the branch's middle is a transposed
 * convolution; the shortcut is projected and unpooled, to the pixels that the encoder's pool took its maxima
 * from.
 *
 * ```
 * x ── 1x1 to c ─ norm ─ act ── 3x3 transposed, stride 2 ─ norm ─ act ── 1x1 to D ─ norm (─ act) ── + ─ act
 * └─── 1x1 to D ─ norm ── max unpool ───────────────────────────────────────────────────────────────┘
 *                             └── indices
 * ```
 *
 * `form: 'reference'` has c = C / 4 and the activation in brackets; `form: 'original'` has c = D / 4 and a bias
 * in the middle. The windows of the reference's pools overlap: see max unpooling.
 *
 * Parameters, from C to D channels, in the reference's form: C D + C c + 9 c² + c D + 4 c + 4 D; 1 more with a
 * PReLU. In the original form: C D + C c + 9 c² + c D + 5 c + 4 D; 2 c + D more with PReLUs.
 * Multiply-adds of both: (C D + C c + 9 c² + 4 c D) h w at the input's h x w. Without dropout.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, 2 H, 2 W]
 */
export function enetUp(scope: Scope, x: Value, options: EnetUpOptions): Value {
  const { outputs, index } = options
  const [n, channels, h, w] = x.shape as [number, number, number, number]
  const inner = innerWidth(channels, outputs, options)
  // The shortcut reaches a quarter of the pixels: here the branch starts at full scale.
  const branch = enetBranch(scope, x, options, { inner, outputs }, (sequence, y) =>
    convTranspose2d(sequence.child(0), y, inner, {
      kernel: 3,
      stride: 2,
      padding: 1,
      outputPadding: 1,
      bias: options.form === 'original',
    }),
  )
  const main = scope.child('main_conv1')
  const projected = norm(
    main.child(1),
    conv2d(main.child(0), x, outputs, { kernel: 1, bias: false }),
    options,
  )
  const shortcut = maxUnpool(projected, index, [n, outputs, 2 * h, 2 * w], enetPool(options))
  return activate(scope, 'out_prelu', add(shortcut, branch), options)
}

/** Indices for an example: those of a map twice as large with the first channels of x. */
function indexOver(x: Value, channels: number, style: EnetStyle): Value {
  const [h, w] = x.shape.slice(2) as [number, number]
  return pooled(resize(sliceAxis(x, 1, 0, channels), [2 * h, 2 * w], 'bilinear'), style).index
}

export const enetUpBlock: Block = {
  name: 'enet-up',
  title: 'ENet upsampling bottleneck',
  file: 'enet-up.ts',
  usedBy: ['enet', 'enet-original'],
  examples: [
    {
      label: 'reference form, 128 to 64 channels',
      input: [1, 128, 8, 8],
      build: (scope, x) => {
        const style = { form: 'reference', activation: 'relu' } as const
        return enetUp(scope, x, { ...style, outputs: 64, index: indexOver(x, 64, style) })
      },
      cost: {
        params: 128 * 64 + 128 * 32 + 9 * 32 ** 2 + 32 * 64 + 4 * 32 + 4 * 64,
        macs: (128 * 64 + 128 * 32 + 9 * 32 ** 2 + 4 * 32 * 64) * 8 * 8,
      },
    },
    {
      label: 'original form, 128 to 64 channels',
      input: [1, 128, 8, 8],
      build: (scope, x) => {
        const style = { form: 'original', activation: 'relu' } as const
        return enetUp(scope, x, { ...style, outputs: 64, index: indexOver(x, 64, style) })
      },
      cost: {
        params: 128 * 64 + 128 * 16 + 9 * 16 ** 2 + 16 * 64 + 5 * 16 + 4 * 64,
        macs: (128 * 64 + 128 * 16 + 9 * 16 ** 2 + 4 * 16 * 64) * 8 * 8,
      },
    },
  ],
}
