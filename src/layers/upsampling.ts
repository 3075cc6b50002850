// Upsampling: the learned one of FCN (Long, Shelhamer, Darrell 2015), max unpooling, with which SegNet and ENet undo their
// max pools, and the convolution of a map that nearest neighbour doubled, in the form that trains fastest.

import type { Value } from '../graph/graph.ts'
import { add, expand, mul, sub } from '../graph/ops/arithmetic.ts'
import { greater, where } from '../graph/ops/compare.ts'
import { convTranspose } from '../graph/ops/conv.ts'
import { gather, scatterAdd } from '../graph/ops/gather.ts'
import { constant } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { resize } from '../graph/ops/pool.ts'
import { concat, pad, reshape, slice } from '../graph/ops/shape.ts'
import { abs } from '../graph/ops/unary.ts'
import { allocate, floats, type Shape, sizeOf, type Tensor, tensor } from '../graph/tensor.ts'
import { InputError } from '../util/errors.ts'
import { conv2d, conv2dParameters, convolution } from './conv2d.ts'
import type { Block, Scope } from './scope.ts'

/**
 * Learned upsampling (Long, Shelhamer, Darrell 2015, FCN, section 3.3): a transposed convolution without
 * bias, whose kernel of 2f x 2f pixels starts as bilinear interpolation of each channel by itself and is then
 * trained.
 *
 * ```
 * x ── 2f x 2f transposed, stride f ──
 * ```
 *
 * Parameters, at C channels and a factor f: 4 f² C². Multiply-adds: 4 f² C² h w at the input's h x w.
 *
 * @param x [N, C, H, W]
 * @param factor f: even
 * @returns [N, C, f H, f W]
 * @throws InputError for a factor that is not even.
 */
export function bilinearUpsampling(scope: Scope, x: Value, factor: number): Value {
  if (!(factor > 0 && factor % 2 === 0)) {
    throw new InputError({
      what: 'a factor of learned upsampling is not even',
      got: String(factor),
      expected: '2, 4, 6 and so on, so that the kernel reaches as far on both sides',
    })
  }
  const values = bilinearKernel(x.shape[1]!, factor)
  const weight = scope.weight('weight', values.shape, { kind: 'values', values })
  // What the kernel reaches beyond factor pixels is half on each side.
  const pad = factor / 2
  return convTranspose(x, weight, undefined, { strides: [factor, factor], pads: [pad, pad, pad, pad] })
}

/** The kernel [C, C, 2f, 2f] under which a transposed convolution of stride f interpolates channel by channel. */
function bilinearKernel(channels: number, factor: number): Tensor<'float32'> {
  const side = 2 * factor
  const line = Array.from({ length: side }, (_, i) => 1 - Math.abs(i - (side - 1) / 2) / factor)
  const plane = line.flatMap((a) => line.map((b) => a * b))
  const data = allocate('float32', channels ** 2 * plane.length)
  for (let c = 0; c < channels; c++) data.set(plane, c * (channels + 1) * plane.length)
  return tensor('float32', [channels, channels, side, side], data)
}

export const bilinearUpsamplingBlock: Block = {
  name: 'bilinear-upsampling',
  title: 'Learned bilinear upsampling',
  examples: [
    {
      label: '21 channels, twice',
      input: [1, 21, 8, 8],
      build: (scope, x) => bilinearUpsampling(scope, x, 2),
      cost: { params: 16 * 21 ** 2, macs: 16 * 21 ** 2 * 8 * 8 },
    },
    {
      label: '10 channels, eight times',
      input: [1, 10, 8, 8],
      build: (scope, x) => bilinearUpsampling(scope, x, 8),
      cost: { params: 256 * 10 ** 2, macs: 256 * 10 ** 2 * 8 * 8 },
    },
  ],
}

/** The pool whose indices are undone: the side of its windows and how far they stand apart. */
export interface PoolWindows {
  /** Default: 2. */
  readonly kernel?: number
  /** Default: 2. */
  readonly stride?: number
}

/**
 * Max unpooling (Zeiler et al. 2011; Badrinarayanan et al. 2015, SegNet; Paszke et al. 2016, ENet, section 4):
 * each value goes back to the pixel that its window's maximum was taken from, and all other pixels are 0.
 *
 * ```
 * pooled from       index      values      unpooled
 * 1 5 │ 2 0                                0 a │ 0 0
 * 3 4 │ 7 1         1  6       a  b        0 0 │ b 0
 * ────┼────    →               c  d   →    ────┼────
 * 9 0 │ 0 2         8  15                  c 0 │ 0 0
 * 1 1 │ 3 8                                0 0 │ 0 d
 * ```
 *
 * Windows that overlap (kernel above stride) may have one maximum in common. Then the value of the last of
 * them, row by row, stays: that is what PyTorch's MaxUnpool2d leaves. Values that do not stay have no gradient;
 * PyTorch gives each of them the gradient of the pixel.
 *
 * Parameters and multiply-adds: none.
 *
 * @param x [N, C, h, w]
 * @param index of a max pool, of the same shape: flat places in an array of `shape`
 * @param shape [N, C, H, W], of what was pooled
 * @returns [N, C, H, W]
 */
export function maxUnpool(x: Value, index: Value, shape: Shape, windows: PoolWindows = {}): Value {
  const { kernel = 2, stride = 2 } = windows
  const kept = lastOfEqual(x, index, shape, Math.ceil(kernel / stride) - 1)
  const flat = scatterAdd(reshape(index, [-1]), reshape(kept, [-1]), 0, sizeOf(shape))
  return reshape(flat, shape)
}

