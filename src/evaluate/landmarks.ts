// Landmark regression: how well keypoints that nobody named tell where named landmarks are. A linear map is fitted by least
// squares on some frames and measured on others.
import { keypointDistance, Mean } from './keypoint-measures.ts'

/** Mean Euclidean distances to the truth, each frame's over a length in that frame: 0.05 is 5% of it. */
export interface RegressionErrors {
  /** Of landmarks that are computed from keypoints. */
  readonly forward: number
  /** Of keypoints that are computed from landmarks: large where keypoints follow something else. */
  readonly backward: number
}

/** How well keypoints that nobody named tell where named landmarks are, and the other way round. */
export interface LandmarkErrors extends RegressionErrors {
  /** The same errors of the mean over the frames of the fit, whatever the picture shows: what has to be beaten. */
  readonly mean: RegressionErrors
  /**
   * Frames that the linear maps were fitted on. Fewer than 2 K, or 2 J backward, do not determine them, nor do many
   * frames of one movement: errors above those of the mean are a sign of it.
   */
  readonly fitted: number
  /** Frames that errors were measured on. */
  readonly frames: number
}

/**
 * Landmark regression, the measure of unsupervised landmarks (Thewlis et al. 2017, section 4; Zhang et al. 2018;
 * Jakab et al. 2018, section 4.1): a linear map without intercept and without ridge, fitted on some frames and
 * measured on others. Backward as in Sanchez and Tzimiropoulos 2019. Points stay as they are, in [-1, 1].
 */
export class LandmarkRegression {
  private readonly forward: RegressionFit
  private readonly backward: RegressionFit
  private readonly measured: {
    readonly keypoints: Float32Array
    readonly landmarks: Float32Array
    readonly length: number
  }[] = []
  private fitted = 0

  /**
   * @param keypoints K
   * @param landmarks J
   */
  constructor(keypoints: number, landmarks: number) {
    this.forward = new RegressionFit(2 * keypoints, 2 * landmarks)
    this.backward = new RegressionFit(2 * landmarks, 2 * keypoints)
  }

  /**
   * A frame to fit on.
   *
   * @param keypoints [K, 2]
   * @param landmarks [J, 2], in the same coordinates
   */
  fit(keypoints: Float32Array, landmarks: Float32Array): void {
    this.forward.add(keypoints, landmarks)
    this.backward.add(landmarks, keypoints)
    this.fitted++
  }

  /**
   * A frame to measure on; it is kept until `result`, some 200 bytes.
   *
   * @param length that distances are divided by: between the eyes for faces, of the torso for puppets
   */
  measure(keypoints: Float32Array, landmarks: Float32Array, length: number): void {
    this.measured.push({ keypoints, landmarks, length })
  }

  /** Undefined if there was no frame to fit on, or none to measure on. */
  result(): LandmarkErrors | undefined {
    if (this.fitted === 0 || this.measured.length === 0) return undefined
    const [toLandmarks, toKeypoints] = [this.forward.solve(), this.backward.solve()]
    const [forward, backward, meanForward, meanBackward] = [new Mean(), new Mean(), new Mean(), new Mean()]
    for (const { keypoints, landmarks, length } of this.measured) {
      forward.add(keypointDistance(toLandmarks.linear(keypoints), landmarks) / length)
      backward.add(keypointDistance(toKeypoints.linear(landmarks), keypoints) / length)
      meanForward.add(keypointDistance(toLandmarks.mean, landmarks) / length)
      meanBackward.add(keypointDistance(toKeypoints.mean, keypoints) / length)
    }
    return {
      forward: forward.value,
      backward: backward.value,
      mean: { forward: meanForward.value, backward: meanBackward.value },
      fitted: this.fitted,
      frames: this.measured.length,
    }
  }
}

/** The linear map in one direction, and the mean that it has to beat: the map of a constant input. */
export class RegressionFit {
  private readonly squares: LeastSquares
  private readonly constant: LeastSquares

  constructor(inputs: number, outputs: number) {
    this.squares = new LeastSquares(inputs, outputs)
    this.constant = new LeastSquares(1, outputs)
  }

  add(x: Float32Array, y: Float32Array): void {
    this.squares.add(x, y)
    this.constant.add([1], y)
  }

  solve() {
    return { linear: this.squares.solve(), mean: this.constant.solve()([1]) }
  }
}

/**
 * The ridge, as a part of the mean of the Gram matrix's diagonal. In effect it is 0: inputs that spread by less than
 * 1e-5 of their size in some direction are below the precision of float32 keypoints.
 */
const ridge = 1e-10

/**
 * Linear least squares without intercept, y ≈ W x, over pairs that are added one by one: the W of least Σ ‖y - W x‖².
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
    // The smallest positive number is for inputs that are all 0.
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
