// Keypoints of one picture as plain numbers, and arithmetic of their 2x2 matrices. (src/motion/keypoints.ts has
// keypoints as values of a graph.)
import { floats, type Tensor } from '../graph/tensor.ts'

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
