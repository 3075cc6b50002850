import { determinant, inverse, type Keypoints, matrixAt, product } from '../model/keypoints.ts'
import { hullArea } from './hull.ts'

/**
 * Motion transfer: what the source's keypoints become when the driving clip's move (Siarohin et al. 2019,
 * section 3.3; `normalize_kp` of the published code).
 */

export interface TransferOptions {
  /** Use the driving keypoints as they are: the source takes over pose and shape too. Default false. */
  readonly absolute?: boolean
  /** Scale movements by the size of the source's keypoints over that of the driving's. Default true. */
  readonly adaptMovementScale?: boolean
}

/** Hulls under this (the whole picture is 4) say nothing of a size: their points are one, or on a line. */
const leastArea = 1e-3
/** Movements are not scaled by more than this, nor by less than one over it. */
const mostScale = 4
/** A local map whose determinant is under this has lost a direction and cannot be inverted. */
const leastDeterminant = 1e-3

/**
 * Square root of the ratio of the convex hulls' areas, source over driving; between 1/4 and 4, and 1 where
 * one of the hulls has no area.
 */
export function movementScale(kpSource: Keypoints, kpDrivingInitial: Keypoints): number {
  const [source, driving] = [hullArea(kpSource.value), hullArea(kpDrivingInitial.value)]
  if (source < leastArea || driving < leastArea) return 1
  return Math.min(Math.max(Math.sqrt(source / driving), 1 / mostScale), mostScale)
}

/**
 * Prepares the transfer of one clip's motion. Relative: each point moves from the source's as the driving
 * clip's moves from its reference frame, value = source + (driving - initial) scale, and
 * J = J_driving J_initial⁻¹ J_source; a map that cannot be inverted leaves that keypoint's J_source.
 *
 * @param kpSource of the still picture.
 * @param kpDrivingInitial of the reference frame, whose pose is taken to be the source's.
 * @returns a function from the keypoints of a driving frame to those the source is to get.
 */
export function createTransfer(
  kpSource: Keypoints,
  kpDrivingInitial: Keypoints,
  { absolute = false, adaptMovementScale = true }: TransferOptions = {},
): (kpDriving: Keypoints) => Keypoints {
  if (absolute) return (kpDriving) => kpDriving
  const scale = adaptMovementScale ? movementScale(kpSource, kpDrivingInitial) : 1
  return (kpDriving) => ({
    value: kpSource.value.map(
      (start, i) => start + (kpDriving.value[i]! - kpDrivingInitial.value[i]!) * scale,
    ),
    jacobian: relativeJacobian(kpSource.jacobian, kpDrivingInitial.jacobian, kpDriving.jacobian),
  })
}

function relativeJacobian(
  source: Float32Array | undefined,
  initial: Float32Array | undefined,
  driving: Float32Array | undefined,
): Float32Array | undefined {
  if (source === undefined || initial === undefined || driving === undefined) return undefined
  const result = source.slice()
  for (let i = 0; i < result.length; i += 4) {
    const [jDriving, jInitial] = [matrixAt(driving, i), matrixAt(initial, i)]
    // The generator inverts the result, so that the driving map must be invertible too.
    const least = Math.min(Math.abs(determinant(jDriving)), Math.abs(determinant(jInitial)))
    if (!(least >= leastDeterminant)) continue
    result.set(product(product(jDriving, inverse(jInitial)), matrixAt(source, i)), i)
  }
  return result
}
