// Convolutions with parameters of their own, under PyTorch's names: whole, transposed, depthwise and pointwise. What follows
// them: batch normalisation, and the activations that have parameters or bounds.
import type { Value } from '../graph/graph.ts'
import { add, mul } from '../graph/ops/arithmetic.ts'
import { minimum } from '../graph/ops/compare.ts'
import { type ConvGeometry, type ConvOptions, conv, convTranspose } from '../graph/ops/conv.ts'
import { constant } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { batchNormalise, normalise } from '../graph/ops/normalise.ts'
import { reshape, transpose } from '../graph/ops/shape.ts'
import { leakyRelu, relu } from '../graph/ops/unary.ts'
import { floats, sizeOf, type Tensor } from '../graph/tensor.ts'
import type { Scope } from './scope.ts'

/** A number for both axes, or [height, width]. */
export type Pair = number | readonly [number, number]

/** Both numbers of a pair. */
export const pair = (value: Pair): readonly [number, number] =>
  typeof value === 'number' ? [value, value] : value

/** Options of `conv2d`. A number stands for both height and width. */
export interface Conv2dOptions {
  /** Size of the kernel. */
  readonly kernel: Pair
  /** Step (default 1). */
  readonly stride?: Pair
  /** Zeros at each side; default: what keeps the size at stride 1 (odd kernels). */
  readonly padding?: Pair
  /** Where it has the default padding, a dilation beyond the map is the scope's to clip. */
  readonly dilation?: Pair
  /** Number of groups of channels (default 1). */
  readonly groups?: number
  /** Whether a bias is added (default true). */
  readonly bias?: boolean
}

/**
 * 2-D convolution with its own `weight` [outputs, C / groups, kh, kw] and `bias` [outputs], started as
 * PyTorch starts them: uniform in ±1/√fan, fan = C / groups · kh · kw (He et al. 2015 with a = √5).
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, H', W']
 */
export function conv2d(scope: Scope, x: Value, outputs: number, options: Conv2dOptions): Value {
  const { stride = 1, dilation = 1, groups = 1 } = options
  const kernel = pair(options.kernel)
  const dilations = options.padding === undefined ? dilationsOn(scope, x, kernel, dilation) : pair(dilation)
  const [ph, pw] = pair(options.padding ?? samePadding(kernel, dilations))
  const { weight, bias } = conv2dParameters(scope, x.shape[1]!, outputs, options)
  return convolution(scope, x, weight, bias, {
    strides: pair(stride),
    pads: [ph, pw, ph, pw],
    dilations,
    group: groups,
  })
}

/** The parameters of `conv2d` alone, for those who compute it in another way. */
export function conv2dParameters(
  scope: Scope,
  inputs: number,
  outputs: number,
  { kernel, groups = 1, bias = true }: Pick<Conv2dOptions, 'kernel' | 'groups' | 'bias'>,
): { weight: Value; bias: Value | undefined } {
  const width = scope.width(outputs)
  const shape = [width, inputs / groups, ...pair(kernel)]
  const amount = 1 / Math.sqrt(shape[1]! * shape[2]! * shape[3]!)
  return {
    weight: scope.weight('weight', shape, { kind: 'uniform', amount }),
    bias: bias ? scope.weight('bias', [width], { kind: 'uniform', amount }) : undefined,
  }
}

/** An axis along which the kernel has one tap has no dilation. */
function dilationsOn(scope: Scope, x: Value, kernel: readonly [number, number], dilation: Pair) {
  const [dh, dw] = pair(dilation)
  const [height, width] = x.shape.slice(2) as [number, number]
  return [
    kernel[0] > 1 ? scope.dilation('height', dh, height) : 1,
    kernel[1] > 1 ? scope.dilation('width', dw, width) : 1,
  ] as const
}

function samePadding(kernel: readonly [number, number], dilation: readonly [number, number]) {
  return [((kernel[0] - 1) * dilation[0]) >> 1, ((kernel[1] - 1) * dilation[1]) >> 1] as const
}

/** Options of `convTranspose2d`. A number stands for both height and width. */
export interface ConvTranspose2dOptions {
  /** Size of the kernel. */
  readonly kernel: Pair
  /** Step (default 1). */
  readonly stride?: Pair
  /** Rows and columns that are cut off at each side (default 0). */
  readonly padding?: Pair
  /** Rows and columns that are added at the bottom and right (default 0). */
  readonly outputPadding?: Pair
  /** Whether a bias is added (default true). */
  readonly bias?: boolean
}

