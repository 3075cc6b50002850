// Distances between two sets of keypoints, and their means over frames. The literature has two measures under one name,
// average keypoint distance: one of Euclidean distances, and one of coordinates.
import type { Keypoints } from '../model/inputs-outputs.ts'
import { InputError } from '../util/errors.ts'

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
    if (this.distance.count === 0) return undefined
    return {
      distance: this.distance.value,
      jacobian: this.jacobian.count === 0 ? undefined : this.jacobian.value,
    }
  }
}
