// What goes into models and comes out, as plain numbers: pictures of bytes as planes, square frames and their sizes,
// keypoints and arithmetic of their 2x2 matrices. (src/motion/keypoints.ts has keypoints as values of a graph.)
import { floats, type Tensor, tensor } from '../graph/tensor.ts'
import type { Frame } from '../media/clip.ts'
import { createResampler } from '../media/resample.ts'

/** RGB [size, size, 3], 0 to 255, as [1, 3, size, size] in [0, 1]. */
export function toPlanes(pixels: Uint8Array, size: number): Tensor<'float32'> {
  const area = size * size
  const planes = new Float32Array(3 * area)
  for (let i = 0, from = 0; i < area; i++, from += 3) {
    planes[i] = pixels[from]! / 255
    planes[area + i] = pixels[from + 1]! / 255
    planes[2 * area + i] = pixels[from + 2]! / 255
  }
  return tensor('float32', [1, 3, size, size], planes)
}

/** The inverse of `toPlanes`. Values are rounded and clipped to 0 to 255. */
export function fromPlanes(planes: Float32Array, size: number): Uint8Array {
  const area = size * size
  const pixels = new Uint8ClampedArray(3 * area)
  for (let i = 0, to = 0; i < area; i++, to += 3) {
    pixels[to] = 255 * planes[i]!
    pixels[to + 1] = 255 * planes[area + i]!
    pixels[to + 2] = 255 * planes[2 * area + i]!
  }
  return new Uint8Array(pixels.buffer)
}

/** A frame over the square picture RGB [side, side, 3], which is not copied. Times are in seconds. */
export function squareFrame(data: Uint8Array, time = 0, duration = 0): Frame {
  const side = Math.round(Math.sqrt(data.length / 3))
  return { width: side, height: side, data, time, duration }
}

/** The frame at another size in pixels. Shrinking takes the mean of the pixels covered; growing is bilinear. */
export function resized(frame: Frame, width: number, height = width): Frame {
  if (frame.width === width && frame.height === height) return frame
  const whole = { left: 0, top: 0, width: frame.width, height: frame.height }
  return { ...frame, width, height, data: createResampler(frame, whole, { width, height })(frame.data) }
}

/** Keypoints of one picture as plain numbers. */
export interface Keypoints {
  /** [K, 2], (x, y) in [-1, 1]: -1 and 1 are the centres of the first and last pixel. */
  readonly value: Float32Array
  /** [K, 2, 2], the local affine maps, row by row; undefined if the model has points only. */
  readonly jacobian: Float32Array | undefined
}

/** Points [K, 2] as [1, K, 2]. */
export const toPoints = (value: Float32Array): Tensor<'float32'> => floats(value, [1, value.length / 2, 2])

/** Matrices [K, 2, 2] as [1, K, 2, 2]. */
export const toMatrices = (jacobian: Float32Array): Tensor<'float32'> =>
  floats(jacobian, [1, jacobian.length / 4, 2, 2])

/** A 2x2 matrix, row by row. */
export type Matrix = readonly [number, number, number, number]

/** The matrix that starts at `index` of a flat array. */
export function matrixAt(flat: ArrayLike<number>, index: number): Matrix {
  return [flat[index]!, flat[index + 1]!, flat[index + 2]!, flat[index + 3]!]
}

/** The matrix product of two 2x2 matrices. */
export function product([a, b, c, d]: Matrix, [e, f, g, h]: Matrix): Matrix {
  return [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h]
}

/** The determinant of a 2x2 matrix. */
export function determinant([a, b, c, d]: Matrix): number {
  return a * d - b * c
}

/** The inverse of a 2x2 matrix, by the adjugate. Its entries are infinite or NaN if the determinant is 0. */
export function inverse(matrix: Matrix): Matrix {
  const [a, b, c, d] = matrix
  const over = 1 / determinant(matrix)
  return [d * over, -b * over, -c * over, a * over]
}
