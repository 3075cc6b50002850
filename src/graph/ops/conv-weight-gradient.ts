import type { Value } from '../graph.ts'
import type { Shape } from '../tensor.ts'
import { reduceSum } from './arithmetic.ts'
import { filled } from './leaf.ts'
import { matmul, transposeLast } from './linear.ts'
import { concat, pad, reshape, slice, sliceAxis, transpose } from './shape.ts'

/** How a convolution walks over its input. */
export type ConvGeometry = {
  readonly strides: readonly [number, number]
  /** Zeros added at the top, left, bottom and right. */
  readonly pads: readonly [number, number, number, number]
  readonly dilations: readonly [number, number]
  readonly group: number
}

/**
 * Gradient of a convolution to its weights, as matrix products: dW = dY · columns(X)ᵀ, summed over the batch.
 *
 * The columns are one strided slice of the padded input a kernel tap. (Written as one convolution with a
 * kernel as large as the image, ONNX Runtime reaches a sixth of the rate.) Taps that never touch the image,
 * as dilations of 8 and more on an 8x8 map have them, get zeros without any work.
 *
 * @param x [N, C, H, W]
 * @param dy [N, O, H', W']
 * @param shape of the weights, [O, C / group, kh, kw]
 */
export function convWeightGradient(x: Value, dy: Value, shape: Shape, geometry: ConvGeometry): Value {
  const { group } = geometry
  const [outputs, perGroup, kh, kw] = shape as [number, number, number, number]
  const [n, , h, w] = dy.shape as [number, number, number, number]
  const taps = Array.from({ length: kh * kw }, (_, i) => ({ row: Math.floor(i / kw), column: i % kw }))
  const live = taps.filter((tap) => touches(tap, x.shape, dy.shape, geometry))
  const slices = live.map((tap) => tapSlice(x, tap, live, dy.shape, geometry))
  const rows = reshape(dy, group === 1 ? [n, outputs, h * w] : [n, group, outputs / group, h * w])
  const product = matmul(rows, transposeLast(columnsOf(slices, group)))
  const perTap = reshape(reduceSum(product, [0]), [outputs, live.length, perGroup])
  const all = live.length === taps.length ? perTap : withDeadTaps(perTap, taps, live)
  return reshape(transpose(all, [0, 2, 1]), shape)
}

/** Slices [N, C, h, w], one a tap, as columns [N, taps * C, h * w], or [N, groups, taps * C / groups, h * w]. */
function columnsOf(slices: readonly Value[], group: number): Value {
  const [n, c, h, w] = slices[0]!.shape as [number, number, number, number]
  if (group === 1) return reshape(concat(slices, 1), [n, slices.length * c, h * w])
  const grouped = slices.map((tap) => reshape(tap, [n, group, c / group, h * w]))
  return concat(grouped, 2)
}

interface Tap {
  readonly row: number
  readonly column: number
}

/** First pixel that a tap reads, in the coordinates of the unpadded image: may be negative. */
function firstPixel({ row, column }: Tap, { pads, dilations }: ConvGeometry): [number, number] {
  return [row * dilations[0] - pads[0], column * dilations[1] - pads[1]]
}

/** Whether a tap ever reads a pixel of the image, not only of its padding. */
function touches(tap: Tap, image: Shape, result: Shape, geometry: ConvGeometry): boolean {
  return firstPixel(tap, geometry).every((first, axis) => {
    const size = image[2 + axis]!
    const stride = geometry.strides[axis]!
    const entry = first >= 0 ? first : first + Math.ceil(-first / stride) * stride
    return entry < size && entry <= first + (result[2 + axis]! - 1) * stride
  })
}

/** What one tap reads of the image, [N, C, H', W']; the image is padded only as far as the live taps reach. */
function tapSlice(x: Value, tap: Tap, live: readonly Tap[], result: Shape, geometry: ConvGeometry): Value {
  const { strides } = geometry
  const [n, c, height, width] = x.shape as [number, number, number, number]
  const firsts = live.map((other) => firstPixel(other, geometry))
  const before = [0, 1].map((axis) => Math.max(0, ...firsts.map((first) => -first[axis]!)))
  const after = [0, 1].map((axis) => {
    const last = Math.max(...firsts.map((first) => first[axis]! + (result[2 + axis]! - 1) * strides[axis]!))
    return Math.max(0, last + 1 - [height, width][axis]!)
  })
  const padded = pad(x, [0, 0, ...before], [0, 0, ...after])
  const start = firstPixel(tap, geometry).map((first, axis) => first + before[axis]!)
  const end = start.map((first, axis) => first + (result[2 + axis]! - 1) * strides[axis]! + 1)
  return slice(padded, [0, 0, ...start], [n, c, ...end], [1, 1, ...strides])
}

/** Puts zeros where a tap was left out: [O, live taps, C] becomes [O, taps, C]. */
function withDeadTaps(perTap: Value, taps: readonly Tap[], live: readonly Tap[]): Value {
  const [outputs, , channels] = perTap.shape as [number, number, number]
  const zeros = filled(perTap.graph, { dtype: 'float32', shape: [outputs, 1, channels] }, 0)
  const pieces = taps.map((tap) => {
    const at = live.indexOf(tap)
    return at === -1 ? zeros : sliceAxis(perTap, 1, at, at + 1)
  })
  return concat(pieces, 1)
}
