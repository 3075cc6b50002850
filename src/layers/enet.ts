// Blocks of ENet (Paszke et al. 2016), in the form of the Efficient-Segmentation-Networks repository and in that of the
// authors' own Torch code.
import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { maxPool, resize } from '../graph/ops/pool.ts'
import { pad, sliceAxis } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { InputError } from '../util/errors.ts'
import { batchNorm2d, conv2d, convTranspose2d, prelu, residualGain } from './conv2d.ts'
import type { Block, Scope } from './scope.ts'
import { maxUnpool, type PoolWindows } from './upsampling.ts'

/**
 * What ENet's blocks have in common. They exist in two forms: `reference` is that of the
 * Efficient-Segmentation-Networks repository, whose parameters' names ours are; `original` is that of the
 * authors' own Torch code (e-lab/ENet-training).
 *
 * |                                   | reference                  | original                           |
 * | --------------------------------- | -------------------------- | ---------------------------------- |
 * | PReLU                             | one slope per block, shared | a slope for each channel, unshared |
 * | activation before the sum         | yes                        | no                                 |
 * | bias of the middle convolution    | no                         | yes                                |
 * | between the asymmetric kernels    | norm and activation        | nothing                            |
 * | their order                       | column, row                | row, column                        |
 * | inner width where sizes change    | a quarter of the input's   | a quarter of the output's          |
 * | epsilon of norms                  | 1e-5                       | 1e-3                               |
 */
export interface EnetStyle {
  /** `reference`: the form of the Efficient-Segmentation-Networks repository; `original`: that of the authors' Torch code. */
  readonly form: 'reference' | 'original'
  /** The paper's encoder has PReLUs, its decoder ReLUs. */
  readonly activation: 'prelu' | 'relu'
}

/** Inner width of a block that goes from `inputs` to `outputs` channels. */
const innerWidth = (inputs: number, outputs: number, { form }: EnetStyle): number =>
  Math.floor((form === 'reference' ? inputs : outputs) / 4)

interface BranchOptions {
  readonly inner: number
  readonly outputs: number
  /** Of the first convolution, whose kernel is as large (default 1). */
  readonly stride?: number
  /** Where the scale of the last norm starts (default 1). */
  readonly gain?: number
  /** Place of the middle's last convolution in its sequence (default 0). */
  readonly last?: number
}

/**
 * The branch of a bottleneck: narrow, work, widen, each with a norm.
 *
 * @param middle what works on the narrow map, in the scope of its sequence; the norm after it is added here
 */
function enetBranch(
  block: Scope,
  x: Value,
  style: EnetStyle,
  { inner, outputs, stride = 1, gain = 1, last = 0 }: BranchOptions,
  middle: (sequence: Scope, x: Value) => Value,
): Value {
  const narrow = block.child('ext_conv1')
  let y = conv2d(narrow.child(0), x, inner, { kernel: stride, stride, padding: 0, bias: false })
  y = activate(block, 'ext_conv1.2', norm(narrow.child(1), y, style), style)

  const work = block.child('ext_conv2')
  y = norm(work.child(last + 1), middle(work, y), style)
  y = activate(block, `ext_conv2.${last + 2}`, y, style)

  const widen = block.child('ext_conv3')
  y = conv2d(widen.child(0), y, outputs, { kernel: 1, bias: false })
  y = norm(widen.child(1), y, style, gain)
  return style.form === 'reference' ? activate(block, 'ext_conv3.2', y, style) : y
}

