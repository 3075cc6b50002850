import type { Value } from '../graph.ts'
import type { Shape } from '../tensor.ts'
import { type ConvGeometry, endOf, overlap } from './conv-geometry.ts'
import { filled } from './leaf.ts'
import { concat, reshape, slice, transpose } from './shape.ts'

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
export function weightGradientByRows(
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
export function rowsAreSafe(x: Value, dy: Value, shape: Shape, geometry: ConvGeometry): boolean {
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