/** Values, with 0 instead of those whose index comes again in a later window, at most `reach` away. */
function lastOfEqual(x: Value, index: Value, shape: Shape, reach: number): Value {
  const [height, width] = x.shape.slice(2) as [number, number]
  const place = placeInPlane(index, shape)
  const differences: Value[] = []
  for (let dy = 0; dy <= Math.min(reach, height - 1); dy++) {
    const farthest = Math.min(reach, width - 1)
    for (let dx = dy === 0 ? 1 : -farthest; dx <= farthest; dx++) {
      differences.push(sub(place, shifted(place, dy, dx)))
    }
  }
  if (differences.length === 0) return x
  const product = differences.reduce((all, difference) => mul(all, difference))
  return where(greater(abs(product), 0), x, 0)
}

/** Row by row, the place of each index in its own plane: a whole number that a float holds exactly. */
function placeInPlane(index: Value, shape: Shape): Value {
  const [height, width] = shape.slice(2) as [number, number]
  const line = (size: number, step: number) => Array.from({ length: size }, (_, i) => i * step)
  const rows = constant(index.graph, floats(line(height, width), [1, 1, height, 1]))
  const plane = add(rows, constant(index.graph, floats(line(width, 1), [1, 1, 1, width])))
  const all = reshape(expand(plane, shape), [-1])
  return reshape(gather(all, reshape(index, [-1]), 0), index.shape)
}

/** What stands `dy` rows below and `dx` columns to the right (to the left if negative), or -1 for nothing. */
function shifted(x: Value, dy: number, dx: number): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const left = Math.max(-dx, 0)
  const right = Math.max(dx, 0)
  const inside = slice(x, [0, 0, dy, right], [n, c, h, w - left])
  return pad(inside, [0, 0, 0, left], [0, 0, dy, right], -1)
}

/**
 * 3x3 convolution of a map that nearest neighbour doubled, with the parameters and results of `conv2d`. Each
 * small pixel is read up to four times, so results at even and odd rows and columns are four 2x2 convolutions of
 * the small map, whose kernels are sums of the 3x3's taps: 16 products per small pixel instead of 36, and as many
 * in both gradients. Networks are written as published; a training step computes it this way.
 *
 * ```
 * rows of the doubled map   a a b b c c       taps w0 w1 w2
 * at the first b            a [a b b] c c     w0 a + (w1 + w2) b
 * at the second b           a a [b b c] c     (w0 + w1) b + w2 c
 * ```
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, 2 H, 2 W]
 */
export function doubledConv2d(
  scope: Scope,
  x: Value,
  outputs: number,
  { bias: withBias = true }: { readonly bias?: boolean } = {},
): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const options = { kernel: 3, bias: withBias } as const
  if (!scope.training) return conv2d(scope, resize(x, [2 * h, 2 * w], 'nearest'), outputs, options)

  const { weight, bias } = conv2dParameters(scope, c, outputs, options)
  const width = weight.shape[0]!
  const places = bits.flatMap((row) => bits.map((column) => [row, column] as const))
  const parts = places.map(([row, column]) => {
    const pads = [1 - row, 1 - column, row, column] as const
    return convolution(scope, x, sharedTaps(weight, row, column), bias, { pads })
  })
  // Rows of even and of odd results stand one after the other: even columns, then odd ones, to be put in turn.
  const rows = reshape(concat(parts, 3), [n * width * 2 * h, 2 * w])
  return reshape(matmul(rows, constant(x.graph, inTurn(w))), [n, width, 2 * h, 2 * w])
}

/** [2 W, 2 W]: sends two halves of a row to even and to odd places. ONNX Runtime transposes at a third of the rate. */
function inTurn(width: number): Tensor<'float32'> {
  const matrix = new Float32Array(4 * width * width)
  for (let i = 0; i < width; i++) {
    matrix[i * 2 * width + 2 * i] = 1
    matrix[(width + i) * 2 * width + 2 * i + 1] = 1
  }
  return floats(matrix, [2 * width, 2 * width])
}

const bits = [0, 1] as const

/** Whether a tap of three falls on a tap of two, at even places and at odd ones: [even or odd][of two][of three]. */
const falls = [
  [
    [1, 0, 0],
    [0, 1, 1],
  ],
  [
    [1, 1, 0],
    [0, 0, 1],
  ],
] as const

/**
 * The 2x2 kernel of the results at even or odd rows and columns.
 *
 * @param weight [O, C, 3, 3]
 * @returns [O, C, 2, 2]
 */
export function sharedTaps(weight: Value, row: 0 | 1, column: 0 | 1): Value {
  const [outputs, c] = weight.shape as [number, number]
  const sums = constant(weight.graph, floats(sharing(row, column), [9, 4]))
  return reshape(matmul(reshape(weight, [outputs * c, 9]), sums), [outputs, c, 2, 2])
}

/** [9, 4]: which taps of the 3x3 are summed to which of the 2x2, at these rows and columns. */
function sharing(row: 0 | 1, column: 0 | 1): number[] {
  return [0, 1, 2].flatMap((down) =>
    [0, 1, 2].flatMap((across) =>
      bits.flatMap((i) => bits.map((j) => falls[row][i][down]! * falls[column][j][across]!)),
    ),
  )
}
