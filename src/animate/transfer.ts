// Motion transfer: the keypoints that the source gets when the keypoints of the driving clip move (Siarohin et al. 2019,
// section 3.3; `normalize_kp` of the published code).
import { determinant, inverse, type Keypoints, matrixAt, product } from '../model/inputs-outputs.ts'

/** How the motion of the driving clip is transferred to the source. */
export interface TransferOptions {
  /** Uses the driving keypoints as they are, so that the source takes over pose and shape too (default false). */
  readonly absolute?: boolean
  /** Scales movements by the size of the source's keypoints over the size of the driving keypoints (default true). */
  readonly adaptMovementScale?: boolean
}

/** The least hull area that measures a size; the whole picture has area 4. Points on a line have a smaller hull. */
const leastArea = 1e-3
/** The largest factor by which movements are scaled; the smallest is its inverse. */
const mostScale = 4
/** The least absolute determinant of a local map that is inverted. Below it, the map has lost a direction. */
const leastDeterminant = 1e-3

/**
 * Square root of the ratio of the convex hulls' areas, source over driving, clipped to 1/4 to 4. It is 1 if one of the
 * hulls has no area.
 */
export function movementScale(kpSource: Keypoints, kpDrivingInitial: Keypoints): number {
  const [source, driving] = [hullArea(kpSource.value), hullArea(kpDrivingInitial.value)]
  if (source < leastArea || driving < leastArea) return 1
  return Math.min(Math.max(Math.sqrt(source / driving), 1 / mostScale), mostScale)
}

/**
 * Prepares the transfer of the motion of one clip. By default it is relative: each keypoint of the source moves as the
 * same keypoint of the driving clip moves from its reference frame, value = source + (driving - initial) scale, and
 * J = J_driving J_initial⁻¹ J_source. If J_driving or J_initial cannot be inverted, that keypoint keeps J_source.
 *
 * @param kpSource keypoints of the source picture.
 * @param kpDrivingInitial keypoints of the reference frame, whose pose is taken to be the pose of the source.
 * @returns a function from the keypoints of a driving frame to the keypoints that the source gets.
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

/**
 * Area of the convex hull of points (Andrew's monotone chain, 1979).
 *
 * @param points [K, 2], flat.
 * @returns the area in squared units of the points. It is 0 for fewer than 3 points, points on a line, or numbers that
 * are not finite.
 */
export function hullArea(points: ArrayLike<number>): number {
  const list = Array.from(
    { length: points.length / 2 },
    (_, i) => [points[2 * i]!, points[2 * i + 1]!] as const,
  )
  if (!list.flat().every(Number.isFinite)) return 0
  list.sort(([ax, ay], [bx, by]) => ax - bx || ay - by)
  const hull = [...chain(list), ...chain(list.reverse())]
  let twice = 0
  for (let i = 0; i < hull.length; i++) {
    const [ax, ay] = hull[i]!
    const [bx, by] = hull[(i + 1) % hull.length]!
    twice += ax * by - bx * ay
  }
  return Math.abs(twice) / 2
}

type Point = readonly [number, number]

/** One side of the hull, without its last point, which is the first of the other side. */
function chain(sorted: readonly Point[]): Point[] {
  const kept: Point[] = []
  for (const point of sorted) {
    while (kept.length >= 2 && orientation(kept.at(-2)!, kept.at(-1)!, point) <= 0) kept.pop()
    kept.push(point)
  }
  return kept.slice(0, -1)
}

/** Positive if the path a, b, c turns left: twice the signed area of the triangle. */
function orientation([ax, ay]: Point, [bx, by]: Point, [cx, cy]: Point): number {
  return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
}
