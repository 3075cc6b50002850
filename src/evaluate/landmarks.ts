import { keypointDistance } from './akd.ts'
import { LeastSquares } from './least-squares.ts'
import { Mean } from './mean.ts'

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
  private readonly forward: Fit
  private readonly backward: Fit
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
    this.forward = new Fit(2 * keypoints, 2 * landmarks)
    this.backward = new Fit(2 * landmarks, 2 * keypoints)
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

  /** Undefined where there was nothing to fit or to measure on. */
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

/** The linear map in one direction, and the mean that it has to beat: what a constant input tells. */
class Fit {
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
