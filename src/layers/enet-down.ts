import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { maxPool } from '../graph/ops/pool.ts'
import { pad } from '../graph/ops/shape.ts'
import { InputError } from '../util/errors.ts'
import type { Block } from './block.ts'
import { conv2d } from './conv2d.ts'
import { activate, type EnetStyle, enetBranch, innerWidth } from './enet-branch.ts'
import type { PoolWindows } from './max-unpool.ts'
import { residualGain } from './residual-gain.ts'
import type { Scope } from './scope.ts'

/** ENet's max pools: the paper's windows lie side by side, the reference's overlap. */
export const enetPool = ({ form }: EnetStyle): Required<PoolWindows> =>
  form === 'reference' ? { kernel: 3, stride: 2 } : { kernel: 2, stride: 2 }

/** Max pool of ENet, to half the size, with the flat index of each maximum. */
export function pooled(x: Value, style: EnetStyle): { value: Value; index: Value } {
  const { kernel, stride } = enetPool(style)
  const before = (kernel - 1) >> 1
  return maxPool(x, [kernel, kernel], { strides: [stride, stride], pads: [before, before, before, before] })
}

export interface EnetDownOptions extends EnetStyle {
  readonly outputs: number
}

/**
 * ENet's downsampling bottleneck (Paszke et al. 2016, section 3, figure 2b): the branch begins with a 2x2
 * convolution of stride 2; the shortcut is a max pool, with channels of zeros added. The pool's indices go to
 * the decoder.
 *
 * ```
 * x ── 2x2 stride 2 to c ─ norm ─ act ── 3x3 ─ norm ─ act ── 1x1 to D ─ norm (─ act) ── + ─ act
 * └─── max pool ── zeros up to D channels ──────────────────────────────────────────────┘
 *          └── indices
 * ```
 *
 * `form: 'reference'` pools 3x3 windows, has c = C / 4 and the activation in brackets; `form: 'original'` pools
 * 2x2 windows, has c = D / 4 and a bias in the middle.
 *
 * Parameters, from C to D channels, in the reference's form: 4 C c + 9 c² + c D + 4 c + 2 D; 1 more with a
 * PReLU. In the original form: 4 C c + 9 c² + c D + 5 c + 2 D; 2 c + D more with PReLUs.
 * Multiply-adds of both: (4 C c + 9 c² + c D) h w at the output's h x w. Without dropout.
 *
 * @param x [N, C, H, W], H and W even
 * @returns `value` [N, outputs, H / 2, W / 2], and `index` [N, C, H / 2, W / 2] of the pool
 * @throws InputError for fewer outputs than channels.
 */
export function enetDown(
  scope: Scope,
  x: Value,
  options: EnetDownOptions,
): { readonly value: Value; readonly index: Value } {
  const { outputs } = options
  const channels = x.shape[1]!
  if (outputs < channels) {
    throw new InputError({
      what: 'a downsampling bottleneck cannot drop channels',
      got: `${channels} to ${outputs}`,
      expected: `${channels} or more`,
    })
  }
  const { value, index } = pooled(x, options)
  const inner = innerWidth(channels, outputs, options)
  const width = { inner, outputs, stride: 2, gain: residualGain }
  const branch = enetBranch(scope, x, options, width, (sequence, y) =>
    conv2d(sequence.child(0), y, inner, { kernel: 3, bias: options.form === 'original' }),
  )
  const shortcut = pad(value, [0, 0, 0, 0], [0, outputs - channels, 0, 0])
  return { value: activate(scope, 'out_prelu', add(shortcut, branch), options), index }
}

export const enetDownBlock: Block = {
  name: 'enet-down',
  title: 'ENet downsampling bottleneck',
  file: 'enet-down.ts',
  usedBy: ['enet', 'enet-original'],
  examples: [
    {
      label: 'reference form, 64 to 128 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => {
        const options = { form: 'reference', activation: 'prelu', outputs: 128 } as const
        return enetDown(scope, x, options).value
      },
      cost: {
        params: 4 * 64 * 16 + 9 * 16 ** 2 + 16 * 128 + 4 * 16 + 2 * 128 + 1,
        macs: (4 * 64 * 16 + 9 * 16 ** 2 + 16 * 128) * 8 * 8,
      },
    },
    {
      label: 'original form, 64 to 128 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => {
        const options = { form: 'original', activation: 'prelu', outputs: 128 } as const
        return enetDown(scope, x, options).value
      },
      cost: {
        params: 4 * 64 * 32 + 9 * 32 ** 2 + 32 * 128 + 7 * 32 + 3 * 128,
        macs: (4 * 64 * 32 + 9 * 32 ** 2 + 32 * 128) * 8 * 8,
      },
    },
  ],
}
