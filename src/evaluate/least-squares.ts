/**
 * Of the ridge, as a part of the mean of the Gram matrix's diagonal. It stands for 0: inputs that spread by less
 * than 1e-5 of their size in some direction are below what float32 keypoints say.
 */
const ridge = 1e-10

/**
 * Linear least squares without intercept, y ≈ W x, over pairs that come one by one: the W of least Σ ‖y - W x‖².
 * Solved by normal equations and Cholesky's factors in float64, with a ridge of 1e-10 of the inputs' mean square,
 * which keeps the factors real where inputs depend on each other, as points of a stiff body do.
 */
export class LeastSquares {
  /** Σ x xᵀ, [inputs, inputs], its lower half. */
  private readonly gram: Float64Array
  /** Σ x yᵀ, [inputs, outputs]. */
  private readonly cross: Float64Array

  constructor(
    private readonly inputs: number,
    private readonly outputs: number,
  ) {
    this.gram = new Float64Array(inputs * inputs)
    this.cross = new Float64Array(inputs * outputs)
  }

  /**
   * @param x [inputs]
   * @param y [outputs]
   */
  add(x: ArrayLike<number>, y: ArrayLike<number>): void {
    for (let i = 0; i < this.inputs; i++) {
      const v = x[i]!
      for (let j = 0; j <= i; j++) this.gram[i * this.inputs + j]! += v * x[j]!
      for (let j = 0; j < this.outputs; j++) this.cross[i * this.outputs + j]! += v * y[j]!
    }
  }

  /** @returns x [inputs] to W x [outputs]; all zeros where every input was 0. */
  solve(): (x: ArrayLike<number>) => Float64Array {
    const { inputs, outputs } = this
    const weights = solveSymmetric(this.withRidge(), this.cross, inputs, outputs)
    return (x) => {
      const y = new Float64Array(outputs)
      for (let i = 0; i < inputs; i++) {
        for (let j = 0; j < outputs; j++) y[j]! += x[i]! * weights[i * outputs + j]!
      }
      return y
    }
  }

  private withRidge(): Float64Array {
    const matrix = this.gram.slice()
    const diagonal = Array.from({ length: this.inputs }, (_, i) => i * (this.inputs + 1))
    const mean = diagonal.reduce((sum, i) => sum + matrix[i]!, 0) / this.inputs
    // The smallest number is for inputs that are all 0.
    for (const i of diagonal) matrix[i]! += ridge * mean + Number.MIN_VALUE
    return matrix
  }
}

/**
 * The X of A X = B by Cholesky's factors, A = L Lᵀ.
 *
 * @param a [n, n], symmetric and positive definite, its lower half; overwritten by L
 * @param b [n, m]
 * @returns [n, m]
 */
function solveSymmetric(a: Float64Array, b: Float64Array, n: number, m: number): Float64Array {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = a[i * n + j]!
      for (let k = 0; k < j; k++) rest -= a[i * n + k]! * a[j * n + k]!
      a[i * n + j] = i === j ? Math.sqrt(rest) : rest / a[j * n + j]!
    }
  }
  const x = b.slice()
  for (let column = 0; column < m; column++) {
    const at = (row: number) => row * m + column
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < i; k++) x[at(i)]! -= a[i * n + k]! * x[at(k)]!
      x[at(i)]! /= a[i * n + i]!
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) x[at(i)]! -= a[k * n + i]! * x[at(k)]!
      x[at(i)]! /= a[i * n + i]!
    }
  }
  return x
}
