// The square of a picture or of a clip that a network sees: around a face, around what moves, in the middle, or as it is
// named; and what decided that.
import { type Clip, type Frame, frameAt } from '../media/clip.ts'
import {
  createFitter,
  type FitMode,
  type Fitter,
  middleSquare,
  type Square,
  subjectCrop,
} from '../media/fit.ts'
import { isHead } from '../synthetic/head/head.ts'
import { isPuppet } from '../synthetic/puppet/puppet.ts'
import { InputError } from '../util/errors.ts'
import { type Crop, overlap, squareAround } from './box.ts'
import { type Face, type FaceFinder, leastSide } from './finder.ts'

/** What decided the square. `whole`: all of the picture is kept; `given`: it was named in pixels. */
export type FramedBy = 'face' | 'motion' | 'middle' | 'given' | 'whole'

/** The part of a picture that a network sees, and why. */
export interface Framing {
  /** What decided it. */
  readonly by: FramedBy
  /** Left edge, top edge and side, in pixels of the picture. For `letterbox`, the square around the whole picture. */
  readonly square: Square
  /** Number of faces that were found; undefined if none were looked for. */
  readonly faces: number | undefined
}

/** The square of a clip that a network sees, and what decided it. */
export interface ClipSquare extends Framing {
  /** Name of the clip. */
  readonly clip: string
}

/** How the square is chosen. */
export interface FramingOptions {
  /** `letterbox` keeps the whole picture, and `crop` has no meaning then. */
  readonly fit: FitMode
  readonly crop: Crop
  /** Which face, from 1 for the largest (default 1). */
  readonly face?: number | undefined
  /** Opens what finds faces; it is called only if faces are looked for. */
  readonly faces: () => Promise<FaceFinder>
  readonly signal?: AbortSignal | undefined
}

/** A fit, and what decided its square. */
export interface Framed {
  readonly fitter: Fitter
  readonly framing: Framing
}

/**
 * The fit of a picture.
 *
 * @param size side of the square that the network sees, in pixels
 * @param where its name, for messages; in a picture of `puppet:SEED` or `head:SEED`, `auto` looks for no face
 * @throws InputError if a face is asked for and there is none, or the picture is too small to have one, or for a square that is
 * not within the picture.
 */
export async function framePicture(
  picture: Frame,
  size: number,
  options: FramingOptions,
  where = 'the picture',
): Promise<Framed> {
  const framing = await choose(picture, where, options, {
    looks: async () => [picture],
    motion: async () => ({ by: 'middle', square: middleSquare(picture) }),
  })
  return fitted(picture, size, options, framing)
}

/**
 * The fit of all frames of a clip: one square for the whole clip.
 *
 * @throws as `framePicture`, and InputError if the clip cannot be decoded. The signal's reason, if it is aborted.
 */
export async function frameClip(clip: Clip, size: number, options: FramingOptions): Promise<Framed> {
  const framing = await choose(clip, clip.name, options, {
    looks: () => looksAt(clip, options.signal),
    motion: async () => ({ by: 'motion', square: await subjectCrop(clip, options.signal) }),
  })
  return fitted(clip, size, options, framing)
}

/** Whether a clip is a puppet or a head. They are framed as they are made, and a thousand of them need not be looked at. */
export const isMade = (name: string): boolean => isPuppet(name) || isHead(name)

interface Size {
  readonly width: number
  readonly height: number
}

function fitted(from: Size, size: number, { fit }: FramingOptions, framing: Framing): Framed {
  if (fit === 'letterbox') return { fitter: createFitter(from, size, { mode: fit }), framing }
  return { fitter: createFitter(from, size, { mode: fit, crop: framing.square }), framing }
}

interface Subject {
  /** The frames in which faces are looked for. */
  looks(): Promise<readonly Frame[]>
  /** The square without a face. */
  motion(): Promise<Omit<Framing, 'faces'>>
}