/**
 * Transposed 2-D convolution with its own `weight` [C, outputs, kh, kw] and `bias` [outputs], started like
 * conv2d's with fan = outputs · kh · kw.
 */
export function convTranspose2d(
  scope: Scope,
  x: Value,
  outputs: number,
  { kernel, stride = 1, padding = 0, outputPadding = 0, bias = true }: ConvTranspose2dOptions,
): Value {
  const width = scope.width(outputs)
  const [kh, kw] = pair(kernel)
  const [ph, pw] = pair(padding)
  const amount = 1 / Math.sqrt(width * kh * kw)
  const w = scope.weight('weight', [x.shape[1]!, width, kh, kw], { kind: 'uniform', amount })
  const b = bias ? scope.weight('bias', [width], { kind: 'uniform', amount }) : undefined
  return convTranspose(x, w, b, {
    strides: pair(stride),
    pads: [ph, pw, ph, pw],
    outputPadding: pair(outputPadding),
  })
}

/**
 * Depthwise convolution: every channel has a kernel of its own and sees no other channel. Without a bias
 * unless one is asked for, since a norm follows in most blocks.
 *
 * @param x [N, C, H, W]
 * @returns [N, C, H', W']
 */
export function depthwise(scope: Scope, x: Value, options: Omit<Conv2dOptions, 'groups'>): Value {
  const channels = x.shape[1]!
  return conv2d(scope, x, channels, { bias: false, ...options, groups: channels })
}

/** Convolution of one pixel, 1x1, without a bias unless one is asked for: [N, C, H, W] to [N, outputs, H, W]. */
export function pointwise(scope: Scope, x: Value, outputs: number, { bias = false, groups = 1 } = {}): Value {
  return conv2d(scope, x, outputs, { kernel: 1, bias, groups })
}

/**
 * A convolution, in training in the form that is fastest with its gradients. ONNX Runtime computes one picture
 * after the other: where maps are small and kernels large it reads megabytes of weights for a few pixels, and the
 * gradients need those weights reversed. There, the columns of all pictures are written and multiplied
 * once; the gradients are then two more products, with the weights as they stand.
 *
 * @param x [N, C, H, W]
 * @param weight [O, C / group, kh, kw]
 * @param bias [O], optional
 */
export function convolution(
  scope: Scope,
  x: Value,
  weight: Value,
  bias: Value | undefined,
  options: ConvOptions,
): Value {
  const direct = conv(x, weight, bias, options)
  const { strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1 } = options
  if (!scope.training || group !== 1 || !hasMoreWeights(direct)) return direct
  return byColumns(x, weight, bias, direct.shape, { strides, pads, dilations, group })
}

/** Whether columns are smaller than half of the weights: C kh kw · N H' W' against O · C kh kw. */
function hasMoreWeights({ shape: [n, outputs, h, w] }: Value): boolean {
  return n! * h! * w! < 2 * outputs!
}

function byColumns(
  x: Value,
  weight: Value,
  bias: Value | undefined,
  shape: readonly number[],
  geometry: ConvGeometry,
): Value {
  const [outputs, c, kh, kw] = weight.shape as [number, number, number, number]
  const [n, , h, w] = shape as [number, number, number, number]
  const [pixels, rows] = [x.shape[2]! * x.shape[3]!, c * kh * kw]
  const taken = matmul(reshape(x, [n * c, pixels]), constant(x.graph, selection(x, weight, shape, geometry)))
  const columns = transpose(reshape(taken, [n, rows, h * w]), [1, 0, 2])
  const product = matmul(reshape(weight, [outputs, rows]), reshape(columns, [rows, n * h * w]))
  const y = transpose(reshape(product, [outputs, n, h, w]), [1, 0, 2, 3])
  return bias === undefined ? y : add(y, reshape(bias, [1, outputs, 1, 1]))
}

/**
 * Which pixel each tap reads for each result, as a matrix of 0 and 1, [H W, kh kw H' W']: on small maps a product
 * with it costs less than the slices and padding that it stands for, forwards and backwards.
 */
