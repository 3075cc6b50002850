/** Keypoints of one picture as plain numbers; src/motion/keypoints.ts has them as values of a graph. */
export interface Keypoints {
  /** [K, 2], (x, y) in [-1, 1]: -1 and 1 are the centres of the first and last pixel. */
  readonly value: Float32Array
  /** [K, 2, 2], the local affine maps, row by row; undefined for a model of points alone. */
  readonly jacobian: Float32Array | undefined
}

/** A 2x2 matrix, row by row. */
export type Matrix = readonly [number, number, number, number]

/** The matrix that starts at `index` of a flat array. */
export function matrixAt(flat: ArrayLike<number>, index: number): Matrix {
  return [flat[index]!, flat[index + 1]!, flat[index + 2]!, flat[index + 3]!]
}

export function product([a, b, c, d]: Matrix, [e, f, g, h]: Matrix): Matrix {
  return [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h]
}

export function determinant([a, b, c, d]: Matrix): number {
  return a * d - b * c
}

/** Inverse by the adjugate; infinite or not a number where the determinant is 0. */
export function inverse(matrix: Matrix): Matrix {
  const [a, b, c, d] = matrix
  const over = 1 / determinant(matrix)
  return [d * over, -b * over, -c * over, a * over]
}
