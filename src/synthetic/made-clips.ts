// Synthetic clips of all kinds: how they are named (`puppet:7`, `head:7,size=128`), and what is known of them. Of the motion
// between two frames, every pixel knows its place on the surface that it shows; of heads, framing, landmarks and light. Which
// of the known points keypoints are tied to.
import type { Clip, Frame } from '../media/clip.ts'
import { InputError } from '../util/errors.ts'
import type { Performance } from './head/performance.ts'
import { jointNames } from './puppet/skeleton.ts'

/** A kind of synthetic clips: how its specs begin, and what their options set. */
export interface SpecKind<Field extends string> {
  /** Before the colon: `puppet`. */
  readonly name: string
  /** How a spec looks, for messages. */
  readonly form: string
  /** Options that are numbers, and the fields that they set. */
  readonly numbers: Readonly<Record<string, Field>>
  /** Options that are one of a few words; each sets the field of its own name. */
  readonly words?: Readonly<Record<string, readonly string[]>>
}

/** What a spec says: its seed and options, by the names of their fields. */
export type SpecValues<Field extends string> = { readonly seed: number } & {
  readonly [K in Field]?: number
} & { readonly words: Readonly<Record<string, string>> }

/** Whether a spec names a clip of this kind. */
export const isSpecOf = ({ name }: SpecKind<string>, spec: string): boolean => spec.startsWith(`${name}:`)

/** Reads a spec. @throws InputError if it is none of this kind. */
export function parseSpec<Field extends string>(kind: SpecKind<Field>, spec: string): SpecValues<Field> {
  const [seed = '', ...settings] = spec.slice(kind.name.length + 1).split(',')
  const values: { [K in Field]?: number } = {}
  const words: Record<string, string> = {}
  for (const setting of settings) {
    const [key = '', value = '', ...rest] = setting.split('=')
    const allowed = kind.words !== undefined && Object.hasOwn(kind.words, key) ? kind.words[key] : undefined
    const field = Object.hasOwn(kind.numbers, key) ? kind.numbers[key] : undefined
    if (rest.length > 0) throw unknown(kind, spec, setting)
    if (allowed?.includes(value)) words[key] = value
    else if (field !== undefined) values[field] = number(kind, spec, value)
    else throw unknown(kind, spec, setting)
  }
  return { ...values, seed: number(kind, spec, seed), words }
}

function number(kind: SpecKind<string>, spec: string, text: string): number {
  if (!/^\d{1,15}(\.\d{1,6})?$/.test(text)) throw unknown(kind, spec, text)
  return Number(text)
}

const unknown = ({ name, form }: SpecKind<string>, where: string, got: string): InputError =>
  new InputError({
    what: `there is no such ${name}`,
    where,
    got: got === '' ? 'nothing' : got,
    expected: form,
  })

/** A larger series is probably a typing error. */
const mostClips = 100_000

/**
 * The specs of all clips of a series such as `puppet:1..200,size=64`. A single clip is a series of one.
 *
 * @throws InputError for a series that is empty or has over 100,000 clips.
 */
export function specSeries({ name }: SpecKind<string>, spec: string): string[] {
  const [, from, to, settings] = /^[a-z]+:(\d{1,9})\.\.(\d{1,9})((?:,.*)?)$/s.exec(spec) ?? []
  if (from === undefined) return [spec]
  const first = Number(from)
  const count = Number(to) - first + 1
  if (count < 1 || count > mostClips) {
    throw new InputError({
      what: `there is no such series of ${name}s`,
      where: spec,
      got: `${from} to ${to}`,
      expected: `a first seed and a last one, as in ${name}:1..200, for 1 to ${mostClips} ${name}s`,
    })
  }
  return Array.from({ length: count }, (_, i) => `${name}:${first + i}${settings}`)
}

/**
 * Checks what all synthetic clips are told.
 *
 * @param largest pixels a side, at most
 * @throws InputError if an option is out of range.
 */
export function assertClipOptions(
  name: string,
  { frames, size, frameRate }: Readonly<Record<'frames' | 'size' | 'frameRate', number>>,
  largest: number,
): void {
  const refuse = (what: string, got: number, expected: string): never => {
    throw new InputError({ what, where: name, got: String(got), expected })
  }
  if (!Number.isInteger(frames) || frames < 1 || frames > 1e6) {
    refuse('not a number of frames', frames, '1 to 1000000')
  }
  if (!Number.isInteger(size) || size < 16 || size > largest) {
    refuse('not a picture size', size, `16 to ${largest}`)
  }
  if (!(frameRate > 0 && frameRate <= 1000)) refuse('not a frame rate', frameRate, 'over 0, at most 1000')
}

/** Where the points of one frame are in another, on a grid over the frame. */
export interface Flow {
  /**
   * [side, side, 2] as x, y in [-1, 1] of the other frame, for each point of the grid. -1 and 1 are the centres of the
   * first and the last pixel. A point may lie outside.
   */
  readonly flow: Float32Array
  /** [side, side], 1 where the point is in sight in the other frame, 0 where it is hidden or outside. */
  readonly visible: Uint8Array
}

/** A clip whose true motion is known. */
export interface FlowClip<F extends Frame = Frame> extends Clip<F> {
  /**
   * The true motion from one frame to another.
   *
   * @param side points of the grid along each axis, from the centre of the first pixel to that of the last (default: one
   *   for each pixel)
   * @throws InputError if there is no such frame.
   */
  flow(from: number, to: number, side?: number): Flow
}

/** Whether the true motion of a clip is known. */
export const hasFlow = (clip: Clip): clip is FlowClip => 'flow' in clip

/** A point of a frame in another frame: x, y in [-1, 1], and whether it is in sight there. */
export type Carried = readonly [x: number, y: number, visible: boolean]