async function choose(
  from: Size,
  where: string,
  options: FramingOptions,
  subject: Subject,
): Promise<Framing> {
  const { fit, crop } = options
  const whole = wholeOf(from)
  if (fit === 'letterbox') return { by: 'whole', square: whole, faces: undefined }
  if (typeof crop !== 'string') return { by: 'given', square: within(from, where, crop), faces: undefined }
  if (crop === 'middle') return { by: 'middle', square: middleSquare(from), faces: undefined }
  if (crop === 'face' || (crop === 'auto' && !isMade(where))) {
    if (Math.min(from.width, from.height) < leastSide) {
      if (crop === 'face' || (options.face ?? 1) > 1) throw tooSmall(from, where)
      return { ...(await subject.motion()), faces: undefined }
    }
    const found = await facesIn(await subject.looks(), options)
    const chosen = pick(found, where, options)
    if (chosen !== undefined)
      return { by: 'face', square: squareAround(chosen, from), faces: found[0]!.length }
    return { ...(await subject.motion()), faces: 0 }
  }
  return { ...(await subject.motion()), faces: undefined }
}

const wholeOf = ({ width, height }: Size): Square => {
  const side = Math.max(width, height)
  return { left: (width - side) / 2, top: (height - side) / 2, side }
}

function within({ width, height }: Size, where: string, square: Square): Square {
  const { left, top, side } = square
  if (left >= 0 && top >= 0 && left + side <= width && top + side <= height) return square
  throw new InputError({
    what: 'the crop is not within the picture',
    where,
    got: `${left},${top},${side},${side}`,
    expected: `a square within ${width} x ${height} pixels`,
  })
}

/** Frames of a clip in which faces are looked for: the first, and more of them up to the end. */
const looks = 5

async function looksAt(clip: Clip, signal: AbortSignal | undefined): Promise<Frame[]> {
  const count = Math.min(looks, clip.frameCount)
  const frames: Frame[] = []
  for (let i = 0; i < count; i++) {
    signal?.throwIfAborted()
    frames.push(await frameAt(clip, count === 1 ? 0 : Math.floor((i * (clip.frameCount - 1)) / (count - 1))))
  }
  return frames
}

/** The faces of each frame, without frames that have none. */
async function facesIn(frames: readonly Frame[], { faces, signal }: FramingOptions): Promise<Face[][]> {
  const finder = await faces()
  const found: Face[][] = []
  for (const frame of frames) {
    signal?.throwIfAborted()
    const these = await finder.find(frame)
    if (these.length > 0) found.push(these)
  }
  return found
}

/** The boxes of one face in all frames that show it; undefined if there is no face and none has to be. @throws InputError */
function pick(
  found: readonly Face[][],
  where: string,
  { crop, face = 1 }: FramingOptions,
): Square[] | undefined {
  const first = found[0]?.[face - 1]?.box
  if (first === undefined) {
    if (crop === 'auto' && face === 1) return undefined
    throw noFace(where, found[0]?.length ?? 0, face)
  }
  let last = first
  return found.flatMap((faces) => {
    const same = faces
      .map(({ box }) => ({ box, shared: overlap(box, last) }))
      .reduce((best, next) => (next.shared > best.shared ? next : best))
    if (same.shared < 0.1) return []
    last = same.box
    return [same.box]
  })
}

const tooSmall = ({ width, height }: Size, where: string): InputError =>
  new InputError({
    what: 'the picture is too small to look for faces in',
    where,
    got: `${width} x ${height} pixels`,
    expected: `at least ${leastSide} x ${leastSide}`,
    remedy: 'give a larger picture, or take --crop middle, without --face',
  })

function noFace(where: string, count: number, face: number): InputError {
  return new InputError({
    what: count === 0 ? 'no face was found' : 'there is no such face',
    where,
    got:
      count === 0
        ? 'no face'
        : `${count === 1 ? 'one face' : `${count} faces`}, and face ${face} is asked for`,
    expected: count === 0 ? 'a face of at least a twelfth of the picture' : `1 to ${count}`,
    remedy:
      count === 0
        ? 'name the square with --crop X,Y,W,H, or take --crop motion or --crop middle'
        : 'leave --face out for the largest face',
  })
}
