// Measures of keypoints: how far they are from a teacher's, and how steady they are: jitter from frame to frame, and
// equivariance, whether they move along with the picture under random warps.
import { inverse, type Keypoints, matrixAt, product } from '../model/keypoint-detector.ts'
import type { MotionModel } from '../model/open-model.ts'
import { InputError } from '../util/errors.ts'
import { Random } from '../util/random.ts'
import { drawWarp, type Warp, warpPixels } from './warp.ts'

/**
 * Mean Euclidean distance ‖a - b‖₂ over keypoints: what is reported between a light detector and its teacher
 * (AIOZ's "average keypoint distance", part 4 of their series on a light keypoint detector).
 *
 * @param a [K, 2] in [-1, 1]
 * @returns in units of [-1, 1]: a pixel of frames of s pixels a side is 2 / (s - 1)
 * @throws InputError if the numbers of keypoints differ.
 */
export function keypointDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assertAlike(a, b)
  let sum = 0
  for (let i = 0; i < a.length; i += 2) sum += Math.hypot(a[i]! - b[i]!, a[i + 1]! - b[i + 1]!)
  return sum / (a.length / 2)
}

/**
 * Mean absolute difference over the entries of local affine maps.
 *
 * @param a [K, 2, 2]
 * @throws InputError if the numbers of maps differ.
 */
export function jacobianDifference(a: Float32Array, b: Float32Array): number {
  assertAlike(a, b)
  return meanAbsolute(a, b)
}

/**
 * Average keypoint distance (AKD) as the pose-evaluation code of Siarohin et al. 2019 computes it (the paper's
 * section 4, "Metrics"): mean absolute difference of coordinates, not of points, in pixels.
 *
 * @param a [K, 2] in [-1, 1], found in the true frame
 * @param b the same, found in the generated frame
 * @param size pixels a side that the result is counted in
 * @throws InputError if the numbers of keypoints differ.
 */
export function averageKeypointDistance(a: Float32Array, b: Float32Array, size: number): number {
  assertAlike(a, b)
  return (meanAbsolute(a, b) * (size - 1)) / 2
}

function meanAbsolute(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, v, i) => sum + Math.abs(v - b[i]!), 0) / a.length
}

function assertAlike(a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length === b.length) return
  throw new InputError({
    what: 'only two sets of as many keypoints can be compared',
    got: `${b.length} numbers`,
    expected: String(a.length),
  })
}

/** A mean over numbers that are added one by one. */
export class Mean {
  private sum = 0
  private numbers = 0

  add(number: number): void {
    this.sum += number
    this.numbers++
  }

  /** Number of numbers so far. */
  get count(): number {
    return this.numbers
  }

  /** NaN before the first number. */
  get value(): number {
    return this.sum / this.numbers
  }

  /** The mean; undefined before the first number. */
  get known(): number | undefined {
    return this.numbers === 0 ? undefined : this.value
  }
}

/** How far a detector is from its teacher on the same frames; 0 is best. */
export interface TeacherDistance {
  /** Mean ‖x_s - x_t‖₂ over keypoints and frames, in units of [-1, 1]: see `keypointDistance`. */
  readonly distance: number
  /** Mean |J_s - J_t| over the entries; undefined if one of the two finds points alone. */
  readonly jacobian: number | undefined
}

/** Measures the distance over frames that are added one by one. */
export class TeacherMeter {
  private readonly distance = new Mean()
  private readonly jacobian = new Mean()

  add(student: Keypoints, teacher: Keypoints): void {
    this.distance.add(keypointDistance(student.value, teacher.value))
    if (student.jacobian === undefined || teacher.jacobian === undefined) return
    this.jacobian.add(jacobianDifference(student.jacobian, teacher.jacobian))
  }

  /** Undefined if there was no frame. */
  result(): TeacherDistance | undefined {
    const distance = this.distance.known
    return distance === undefined ? undefined : { distance, jacobian: this.jacobian.known }
  }
}

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

/** How far keypoints are from moving along with the picture. 0 is best. */
export interface Equivariance {
  /** Mean |kp(D) - T(kp(T D))| over keypoints and coordinates, in units of [-1, 1]. */
  readonly value: number
  /** Mean |I - J(D)⁻¹ T'(p) J(T D)| over the entries; undefined for a model of points alone. */
  readonly jacobian: number | undefined
}

/**
 * Measures one frame under one warp (Siarohin et al. 2019, section 3.1; the published equivariance losses).
 *
 * @param frame D, RGB [size, size, 3].
 * @param warp T: the warped frame shows at z what D has at T(z), so points found there go back through T.
 */
export async function measureEquivariance(
  model: Pick<MotionModel, 'config' | 'detect'>,
  frame: Uint8Array,
  warp: Warp,
): Promise<Equivariance> {
  const straight = await model.detect(frame)
  const warped = await model.detect(warpPixels(frame, model.config.size, warp))
  const count = straight.value.length / 2
  let [value, jacobian] = [0, 0]
  for (let k = 0; k < count; k++) {
    const [x, y] = [warped.value[2 * k]!, warped.value[2 * k + 1]!]
    const [backX, backY] = warp.point(x, y)
    value += Math.abs(straight.value[2 * k]! - backX) + Math.abs(straight.value[2 * k + 1]! - backY)
    if (straight.jacobian === undefined || warped.jacobian === undefined) continue
    const moved = product(warp.jacobian(x, y), matrixAt(warped.jacobian, 4 * k))
    const [a, b, c, d] = product(inverse(matrixAt(straight.jacobian, 4 * k)), moved)
    jacobian += Math.abs(1 - a) + Math.abs(b) + Math.abs(c) + Math.abs(1 - d)
  }
  return {
    value: value / (2 * count),
    jacobian: straight.jacobian === undefined ? undefined : jacobian / (4 * count),
  }
}

/** Seed of the warps that frames are measured under. */
const seed = 0

/** Measures every n-th frame, under random warps that are the same in every evaluation. */
export class EquivarianceMeter {
  private readonly random = new Random(seed)
  private readonly value = new Mean()
  private readonly jacobian = new Mean()
  private frames = 0

  constructor(
    private readonly model: Pick<MotionModel, 'config' | 'detect'>,
    private readonly every: number,
  ) {}

  /** @param frame RGB [size, size, 3] */
  async add(frame: Uint8Array): Promise<void> {
    if (this.frames++ % this.every !== 0) return
    const { value, jacobian } = await measureEquivariance(this.model, frame, drawWarp(this.random))
    this.value.add(value)
    if (jacobian !== undefined) this.jacobian.add(jacobian)
  }

  result(): Equivariance {
    return { value: this.value.value, jacobian: this.jacobian.known }
  }
}