/** Fills a flow, point by point. `carry` takes a point of the one frame, in [-1, 1], to the other. */
export function flowOf(side: number, carry: (x: number, y: number) => Carried): Flow {
  const flow = new Float32Array(side * side * 2)
  const visible = new Uint8Array(side * side)
  const place = (index: number) => (2 * index) / (side - 1) - 1
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const at = row * side + column
      const [x, y, seen] = carry(place(column), place(row))
      flow[2 * at] = x
      flow[2 * at + 1] = y
      visible[at] = Number(seen)
    }
  }
  return { flow, visible }
}

/**
 * How much of the person is in the picture: the face, the head with shoulders, or more. In `far`, which no seed has by
 * itself, the head is small and may be at a side.
 */
export type Framing = 'close' | 'portrait' | 'wide' | 'far'

/** How a person is lit: by a large lamp, by a small one that throws hard shadows, or by little light. */
export type Lighting = 'soft' | 'hard' | 'dim'

/** Points that are known in a frame. */
export interface KnownPoints {
  /** [P, 2] as x, y in [-1, 1]: -1 and 1 are the centres of the first and last pixel. */
  readonly points: Float32Array
  /** [P], 1 where the point is within the picture and nothing covers it. */
  readonly visible: Uint8Array
}

/** A frame of a head, with what is known of it. */
export interface HeadFrame extends Frame {
  /** [66, 2] as x, y in [-1, 1]: -1 and 1 are the centres of the first and last pixel. Order: `landmarkGroups`. */
  readonly landmarks: Float32Array
  /** [66], 1 where the landmark is within the picture and nothing covers it. */
  readonly visible: Uint8Array
  /** The middles of the irises, of the person's right eye and of the left one. */
  readonly irises: KnownPoints
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
  /** Radians to the picture's right, and up, within the head. */
  readonly gaze: readonly [side: number, up: number]
  /** Weights of expressions by ARKit's names; those of 0 are left out. */
  readonly expressions: ReadonlyMap<string, number>
  /** [size, size]: 0 backdrop, 1 skin, 2 hair, 3 cloth, 4 eye, 5 inside of the mouth. */
  readonly mask: Uint8Array
}

/** Landmarks of a head. */
export const landmarkCount = 66

/** Points that are known of a head: landmarks, then the irises. */
export const headPointCount = landmarkCount + 2

/** A choice of tied keypoints. */
export type Tie = 'none' | 'face' | 'head' | 'gaze' | 'joints'

/** All choices. */
export const ties = ['none', 'face', 'head', 'gaze', 'joints'] as const satisfies readonly Tie[]

const facePoints: readonly (readonly number[])[] = [
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
]

const headPoints: readonly (readonly number[])[] = [
  ...facePoints,
  ...[17, 26, 36, 39, 42, 45, 27, 31, 35, 1, 4, 12, 15].map((point) => [point]),
]

/**
 * The known points that the first keypoints are tied to, in order. Each keypoint is at the mean of its points.
 *
 * A face has the points that expressions move (order of landmarks: `landmarkGroups`): brows, lids, lips and chin; and the tip
 * of the nose, which they do not move. A head has more that turn with it: outer ends of the brows, corners of the eyes,
 * bridge and sides of the nose, and the jaw. A gaze is a head with its irises, which come after the landmarks. Free keypoints
 * follow the hair and the shoulders, and the head if it is not tied.
 */
export const tiedPoints: Readonly<Record<Tie, readonly (readonly number[])[]>> = {
  none: [],
  face: facePoints,
  head: headPoints,
  gaze: [...headPoints, [landmarkCount], [landmarkCount + 1]],
  joints: jointNames.map((_, joint) => [joint]),
}

const faceNames: readonly string[] = [
  ...['rightUpperLid', 'rightLowerLid', 'leftUpperLid', 'leftLowerLid'],
  ...['rightBrowMiddle', 'rightBrowInner', 'leftBrowInner', 'leftBrowMiddle'],
  ...['mouthRight', 'mouthLeft', 'upperLipInner', 'lowerLipInner', 'upperLipOuter', 'lowerLipOuter'],
  ...['chin', 'noseTip'],
]

const headNames: readonly string[] = [
  ...faceNames,
  ...['rightBrowOuter', 'leftBrowOuter', 'rightEyeOuter', 'rightEyeInner', 'leftEyeInner', 'leftEyeOuter'],
  ...['noseBridge', 'noseRight', 'noseLeft', 'rightTemple', 'rightJaw', 'leftJaw', 'leftTemple'],
]

/** Names of tied keypoints, in the order of `tiedPoints`. Right and left of a face are the person's. */
export const tiedNames: Readonly<Record<Tie, readonly string[]>> = {
  none: [],
  face: faceNames,
  head: headNames,
  gaze: [...headNames, 'rightIris', 'leftIris'],
  joints: jointNames,
}

const facePairs: readonly (readonly [number, number])[] = [
  [0, 1],
  [2, 3],
  [10, 11],
  [12, 13],
  [8, 9],
  [4, 0],
  [7, 2],
]

/** Irises and the corners of their eyes. */
const gazePairs: readonly (readonly [number, number])[] = [
  [18, 29],
  [19, 29],
  [20, 30],
  [21, 30],
]

/**
 * Pairs of tied keypoints whose distance expressions change, by their places in `tiedPoints`: the openings of the eyes, the
 * inner and outer height and the width of the mouth, brows over upper lids, and irises from the corners of their eyes.
 */
export const tiedPairs: Readonly<Record<Tie, readonly (readonly [number, number])[]>> = {
  none: [],
  face: facePairs,
  head: facePairs,
  gaze: [...facePairs, ...gazePairs],
  joints: [],
}
