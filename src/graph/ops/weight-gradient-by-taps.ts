import type { Value } from '../graph.ts'
import type { Shape } from '../tensor.ts'
import { reduceSum } from './arithmetic.ts'
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
  const operands = group === 1 && isSmall(dy.shape) ? inOneProduct(x, dy) : inOneProductEach(x, dy, group)
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

/** What of dY a tap read for. */
function results(dy: Value, [rows, columns]: readonly [Overlap, Overlap]): Value {
  const [a, b] = dy.shape as [number, number]
  return slice(dy, [0, 0, rows.from, columns.from], [a, b, rows.to, columns.to])
}

/** What of X a tap read. */
function pixels(x: Value, axes: readonly [Overlap, Overlap]): Value {
  const [a, b] = x.shape as [number, number]
  const ends = axes.map(endOf)
  const starts = axes.map(({ first }) => first)
  return slice(x, [0, 0, ...starts], [a, b, ...ends], [1, 1, ...axes.map(({ stride }) => stride)])
}
