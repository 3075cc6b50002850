// The points that are known in a frame of a synthetic clip.
import type { Frame } from '../media/clip.ts'
import { hasLandmarks } from './head/head.ts'
import { hasJoints } from './puppet/puppet.ts'

/** Points that are known in a frame: of a face, or of a puppet. */
export interface KnownPoints {
  /** [P, 2] as x, y in [-1, 1]. */
  readonly points: Float32Array
  /** [P], 1 where the point is in sight. */
  readonly visible: Uint8Array
}

/** The landmarks of a head's frame, or the joints of a puppet's; undefined for other frames. */
export function knownPoints(frame: Frame): KnownPoints | undefined {
  if (hasJoints(frame)) return { points: frame.joints, visible: frame.visible }
  if (hasLandmarks(frame)) return { points: frame.landmarks, visible: frame.visible }
  return undefined
}