/** Form and middle convolution of a bottleneck. */
export interface EnetBottleneckOptions extends EnetStyle {
  /** Of the 3x3 convolution (default 1). */
  readonly dilation?: number
  /** Length n of a column and a row instead of the 3x3 convolution: odd. */
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

const referenceStyle = { form: 'reference', activation: 'prelu' } as const
const originalStyle = { form: 'original', activation: 'prelu' } as const

export const enetBottleneckBlock: Block = {
  name: 'enet-bottleneck',
  title: 'ENet bottleneck',
  examples: [
    {
      label: 'reference form, 128 channels, dilation 2',
      input: [1, 128, 8, 8],
      build: (scope, x) => enetBottleneck(scope, x, { ...referenceStyle, dilation: 2 }),
      cost: { params: 17 * 32 ** 2 + 12 * 32 + 1, macs: 17 * 32 ** 2 * 8 * 8 },
    },
    {
      label: 'reference form, 128 channels, asymmetric kernels of 5',
      input: [1, 128, 8, 8],
      build: (scope, x) => enetBottleneck(scope, x, { ...referenceStyle, asymmetric: 5 }),
      cost: { params: 18 * 32 ** 2 + 14 * 32 + 1, macs: 18 * 32 ** 2 * 8 * 8 },
    },
    {
      label: 'reference form, decoder’s, 64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => enetBottleneck(scope, x, { ...referenceStyle, activation: 'relu' }),
      cost: { params: 17 * 16 ** 2 + 12 * 16, macs: 17 * 16 ** 2 * 16 * 16 },
    },
    {
      label: 'original form, 64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => enetBottleneck(scope, x, originalStyle),
      cost: { params: 17 * 16 ** 2 + 19 * 16, macs: 17 * 16 ** 2 * 16 * 16 },
    },
    {
      label: 'original form, 128 channels, asymmetric kernels of 5',
      input: [1, 128, 8, 8],
      build: (scope, x) => enetBottleneck(scope, x, { ...originalStyle, asymmetric: 5 }),
      cost: { params: 18 * 32 ** 2 + 19 * 32, macs: 18 * 32 ** 2 * 8 * 8 },
    },
  ],
}

/** ENet's max pools: the paper's windows lie side by side, the reference's overlap. */
const enetPool = ({ form }: EnetStyle): Required<PoolWindows> =>
  form === 'reference' ? { kernel: 3, stride: 2 } : { kernel: 2, stride: 2 }

/** Form and width of a downsampling bottleneck. */
export interface EnetDownOptions extends EnetStyle {
  /** Channels of the result. */
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
): {
  /** The map at half the size. */
  readonly value: Value
  /** Indices of the max pool, for `enetUp`. */
  readonly index: Value
} {
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
  const shortcut = pad(value, [0, 0, 0, 0], [0, branch.shape[1]! - channels, 0, 0])
  return { value: activate(scope, 'out_prelu', add(shortcut, branch), options), index }
}

export const enetDownBlock: Block = {
  name: 'enet-down',
  title: 'ENet downsampling bottleneck',
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

/** Form and width of an upsampling bottleneck, and the pooling indices that it takes. */
export interface EnetUpOptions extends EnetStyle {
  /** Channels of the result. */
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

/** The norm of ENet's blocks. */
export const norm = (scope: Scope, x: Value, { form }: EnetStyle, gain = 1): Value =>
  batchNorm2d(scope, x, { epsilon: form === 'reference' ? 1e-5 : 1e-3, gain })

/**
 * The activation that stands at `name` in a block. In the reference all of a block's are one module, whose
 * last name `out_prelu` is the one that counts when a checkpoint is loaded.
 */
export function activate(block: Scope, name: string, x: Value, { form, activation }: EnetStyle): Value {
  if (activation === 'relu') return relu(x)
  if (form === 'reference') return prelu(block.child('out_prelu'), x)
  return prelu(block.child(name), x, { perChannel: true })
}

/** Max pool of ENet, to half the size, with the flat index of each maximum. */
export function pooled(x: Value, style: EnetStyle): { value: Value; index: Value } {
  const { kernel, stride } = enetPool(style)
  const before = (kernel - 1) >> 1
  return maxPool(x, [kernel, kernel], { strides: [stride, stride], pads: [before, before, before, before] })
}
