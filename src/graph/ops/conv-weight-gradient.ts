// The gradient of a convolution to its weights, in the three forms that ONNX Runtime computes fastest: by rows of the kernel,
// by taps, and, if it is depthwise, by strips of the picture.

import type { Value } from '../graph.ts'
import { floats, type Shape } from '../tensor.ts'
import { mul, reduceSum } from './arithmetic.ts'
import { take } from './gather.ts'
import { constant, filled } from './leaf.ts'
import { matmul, transposeLast } from './linear.ts'
import { concat, pad, reshape, slice, sliceAxis, stack, transpose } from './shape.ts'

/**
 * Gradient of a convolution to its weights, in whichever form is faster for the shape (docs/speed.md has the
 * measurements).
 *
 * @param x [N, C, H, W]
 * @param dy [N, O, H', W']
 * @param shape of the weights, [O, C / group, kh, kw]
 * @param convolve how a convolution is written
 */
export function convWeightGradient(
  x: Value,
  dy: Value,
  shape: Shape,
  geometry: ConvGeometry,
  convolve: Convolve,
): Value {
  if (geometry.group === 1 && isWide(shape) && rowsAreSafe(x, dy, shape, geometry)) {
    return weightGradientByRows(x, dy, shape, geometry, convolve)
  }
  const rows = stripRows(x, dy, geometry)
  return rows === undefined
    ? weightGradientByTaps(x, dy, shape, geometry)
    : weightGradientByStrips(x, dy, shape, geometry, rows)
}

/** Enough taps and channels in a row to make the columns of a product. */
const isWide = ([, channels, , kw]: Shape) => kw! > 3 || (kw! > 1 && kw! * channels! >= 64)

/** How a convolution walks over its input. */
export type ConvGeometry = {
  readonly strides: readonly [number, number]
  /** Zeros added at the top, left, bottom and right. */
  readonly pads: readonly [number, number, number, number]
  readonly dilations: readonly [number, number]
  readonly group: number
}

/** Where a tap is inside of the image, along one axis: results `from` to `to`, of which the first reads `first`. */
interface Overlap {
  readonly from: number
  readonly to: number
  readonly first: number
  readonly stride: number
}

/**
 * @param axis 0 for rows, 1 for columns
 * @param tap its place in the kernel along the axis
 * @param image [N, C, H, W]
 * @param result [N, O, H', W']
 */
export function overlap(
  axis: 0 | 1,
  tap: number,
  image: Shape,
  result: Shape,
  geometry: ConvGeometry,
): Overlap {
  const stride = geometry.strides[axis]
  const start = tap * geometry.dilations[axis] - geometry.pads[axis]!
  const from = Math.max(0, Math.ceil(-start / stride))
  const to = Math.min(result[2 + axis]!, Math.floor((image[2 + axis]! - 1 - start) / stride) + 1)
  return { from, to, first: start + from * stride, stride }
}

/** The index after the last that is read. */
export const endOf = ({ from, to, first, stride }: Overlap): number => first + (to - from - 1) * stride + 1

/** A convolution without groups or bias, as `conv.ts` has it: that file stands above this one. */
export type Convolve = (
  x: Value,
  w: Value,
  geometry: Pick<ConvGeometry, 'strides' | 'pads' | 'dilations'>,
) => Value

/**
 * Gradient of a convolution's weights, one row of the kernel at a time, each as a convolution itself: over X with
 * channels last, pictures and rows are what is summed over, dY is a kernel as wide as the picture, and the result has
 * a column for each tap and channel. So ONNX Runtime gathers what each tap reads piece by piece, in cache, in runs
 * as long as there are channels, and one product does the rest. (With channels first those runs are as long as the
 * kernel is wide, and it reaches a sixth of that rate.)
 *
 * @param x [N, C, H, W]
 * @param dy [N, O, H', W']
 * @param shape of the weights, [O, C, kh, kw]
 */
function weightGradientByRows(
  x: Value,
  dy: Value,
  shape: Shape,
  geometry: ConvGeometry,
  convolve: Convolve,
): Value {
  const [outputs, inputs, kh, kw] = shape as [number, number, number, number]
  const [n, , , width] = x.shape as [number, number, number, number]
  const columns = dy.shape[3]!
  const image = toWidth(transpose(x, [0, 2, 3, 1]), neededWidth(kw, columns, geometry))
  const kernel = transpose(dy, [1, 0, 2, 3])
  const [, left] = geometry.pads
  const right = Math.max(0, neededWidth(kw, columns, geometry) - width)
  const rows = Array.from({ length: kh }, (_, row) => {
    const at = overlap(0, row, x.shape, dy.shape, geometry)
    if (at.to <= at.from) {
      return filled(x.graph, { dtype: 'float32', shape: [1, outputs, kw, inputs] }, 0)
    }
    const read = slice(
      image,
      [0, at.first, 0, 0],
      [n, endOf(at), image.shape[2]!, inputs],
      [1, at.stride, 1, 1],
    )
    const given = slice(kernel, [0, 0, at.from, 0], [outputs, n, at.to, columns])
    return convolve(
      reshape(read, [1, -1, image.shape[2]!, inputs]),
      reshape(given, [outputs, -1, columns, 1]),
      { pads: [left, 0, right, 0], strides: [geometry.dilations[1], 1], dilations: [geometry.strides[1], 1] },
    )
  })
  // [kh, O, kw, C]
  return transpose(concat(rows, 0), [1, 3, 0, 2])
}

