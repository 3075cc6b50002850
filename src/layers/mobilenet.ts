// Blocks of light networks: MobileNet V1 (Howard et al. 2017) and V2 (Sandler et al. 2018); FasterNet (Chen et al. 2023), which
// does without depthwise convolutions; and RepVGG (Ding et al. 2021) and MobileOne (Vasu et al. 2023), whose parallel branches
// become one convolution once they are trained.
import type { Value } from '../graph/graph.ts'
import { refuse } from '../graph/op.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { concat, split } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d, conv2d, convNorm, depthwise, pointwise, relu6, residualGain } from './conv2d.ts'
import type { Block, Scope } from './scope.ts'

/** Options of `depthwiseSeparable`. */
export interface DepthwiseSeparableOptions {
  /** Whose nonlinearities (default: mobilenet). */
  readonly form?: 'mobilenet' | 'xception'
  /** Side of the kernel: odd (default 3). */
  readonly kernel?: number
  /** Step of the depthwise convolution (default 1). */
  readonly stride?: number
  /** Distance between the elements of the depthwise kernel (default 1). */
  readonly dilation?: number
}

/**
 * Depthwise-separable convolution, in two forms: MobileNet's (Howard et al. 2017, section 3.1) and Xception's
 * (Chollet 2017, section 2, where leaving out the nonlinearity in the middle is found to be better). A k x k
 * convolution looks around and mixes channels at once; here the one is done first, the other after it.
 *
 * ```
 * mobilenet   x ── depthwise k x k ─ norm ─ ReLU ── 1 x 1 ─ norm ─ ReLU
 * xception    x ── depthwise k x k ──────────────── 1 x 1 ─ norm ─ ReLU
 * ```
 *
 * From C to D channels, giving h x w. Parameters: k² C + C D + 2 D, and 2 C more for the middle norm of
 * `mobilenet`. Multiply-adds: (k² C + C D) h w, which is 1 / D + 1 / k² of the plain convolution's.
 *
 * Xception's networks put the last ReLU before the next block; it stands at the end here, as in MobileNet.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, h, w], with h = ceil(H / stride) and w = ceil(W / stride)
 */
export function depthwiseSeparable(
  scope: Scope,
  x: Value,
  outputs: number,
  { form = 'mobilenet', kernel = 3, stride = 1, dilation = 1 }: DepthwiseSeparableOptions = {},
): Value {
  let y = depthwise(scope.child('depthwise'), x, { kernel, stride, dilation })
  if (form === 'mobilenet') y = relu(batchNorm2d(scope.child('depthwise_norm'), y))
  return relu(batchNorm2d(scope.child('norm'), pointwise(scope.child('pointwise'), y, outputs)))
}

export const depthwiseSeparableBlock: Block = {
  name: 'depthwise-separable',
  title: 'Depthwise-separable convolution',
  examples: [
    {
      label: 'MobileNet’s, 64 to 128 channels, stride 2',
      input: [1, 64, 16, 16],
      build: (scope, x) => depthwiseSeparable(scope, x, 128, { stride: 2 }),
      cost: { params: 9 * 64 + 64 * 128 + 2 * 128 + 2 * 64, macs: (9 * 64 + 64 * 128) * 8 * 8 },
    },
    {
      label: 'Xception’s, 64 to 128 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => depthwiseSeparable(scope, x, 128, { form: 'xception' }),
      cost: { params: 9 * 64 + 64 * 128 + 2 * 128, macs: (9 * 64 + 64 * 128) * 16 * 16 },
    },
  ],
}

/** Options of `invertedResidual`. */
export interface InvertedResidualOptions {
  /** D (default: as many as there are). */
  readonly outputs?: number
  /** t, how many times wider the block is inside (default 6). At 1 the first convolution is left out. */
  readonly expansion?: number
  /** Side of the depthwise kernel: odd (default 3). */
  readonly kernel?: number
  /** Step of the depthwise convolution (default 1). */
  readonly stride?: number
  /** Default: relu6. */
  readonly activation?: 'relu6' | 'relu'
}

