// How well a generated face shows the true one, by landmarks: the whole face where it is, and the expression by itself.
import { alignedTo, distance, type Points } from './face-alignment.ts'
import {
  eyes,
  innerLips,
  meshOfKeypoint,
  mouthCorners,
  outerCorners,
  type PartOfFace,
  parts,
  partsOfFace,
  rigidPoints,
} from './face-points.ts'

/** Numbers of an expression, whatever the head's pose and size. */
export const movements = ['lids open', 'brows raised', 'mouth open', 'mouth wide', 'corners raised'] as const
export type Movement = (typeof movements)[number]

/** A face, and its expression with the head's movement taken out. */
export interface Face {
  /** [468, 3], pixels. */
  readonly points: Points
  /** The same, moved onto the source's head. */
  readonly aligned: Points
  readonly movements: Readonly<Record<Movement, number>>
}

/** @param source the points of the head that others are moved onto */
export function faceOf(points: Points, source: Points): Face {
  const aligned = alignedTo(source, points, rigidPoints)
  return { points, aligned, movements: movementsOf(aligned, distance(source, ...outerCorners)) }
}

/** @param length that distances are divided by: between the eyes' outer corners */
function movementsOf(aligned: Points, length: number): Record<Movement, number> {
  const row = (i: number) => aligned[3 * i + 1]!
  const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length
  const lids = eyes.map(({ corners, across }) => {
    const open = mean(across.map(([upper, lower]) => row(lower) - row(upper)))
    return open / distance(aligned, corners[0], corners[1])
  })
  const raised = eyes.map(({ corners, brow }) => mean(corners.map(row)) - mean(brow.map(row)))
  return {
    'lids open': mean(lids),
    'brows raised': mean(raised) / length,
    'mouth open': (row(innerLips[1]) - row(innerLips[0])) / length,
    'mouth wide': distance(aligned, ...mouthCorners) / length,
    'corners raised': (mean(innerLips.map(row)) - mean(mouthCorners.map(row))) / length,
  }
}

/** Distances of one face to another, over the distance between the eyes' outer corners. */
export interface FaceDistances {
  /** Mean over all points, where they are in the picture: AKD. */
  readonly akd: number
  /** Mean over the points of each part, after the head's movement is taken out. */
  readonly parts: Readonly<Record<PartOfFace, number>>
  /** Absolute differences of the movements. */
  readonly movements: Readonly<Record<Movement, number>>
}

/** @param source as for `faceOf` */
export function faceDistances(truth: Face, made: Face, source: Points): FaceDistances {
  const still = distance(source, ...outerCorners)
  const everywhere = Array.from({ length: truth.points.length / 3 }, (_, i) => i)
  return {
    akd: apart(truth.points, made.points, everywhere) / distance(truth.points, ...outerCorners),
    parts: byName(partsOfFace, (part) => apart(truth.aligned, made.aligned, parts[part]) / still),
    movements: byName(movements, (name) => Math.abs(truth.movements[name] - made.movements[name])),
  }
}

/** Mean distance in the picture's plane. */
function apart(a: Points, b: Points, indices: readonly number[]): number {
  let sum = 0
  for (const i of indices) {
    sum += Math.hypot(a[3 * i]! - b[3 * i]!, a[3 * i + 1]! - b[3 * i + 1]!)
  }
  return sum / indices.length
}

/**
 * How far tied keypoints are from the foreign mesh: the mean distance over that between the eyes' outer corners, where both have the
 * point. Undefined if they share none.
 *
 * @param keypoints [K, 2] in [-1, 1]: -1 and 1 are the centres of the first and last pixel
 * @param names of the first keypoints
 * @param points the mesh, pixels of a square picture
 * @param side of the picture in pixels
 */
export function keypointsApart(
  keypoints: ArrayLike<number>,
  names: readonly string[],
  points: Points,
  side: number,
): number | undefined {
  const pixel = (i: number) => ((keypoints[i]! + 1) / 2) * (side - 1)
  const distances = names.flatMap((name, k) => {
    const places = meshOfKeypoint[name]
    if (places === undefined) return []
    const middle = (axis: number) => places.reduce((sum, i) => sum + points[3 * i + axis]! / places.length, 0)
    return [Math.hypot(pixel(2 * k) - middle(0), pixel(2 * k + 1) - middle(1))]
  })
  if (distances.length === 0) return undefined
  const mean = distances.reduce((sum, d) => sum + d, 0) / distances.length
  return mean / distance(points, ...outerCorners)
}

/** A record of a number for each name. */
export function byName<N extends string>(names: readonly N[], value: (name: N) => number): Record<N, number> {
  return Object.fromEntries(names.map((name) => [name, value(name)])) as Record<N, number>
}

/** Pearson's correlation; undefined if one of the two does not vary. */
export function correlation(a: readonly number[], b: readonly number[]): number | undefined {
  const mean = (v: readonly number[]) => v.reduce((sum, x) => sum + x, 0) / v.length
  const [ma, mb] = [mean(a), mean(b)]
  let [ab, aa, bb] = [0, 0, 0]
  a.forEach((x, i) => {
    ab += (x - ma) * (b[i]! - mb)
    aa += (x - ma) ** 2
    bb += (b[i]! - mb) ** 2
  })
  return aa * bb > 0 ? ab / Math.sqrt(aa * bb) : undefined
}