function selection(
  x: Value,
  weight: Value,
  [, , h, w]: readonly number[],
  { strides, pads, dilations }: ConvGeometry,
): Tensor<'float32'> {
  const [height, width] = x.shape.slice(2) as [number, number]
  const [kh, kw] = weight.shape.slice(2) as [number, number]
  const columns = kh * kw * h! * w!
  const matrix = new Float32Array(height * width * columns)
  for (let column = 0; column < columns; column++) {
    const tap = Math.floor(column / (h! * w!))
    const [i, j] = [Math.floor(column / w!) % h!, column % w!]
    const row = i * strides[0] + Math.floor(tap / kw) * dilations[0] - pads[0]
    const place = j * strides[1] + (tap % kw) * dilations[1] - pads[1]
    const inside = row >= 0 && row < height && place >= 0 && place < width
    if (inside) matrix[(row * width + place) * columns + column] = 1
  }
  return floats(matrix, [height * width, columns])
}

/** How much of the running statistics one batch replaces (PyTorch's default). */
const momentum = 0.1

/**
 * Batch normalisation (Ioffe and Szegedy 2015) with PyTorch's names: `weight`, `bias`, `running_mean`,
 * `running_var`. In training it uses the batch's statistics and records the running ones, whose variance is
 * the unbiased one, as in PyTorch.
 *
 * @param x [N, C, H, W]
 * @param options `epsilon`, added to the variance (default 1e-5), and `gain`, where the scale `weight` starts (default 1)
 */
export function batchNorm2d(
  scope: Scope,
  x: Value,
  { epsilon = 1e-5, gain = 1 }: { epsilon?: number; gain?: number } = {},
): Value {
  const channels = x.shape[1]!
  const gamma = scope.weight('weight', [channels], { kind: 'fill', value: gain })
  const beta = scope.weight('bias', [channels], { kind: 'fill', value: 0 })
  const mean = scope.buffer('running_mean', [channels], { kind: 'fill', value: 0 })
  const variance = scope.buffer('running_var', [channels], { kind: 'fill', value: 1 })
  if (!scope.training) return normalise(x, { gamma, beta, mean, variance }, epsilon)

  const batch = batchNormalise(x, gamma, beta, epsilon)
  const count = sizeOf(x.shape) / channels
  const unbiased = mul(batch.variance, count / Math.max(count - 1, 1))
  const follow = (name: string, running: Value, now: Value) =>
    scope.update(name, add(mul(scope.current(name, running), 1 - momentum), mul(now, momentum)))
  follow('running_mean', mean, batch.mean)
  follow('running_var', variance, unbiased)
  return batch.value
}

/**
 * Convolution without a bias, then a norm: `conv` and `bn`, as the authors of RepVGG and MobileOne name them.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, H', W']
 */
export function convNorm(
  scope: Scope,
  x: Value,
  outputs: number,
  options: Omit<Conv2dOptions, 'bias'>,
): Value {
  return batchNorm2d(scope.child('bn'), conv2d(scope.child('conv'), x, outputs, { ...options, bias: false }))
}

/**
 * Where the scale of a residual block's last norm starts. A deep residual network whose blocks start near the
 * identity learns sooner (Goyal et al. 2017, section 5.1, start at 0; a little more lets every weight have a
 * gradient). Measured on a talking head, LEDNet, 90 s of training: L1 0.665 of the still picture's instead of
 * 0.684 from 1.
 */
export const residualGain = 0.1

/** Options of `prelu`. */
export interface PreluOptions {
  /** A slope for each channel (default: one for all). */
  readonly perChannel?: boolean
}

/**
 * Parametric ReLU (He et al. 2015, Delving Deep into Rectifiers, section 2.1): x where it is above 0, a · x
 * elsewhere. The slope a is trained: `weight` [1], or [C] with one slope a channel. It starts at 0.25, as in
 * the paper and in PyTorch.
 *
 * Parameters: 1, or C. Two calls with one scope share the slope.
 *
 * @param x [N, C, H, W]
 * @returns the same shape
 */
export function prelu(scope: Scope, x: Value, { perChannel = false }: PreluOptions = {}): Value {
  const slopes = perChannel ? x.shape[1]! : 1
  const weight = scope.weight('weight', [slopes], { kind: 'fill', value: 0.25 })
  return leakyRelu(x, reshape(weight, [1, slopes, 1, 1]))
}

/** min(max(x, 0), 6): what MobileNets use, whose values then fit a few bits. No gradient above 6. */
export const relu6 = (x: Value): Value => minimum(relu(x), 6)