/**
 * Inverted residual with a linear bottleneck (Sandler et al. 2018, MobileNetV2, section 3; EfficientNet-Lite
 * is made of it): wide inside, where only the cheap depthwise convolution works, and narrow outside, where no
 * nonlinearity may lose what few channels hold.
 *
 * ```
 * x ── 1 x 1 to t C ─ norm ─ ReLU6 ── depthwise k x k, stride s ─ norm ─ ReLU6 ── 1 x 1 to D ─ norm ── + ──
 * └────────────────────────────────────── if s = 1 and D = C ─────────────────────────────────────────┘
 * ```
 *
 * Giving h x w. Parameters: t C² + k² t C + t C D + 4 t C + 2 D; for t = 1, which has no first convolution,
 * k² C + C D + 2 C + 2 D. Multiply-adds: t C² H W + (k² t C + t C D) h w; for t = 1, (k² C + C D) h w.
 *
 * Parameters are named as in timm: `conv_pw`, `bn1`, `conv_dw`, `bn2`, `conv_pwl`, `bn3`; for t = 1
 * `conv_dw`, `bn1`, `conv_pw`, `bn2`.
 *
 * @param x [N, C, H, W]
 * @returns [N, D, h, w], with h = ceil(H / s) and w = ceil(W / s)
 */
export function invertedResidual(scope: Scope, x: Value, options: InvertedResidualOptions = {}): Value {
  const channels = x.shape[1]!
  const { outputs = channels, expansion = 6, kernel = 3, stride = 1, activation = 'relu6' } = options
  const bent = activation === 'relu6' ? relu6 : relu
  const adds = stride === 1 && outputs === channels
  const norm = (name: string, value: Value, gain = 1) => batchNorm2d(scope.child(name), value, { gain })

  // Without the expansion, timm's names count from the convolution that comes first then.
  const expands = expansion !== 1
  let y = x
  if (expands) y = bent(norm('bn1', pointwise(scope.child('conv_pw'), x, expansion * channels)))
  y = bent(norm(expands ? 'bn2' : 'bn1', depthwise(scope.child('conv_dw'), y, { kernel, stride })))
  y = pointwise(scope.child(expands ? 'conv_pwl' : 'conv_pw'), y, outputs)
  y = norm(expands ? 'bn3' : 'bn2', y, adds ? residualGain : 1)
  return adds ? add(y, x) : y
}

export const invertedResidualBlock: Block = {
  name: 'inverted-residual',
  title: 'Inverted residual',
  examples: [
    {
      label: '24 channels, expansion 6',
      input: [1, 24, 16, 16],
      build: (scope, x) => invertedResidual(scope, x),
      cost: {
        params: 6 * 24 ** 2 + 9 * 6 * 24 + 6 * 24 * 24 + 4 * 6 * 24 + 2 * 24,
        macs: 6 * 24 ** 2 * 16 * 16 + (9 * 6 * 24 + 6 * 24 * 24) * 16 * 16,
      },
    },
    {
      label: '24 to 40 channels, kernel 5, stride 2, ReLU',
      input: [1, 24, 16, 16],
      build: (scope, x) =>
        invertedResidual(scope, x, { outputs: 40, kernel: 5, stride: 2, activation: 'relu' }),
      cost: {
        params: 6 * 24 ** 2 + 25 * 6 * 24 + 6 * 24 * 40 + 4 * 6 * 24 + 2 * 40,
        macs: 6 * 24 ** 2 * 16 * 16 + (25 * 6 * 24 + 6 * 24 * 40) * 8 * 8,
      },
    },
    {
      label: '32 to 16 channels, no expansion',
      input: [1, 32, 16, 16],
      build: (scope, x) => invertedResidual(scope, x, { outputs: 16, expansion: 1 }),
      cost: { params: 9 * 32 + 32 * 16 + 2 * 32 + 2 * 16, macs: (9 * 32 + 32 * 16) * 16 * 16 },
    },
  ],
}

