import type { Keypoints } from '../model/keypoints.ts'
import { hullArea } from './hull.ts'

/**
 * The driving frame that is posed most like the source: relative transfer takes their poses to be the same
 * (`find_best_frame` of the published demo, on the model's own keypoints in place of face landmarks).
 */

/** Points [K, 2] moved to their mean and scaled to a convex hull of area 1 (not scaled where it has none). */
export function normalised(value: Float32Array): Float64Array {
  const count = value.length / 2
  const [mean, area] = [[0, 0], hullArea(value)]
  for (let i = 0; i < value.length; i++) mean[i % 2]! += value[i]! / count
  const scale = area > 1e-9 ? 1 / Math.sqrt(area) : 1
  return Float64Array.from(value, (v, i) => (v - mean[i % 2]!) * scale)
}

/** Sum of squared distances of the normalised points of two pictures. */
export function poseDistance(a: Keypoints, b: Keypoints): number {
  const [p, q] = [normalised(a.value), normalised(b.value)]
  return p.reduce((sum, v, i) => sum + (v - q[i]!) ** 2, 0)
}

/** A frame of the driving clip and its keypoints. */
export interface Reference {
  /** Number of the frame. */
  readonly frame: number
  readonly keypoints: Keypoints
}

/**
 * The frame whose normalised keypoints are nearest to the source's; the first of equals. One frame is in
 * memory at a time.
 *
 * @param driving keypoints of the frames, in order; at least one.
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
