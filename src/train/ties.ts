// Which keypoints are tied to known points: to landmarks of faces, or to joints of puppets.
import { jointNames } from '../synthetic/puppet/skeleton.ts'

/** A choice of tied keypoints. */
export type Tie = 'none' | 'face' | 'joints'

/**
 * The known points that the first keypoints are tied to, in order. Each keypoint is at the mean of its points.
 *
 * A face has the points that expressions move (order of landmarks: `landmarkGroups`): brows, lids, lips and chin; and the tip
 * of the nose, which they do not move. Free keypoints follow the head, the hair and the shoulders.
 */
export const tiedPoints: Readonly<Record<Tie, readonly (readonly number[])[]>> = {
  none: [],
  face: [
    // Upper and lower lid of the person's right eye, then of the left one.
    ...[
      [37, 38],
      [40, 41],
      [43, 44],
      [46, 47],
    ],
    // Brows: middle and inner end, right, then left.
    ...[[19], [21], [22], [24]],
    // Corners of the mouth, edges of upper and lower lip where they meet, outer edges.
    ...[[48], [54], [61], [64], [51], [57]],
    // Tip of the chin, tip of the nose.
    ...[[8], [30]],
  ],
  joints: jointNames.map((_, joint) => [joint]),
}

/**
 * Pairs of tied keypoints whose distance expressions change, by their places in `tiedPoints`: the openings of the eyes, the
 * inner and outer height and the width of the mouth, and brows over upper lids.
 */
export const tiedPairs: Readonly<Record<Tie, readonly (readonly [number, number])[]>> = {
  none: [],
  face: [
    [0, 1],
    [2, 3],
    [10, 11],
    [12, 13],
    [8, 9],
    [4, 0],
    [7, 2],
  ],
  joints: [],
}
