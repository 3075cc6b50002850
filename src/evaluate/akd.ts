import { InputError } from '../util/errors.ts'

/**
 * How far two sets of keypoints are apart. The literature has two measures under one name, average keypoint
 * distance: one of Euclidean distances, and one of coordinates.
 */

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
    what: 'only keypoints of one number can be compared',
    got: `${b.length} numbers`,
    expected: String(a.length),
  })
}