/** One in `partialShare` channels goes through the 3x3 of `partialConv`. */
const partialShare = 4
/** How much wider `partialConv` is between its 1x1 convolutions. */
const partialExpansion = 2

/** Options of `partialConv`. */
export interface PartialConvOptions {
  /** Of the 3x3 (default 1). */
  readonly dilation?: number
}

/**
 * FasterNet's block (Chen et al. 2023, Run, Don't Walk, sections 3.2 and 3.3): a partial convolution, which
 * looks around in a quarter of the channels and leaves the others as they are, and two 1x1 convolutions that
 * mix all. The quarter is dense, so its products come at a convolution's full rate, which depthwise ones do not.
 *
 * ```
 *     ┌─ C / 4 ── 3x3 ─┐
 * x ──┼─ 3 C / 4 ──────┴─ concat ── 1x1 to 2 C ─ norm ─ ReLU ── 1x1 to C ── + ──
 *     └─────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Parameters: 73/16 C² + 4 C. Multiply-adds: 73/16 C² H W.
 *
 * Parameters are named as in the authors' code: `spatial_mixing.partial_conv3`, `mlp.0`, `mlp.1`, `mlp.3`.
 *
 * @param x [N, C, H, W], C a multiple of 4
 * @returns the same shape
 * @throws GraphError if C is not.
 */
export function partialConv(scope: Scope, x: Value, { dilation = 1 }: PartialConvOptions = {}): Value {
  const channels = x.shape[1]!
  if (channels % partialShare !== 0) {
    refuse('a partial convolution’s channels do not divide into quarters', { got: String(channels) })
  }
  const width = channels / partialShare
  const [seen, untouched] = split(x, 1, [width, channels - width]) as [Value, Value]
  const conv = scope.child('spatial_mixing.partial_conv3')
  const around = conv2d(conv, seen, width, { kernel: 3, dilation, bias: false })

  const mlp = scope.child('mlp')
  const wide = pointwise(mlp.child(0), concat([around, untouched], 1), partialExpansion * channels)
  return add(pointwise(mlp.child(3), relu(batchNorm2d(mlp.child(1), wide)), channels), x)
}

export const partialConvBlock: Block = {
  name: 'partial-conv',
  title: 'Partial convolution',
  examples: [
    {
      label: '64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => partialConv(scope, x),
      cost: { params: (73 / 16) * 64 ** 2 + 4 * 64, macs: (73 / 16) * 64 ** 2 * 16 * 16 },
    },
  ],
}

/** Options of `repVgg`. */
export interface RepVggOptions {
  /** D (default: as many as there are). */
  readonly outputs?: number
  /** Of the 3x3 and of the 1x1 (default 1). */
  readonly stride?: number
  /** Of the 3x3 (default 1). */
  readonly dilation?: number
}

/**
 * RepVGG block (Ding et al. 2021, RepVGG, section 3.2 and figure 4): three parallel branches, each with a norm,
 * summed before the only ReLU. All are linear, so a trained block is one 3x3 convolution, which `rewriteExactly`
 * makes of it: branches help training and cost nothing afterwards.
 *
 * ```
 * x ─┬─ 3x3, stride s, dilation d ─ norm ─┬─ + ─ ReLU
 *    ├─ 1x1, stride s ────────────── norm ┤
 *    └─ norm, if s = 1 and D = C ─────────┘
 * ```
 *
 * Parameters, from C to D channels: 10 C D + 4 D, and 2 D more with the third branch. Multiply-adds, giving
 * h x w: 10 C D h w; 9 C D h w once it is one convolution.
 *
 * Parameters are named as in the authors' code: `rbr_dense`, `rbr_1x1`, `rbr_identity`.
 *
 * @param x [N, C, H, W]
 * @returns [N, D, h, w], with h = ceil(H / s) and w = ceil(W / s)
 */
