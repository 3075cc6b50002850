// Jitter: how keypoints tremble from frame to frame.
import { Mean } from './keypoint-distance.ts'

/** How keypoints tremble over time. 0 is best; steady motion has none. */
export interface Jitter {
  /**
   * Mean ‖x(t + 1) - 2 x(t) + x(t - 1)‖₂ over keypoints and frames, in units of [-1, 1] per frame². It is the
   * acceleration of Kanazawa et al. 2019 ("Learning 3D human dynamics from video"), who compare it with the true
   * one. Here the true acceleration is not known.
   */
  readonly acceleration: number
  /**
   * The acceleration over the mean ‖x(t + 1) - x(t)‖₂, so that fast motion does not count against a detector: 0 for
   * constant velocity, √3 for Gaussian noise around a point, 2 for a jump to and fro. Undefined if nothing moves.
   */
  readonly relative: number | undefined
}

/** Measures jitter over the frames of one clip after another. */
export class JitterMeter {
  private readonly first = new Mean()
  private readonly second = new Mean()
  private before: readonly Float32Array[] = []

  /** A clip begins: its first frame does not continue the motion of the clip before. */
  begin(): void {
    this.before = []
  }

  /** @param value [K, 2] of the next frame of the clip */
  add(value: Float32Array): void {
    const [previous, earlier] = this.before
    if (previous !== undefined) {
      this.first.add(meanNorm(value.length, (i) => value[i]! - previous[i]!))
      if (earlier !== undefined) {
        this.second.add(meanNorm(value.length, (i) => value[i]! - 2 * previous[i]! + earlier[i]!))
      }
      this.before = [value, previous]
    } else this.before = [value]
  }

  /** Undefined if no clip had three frames. */
  result(): Jitter | undefined {
    if (this.second.count === 0) return undefined
    const [speed, acceleration] = [this.first.value, this.second.value]
    return { acceleration, relative: speed === 0 ? undefined : acceleration / speed }
  }
}

/** Mean length of the vectors (of(0), of(1)), (of(2), of(3)), ... */
function meanNorm(length: number, of: (index: number) => number): number {
  let sum = 0
  for (let i = 0; i < length; i += 2) sum += Math.hypot(of(i), of(i + 1))
  return sum / (length / 2)
}
