import type { Value } from '../graph.ts'
import type { Shape } from '../tensor.ts'
import { mul, reduceSum } from './arithmetic.ts'
import { type ConvGeometry, endOf, type Overlap, overlap } from './conv-geometry.ts'
import { filled } from './leaf.ts'
import { matmul, transposeLast } from './linear.ts'
import { reshape, slice, stack, transpose } from './shape.ts'

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
export function weightGradientByTaps(x: Value, dy: Value, shape: Shape, geometry: ConvGeometry): Value {
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

function operandsOf(x: Value, dy: Value, group: number): Operands {
  if (group === x.shape[1] && group === dy.shape[1] && group > 1) return elementwise(x, dy)
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

/** Numbers for all axes: those of rows and columns, from axis `at` on, in place of the others'. */
const withinAxes = (at: number) => (own: readonly number[], others: Shape) =>
  others.map((other, axis) => own[axis - at] ?? other)