export function repVgg(scope: Scope, x: Value, options: RepVggOptions = {}): Value {
  const { outputs = x.shape[1]!, stride = 1, dilation = 1 } = options
  const dense = convNorm(scope.child('rbr_dense'), x, outputs, { kernel: 3, stride, dilation })
  const point = convNorm(scope.child('rbr_1x1'), x, outputs, { kernel: 1, stride })
  const sum = add(dense, point)
  const keepsShape = stride === 1 && sum.shape[1] === x.shape[1]
  return relu(keepsShape ? add(sum, batchNorm2d(scope.child('rbr_identity'), x)) : sum)
}

export const repVggBlock: Block = {
  name: 'rep-vgg',
  title: 'RepVGG block',
  examples: [
    {
      label: '64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => repVgg(scope, x),
      cost: { params: 10 * 64 ** 2 + 6 * 64, macs: 10 * 64 ** 2 * 16 * 16 },
    },
    {
      label: '64 to 128 channels, stride 2',
      input: [1, 64, 16, 16],
      build: (scope, x) => repVgg(scope, x, { outputs: 128, stride: 2 }),
      cost: { params: 10 * 64 * 128 + 4 * 128, macs: 10 * 64 * 128 * 8 * 8 },
    },
    {
      label: '128 channels, dilation 2',
      input: [1, 128, 8, 8],
      build: (scope, x) => repVgg(scope, x, { dilation: 2 }),
      cost: { params: 10 * 128 ** 2 + 6 * 128, macs: 10 * 128 ** 2 * 8 * 8 },
    },
  ],
}

/** Options of `mobileOne`. */
export interface MobileOneOptions {
  /** Of the depthwise 3x3 (default 1). */
  readonly dilation?: number
}

/**
 * MobileOne block (Vasu et al. 2023, MobileOne, section 3.3 and figure 3): a depthwise-separable convolution
 * whose two halves have parallel branches in training, each with a norm. A trained half is one convolution,
 * which `rewriteExactly` makes of it.
 *
 * ```
 *    ┌─ depthwise 3x3 ─ norm ─┐            ┌─ 1x1 ─ norm ─┐
 * x ─┼─ depthwise 1x1 ─ norm ─┼─ + ─ ReLU ─┤              ├─ + ─ ReLU
 *    └─ norm ─────────────────┘            └─ norm ───────┘
 * ```
 *
 * One branch of each convolution, as in the paper's S1 to S4; its S0 has four. Without squeeze-and-excitation,
 * which only S4 has.
 *
 * Parameters: C² + 20 C. Multiply-adds: (C² + 10 C) H W; (C² + 9 C) H W once branches are joined.
 *
 * Parameters are named as in the authors' code, where `0` is the depthwise half and `1` the other:
 * `rbr_conv.0`, `rbr_scale`, `rbr_skip`.
 *
 * @param x [N, C, H, W]
 * @returns the same shape
 */
export function mobileOne(scope: Scope, x: Value, { dilation = 1 }: MobileOneOptions = {}): Value {
  const groups = x.shape[1]!
  const each = scope.child(0)
  const around = convNorm(each.child('rbr_conv.0'), x, groups, { kernel: 3, dilation, groups })
  const scale = convNorm(each.child('rbr_scale'), x, groups, { kernel: 1, groups })
  const y = relu(add(add(around, scale), batchNorm2d(each.child('rbr_skip'), x)))

  const all = scope.child(1)
  const mixed = convNorm(all.child('rbr_conv.0'), y, groups, { kernel: 1 })
  return relu(add(mixed, batchNorm2d(all.child('rbr_skip'), y)))
}

export const mobileOneBlock: Block = {
  name: 'mobile-one',
  title: 'MobileOne block',
  examples: [
    {
      label: '64 channels',
      input: [1, 64, 16, 16],
      build: (scope, x) => mobileOne(scope, x),
      cost: { params: 64 ** 2 + 20 * 64, macs: (64 ** 2 + 10 * 64) * 16 * 16 },
    },
  ],
}