/**
 * Whether every row's convolution is one that ONNX Runtime 1.30's WebGPU provider computes rightly: where the
 * channels, here pictures times rows, are a multiple of 3, above 3, and none of 4, its results are wrong.
 */
function rowsAreSafe(x: Value, dy: Value, shape: Shape, geometry: ConvGeometry): boolean {
  return Array.from({ length: shape[2]! }, (_, row) => {
    const { from, to } = overlap(0, row, x.shape, dy.shape, geometry)
    return x.shape[0]! * Math.max(0, to - from)
  }).every((channels) => channels % 3 !== 0 || channels % 4 === 0)
}

/** Columns from the picture's left border to the last one that any tap reads. */
const neededWidth = (kw: number, columns: number, { strides, pads, dilations }: ConvGeometry) =>
  (kw - 1) * dilations[1] + (columns - 1) * strides[1] + 1 - pads[1]

/** Columns that no tap reads are left out: each would be taken for a tap more. */
function toWidth(image: Value, needed: number): Value {
  const [n, height, width, channels] = image.shape as [number, number, number, number]
  return needed < width ? slice(image, [0, 0, 0, 0], [n, height, needed, channels]) : image
}

/**
 * Gradient of a convolution's weights, tap by tap. Each tap's is a matrix product of what it read of X with the dY
 * of the pixels that it read for: dW[tap] = dY[overlap] · X[overlap]ᵀ, summed over the batch. Both are sliced to
 * where the tap is inside of the image, so nothing is padded, and no columns of all taps are written. Taps that
 * never touch the image, as dilations of 8 and more on an 8x8 map have them, are zeros without any work.
 *
 * @param x [N, C, H, W]
 * @param dy [N, O, H', W']
 * @param shape of the weights, [O, C / group, kh, kw]
 */
function weightGradientByTaps(x: Value, dy: Value, shape: Shape, geometry: ConvGeometry): Value {
  const { group } = geometry
  const [outputs, perGroup, kh, kw] = shape as [number, number, number, number]
  const operands = operandsOf(x, dy, group)
  const none = filled(x.graph, { dtype: 'float32', shape: operands.result }, 0)
  const taps = Array.from({ length: kh * kw }, (_, i) => {
    const axes = [
      overlap(0, Math.floor(i / kw), x.shape, dy.shape, geometry),
      overlap(1, i % kw, x.shape, dy.shape, geometry),
    ]
    return axes.some(({ to, from }) => to <= from) ? none : operands.product(axes as [Overlap, Overlap])
  })
  // [taps, sums, O, C / group]
  const all = reshape(stack(taps, 0), [kh * kw, operands.sums, outputs, perGroup])
  return reshape(transpose(reduceSum(all, [1]), [1, 2, 0]), shape)
}

/** Maps of fewer pixels are as fast by taps. */
const leastStripped = 256
/** A product of strips of 8 rows makes four times the products that are wanted, and is fast all the same. */
const stripHeights = [8, 7, 9, 6, 10, 5, 12, 16, 4]

/** Rows of a strip, if the gradient of the weights is faster by strips. */
function stripRows(x: Value, dy: Value, { strides, group }: ConvGeometry): number | undefined {
  const [, , height, width] = dy.shape as [number, number, number, number]
  const fits = isDepthwise(x, dy, group) && strides.every((stride) => stride === 1)
  if (!fits || height * width < leastStripped) return undefined
  return stripHeights.find((rows) => height % rows === 0)
}

/**
 * Gradient of the weights of a depthwise convolution at stride 1, by strips of rows. The product of a strip of dY with the
 * rows of X that it was computed from has, on its diagonals, what each row of the kernel is summed from. One product for each
 * column of the kernel does the work of all its taps, so maps are read three times and not eighteen.
 *
 * @param x [N, C, H, W]
 * @param dy [N, C, H', W']
 * @param shape of the weights, [C, 1, kh, kw]
 * @param strip rows of dY in a strip, a divisor of H'
 */
