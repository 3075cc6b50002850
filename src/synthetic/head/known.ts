// What is known of a synthetic head: its framing, the landmarks of each frame, and further labels.
import type { Clip, Frame } from '../../media/clip.ts'
import type { Performance } from './performance.ts'

/**
 * How much of the person is in the picture: the face, the head with shoulders, or more. In `far`, which no seed has by
 * itself, the head is small and may be at a side.
 */
export type Framing = 'close' | 'portrait' | 'wide' | 'far'

/** How a person is lit: by a large lamp, by a small one that throws hard shadows, or by little light. */
export type Lighting = 'soft' | 'hard' | 'dim'

/** A frame of a head, with what is known of it. */
export interface HeadFrame extends Frame {
  /** [66, 2] as x, y in [-1, 1]: -1 and 1 are the centres of the first and last pixel. Order: `landmarkGroups`. */
  readonly landmarks: Float32Array
  /** [66], 1 where the landmark is within the picture and nothing covers it. */
  readonly visible: Uint8Array
}

/** Whether this is the frame of a head. */
export const hasLandmarks = (frame: Frame): frame is HeadFrame => 'landmarks' in frame

/** A clip of a head, with what is known of the person. */
export interface KnownHead {
  /** CIE lightness L* of the skin by itself, whatever the light: 0 black to 100 white. */
  readonly lightness: number
}

/** Whether this is the clip of a head. */
export const hasLightness = (clip: Clip): clip is Clip & KnownHead => 'lightness' in clip

/** More that is known of a frame. */
export interface HeadLabels {
  /** Square around the face, in pixels: from the brows to the chin, with a margin. */
  readonly box: { readonly left: number; readonly top: number; readonly side: number }
  /** Radians: positive yaw turns the face to the picture's right, pitch down, roll clockwise. */
  readonly pose: Pick<Performance, 'yaw' | 'pitch' | 'roll'>
  /** Weights of expressions by ARKit's names; those of 0 are left out. */
  readonly expressions: ReadonlyMap<string, number>
  /** [size, size]: 0 backdrop, 1 skin, 2 hair, 3 cloth, 4 eye, 5 inside of the mouth. */
  readonly mask: Uint8Array
}
