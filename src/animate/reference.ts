// The reference frame: the driving frame whose pose is most like the pose of the source. Relative transfer takes the two
// poses to be the same (`find_best_frame` of the published demo, on the model's keypoints instead of face landmarks).
import type { Keypoints } from '../model/inputs-outputs.ts'
import { hullArea } from './transfer.ts'

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