function weightGradientByStrips(
  x: Value,
  dy: Value,
  shape: Shape,
  { pads, dilations }: ConvGeometry,
  strip: number,
): Value {
  const [c, , kh, kw] = shape as [number, number, number, number]
  const [n, , height, width] = dy.shape as [number, number, number, number]
  const strips = height / strip
  const read = strip + (kh - 1) * dilations[0]
  const padded = pad(x, [0, 0, pads[0], pads[1]], [0, 0, pads[2], pads[3]])
  const places = Array.from({ length: strips * read }, (_, i) => Math.floor(i / read) * strip + (i % read))
  const rows = take(padded, places, 2)
  const given = reshape(dy, [n * c, strips, strip, width])
  const columns = Array.from({ length: kw }, (_, column) => {
    const first = column * dilations[1]
    const seen = reshape(sliceAxis(rows, 3, first, first + width), [n * c, strips, read, width])
    return matmul(given, transposeLast(seen))
  })
  // [kw, C, strip · read]
  const sums = reduceSum(reshape(stack(columns, 0), [kw, n, c, strips, strip * read]), [1, 3])
  const rowOf = (i: number, row: number) => (i % read) - Math.floor(i / read) === row * dilations[0]
  const diagonals = Float32Array.from({ length: strip * read * kh }, (_, i) =>
    rowOf(Math.floor(i / kh), i % kh) ? 1 : 0,
  )
  const taps = matmul(sums, constant(x.graph, floats(diagonals, [strip * read, kh])))
  return reshape(transpose(taps, [1, 2, 0]), shape)
}

/** Each channel by itself. */
const isDepthwise = (x: Value, dy: Value, group: number) =>
  group > 1 && group === x.shape[1] && group === dy.shape[1]

function operandsOf(x: Value, dy: Value, group: number): Operands {
  if (isDepthwise(x, dy, group)) return elementwise(x, dy)
  return group === 1 && isSmall(dy.shape) ? inOneProduct(x, dy) : inOneProductEach(x, dy, group)
}

/** Maps of few pixels: a product for each picture would be too small to be fast. */
const isSmall = ([, , h, w]: Shape) => h! * w! <= 64

/** How products of one tap are made. */
interface Operands {
  product(axes: readonly [Overlap, Overlap]): Value
  readonly result: Shape
  /** How many products of a tap are still to be summed. */
  readonly sums: number
}

/** Channels first: pictures and pixels are one axis, and one product sums over both. */
function inOneProduct(x: Value, dy: Value): Operands {
  const [images, gradients] = [transpose(x, [1, 0, 2, 3]), transpose(dy, [1, 0, 2, 3])]
  const rows = (value: Value) => reshape(value, [value.shape[0]!, -1])
  return {
    product: (axes) => matmul(rows(results(gradients, axes)), transpose(rows(pixels(images, axes)), [1, 0])),
    result: [dy.shape[1]!, x.shape[1]!],
    sums: 1,
  }
}

/**
 * Depthwise: a matrix product of one row and one column for each picture and channel would be thousands of calls. With
 * channels last, what a tap reads and what it gives are multiplied as they lie, all channels at once.
 */
function elementwise(x: Value, dy: Value): Operands {
  const [images, gradients] = [transpose(x, [0, 2, 3, 1]), transpose(dy, [0, 2, 3, 1])]
  return {
    product: (axes) => reduceSum(mul(results(gradients, axes, 1), pixels(images, axes, 1)), [0, 1, 2]),
    result: [x.shape[1]!],
    sums: 1,
  }
}

/** A product for each picture and group. */
function inOneProductEach(x: Value, dy: Value, group: number): Operands {
  const grouped = (value: Value) => {
    const [n, c] = value.shape as [number, number]
    return reshape(value, [n, group, c / group, -1])
  }
  const [n, outputs] = dy.shape as [number, number]
  return {
    product: (axes) => matmul(grouped(results(dy, axes)), transposeLast(grouped(pixels(x, axes)))),
    result: [n, group, outputs / group, x.shape[1]! / group],
    sums: n,
  }
}

/** What of dY a tap read for. @param at which axis rows are; columns are the next */
function results(dy: Value, [rows, columns]: readonly [Overlap, Overlap], at = 2): Value {
  const cut = withinAxes(at)
  return slice(dy, cut([rows.from, columns.from], [0, 0, 0, 0]), cut([rows.to, columns.to], dy.shape))
}

/** What of X a tap read. @param at which axis rows are; columns are the next */
function pixels(x: Value, axes: readonly [Overlap, Overlap], at = 2): Value {
  const cut = withinAxes(at)
  const starts = cut(
    axes.map(({ first }) => first),
    [0, 0, 0, 0],
  )
  const steps = cut(
    axes.map(({ stride }) => stride),
    [1, 1, 1, 1],
  )
  return slice(x, starts, cut(axes.map(endOf), x.shape), steps)
}

/** One number for each axis: `own` for rows and columns, which are axes `at` and `at + 1`, and `others` for the rest. */
const withinAxes = (at: number) => (own: readonly number[], others: Shape) =>
  others.map((other, axis) => own[axis - at] ?? other)
