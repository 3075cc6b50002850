// Motion transfer: the keypoints that the source gets when the keypoints of the driving clip move (Siarohin et al. 2019,
// section 3.3; `normalize_kp` of the published code), and the frame of the clip that movements are measured from.
import { determinant, inverse, type Keypoints, matrixAt, product } from '../model/keypoint-detector.ts'

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

// The reference frame: the driving frame whose pose is most like the pose of the source. Relative transfer takes the two
// poses to be the same (`find_best_frame` of the published demo, on the model's keypoints instead of face landmarks).

/** Points [K, 2] with mean 0 and a convex hull of area 1. They are not scaled if their hull has no area. */
export function normalised(value: Float32Array): Float64Array {
  const count = value.length / 2
  const [mean, area] = [[0, 0], hullArea(value)]
  for (let i = 0; i < value.length; i++) mean[i % 2]! += value[i]! / count
  const scale = area > 1e-9 ? 1 / Math.sqrt(area) : 1
  return Float64Array.from(value, (v, i) => (v - mean[i % 2]!) * scale)
}

/** Sum of the squared distances between the normalised points of two pictures. */
export function poseDistance(a: Keypoints, b: Keypoints): number {
  const [p, q] = [normalised(a.value), normalised(b.value)]
  return p.reduce((sum, v, i) => sum + (v - q[i]!) ** 2, 0)
}

/** The reference frame and its keypoints. */
export interface Reference {
  /** Number of the frame in the driving clip, from 0. */
  readonly frame: number
  readonly keypoints: Keypoints
}

/**
 * The frame whose normalised keypoints are nearest to those of the source. If several are equally near, the first.
 *
 * @param driving keypoints of the frames, in order, read one at a time.
 * @returns undefined if there is no frame.
 */
export async function nearestPose(
  kpSource: Keypoints,
  driving: AsyncIterable<Keypoints>,
): Promise<Reference | undefined> {
  let best: Reference | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  let frame = 0
  for await (const keypoints of driving) {
    const distance = poseDistance(kpSource, keypoints)
    if (best === undefined || distance < bestDistance) {
      best = { frame, keypoints }
      bestDistance = distance
    }
    frame++
  }
  return best
}

/** The keypoints of one frame of a clip, with its time and duration in seconds. */
export interface Pose {
  readonly time: number
  readonly duration: number
  readonly keypoints: Keypoints
}

/** Number of poses in one block of memory. */
const blockLength = 1024

/**
 * The poses of a clip, kept for a second pass, so that its frames are not decoded and detected twice. An hour of video
 * takes some 25 MB.
 */
export class PoseSequence {
  private readonly blocks: { readonly numbers: Float32Array; readonly times: Float64Array }[] = []
  private count = 0

  /** @param matrices whether the poses have jacobians. */
  constructor(
    private readonly keypoints: number,
    private readonly matrices: boolean,
  ) {}

  get length(): number {
    return this.count
  }

  add({ time, duration, keypoints }: Pose): void {
    const at = this.count % blockLength
    if (at === 0) {
      const numbers = new Float32Array(blockLength * this.stride)
      this.blocks.push({ numbers, times: new Float64Array(2 * blockLength) })
    }
    const { numbers, times } = this.blocks.at(-1)!
    times.set([time, duration], 2 * at)
    numbers.set(keypoints.value, at * this.stride)
    if (keypoints.jacobian !== undefined) {
      numbers.set(keypoints.jacobian, at * this.stride + 2 * this.keypoints)
    }
    this.count++
  }

  *[Symbol.iterator](): Generator<Pose, void, undefined> {
    for (let i = 0; i < this.count; i++) {
      const { numbers, times } = this.blocks[Math.floor(i / blockLength)]!
      const at = i % blockLength
      const points = at * this.stride
      const matrices = points + 2 * this.keypoints
      yield {
        time: times[2 * at]!,
        duration: times[2 * at + 1]!,
        keypoints: {
          value: numbers.slice(points, matrices),
          jacobian: this.matrices ? numbers.slice(matrices, points + this.stride) : undefined,
        },
      }
    }
  }

  /** Count of numbers in one pose. */
  private get stride(): number {
    return this.keypoints * (this.matrices ? 6 : 2)
  }
}
