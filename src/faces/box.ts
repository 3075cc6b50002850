// The square around a face: how it follows from 66 landmarks, and how two of them are compared. Which square of a picture a
// network sees, as users name it: `auto`, `face`, `motion`, `middle`, or `X,Y,W,H` in pixels.
import type { Square } from '../media/fit.ts'
import { InputError } from '../util/errors.ts'

/** A way to choose the square: by its name, or a square in pixels. `auto`: a face if there is one, otherwise as `motion`. */
export type Crop = 'auto' | 'face' | 'motion' | 'middle' | Square

const cropNames = ['auto', 'face', 'motion', 'middle'] as const

/** What new runs are trained with: a face if there is one, otherwise what moves. */
export const defaultCrop: Crop & string = 'auto'

/** What texts `parseCrop` takes. */
export const cropPattern = /^(auto|face|motion|middle|\d{1,6},\d{1,6},\d{1,6},\d{1,6})$/

/** The same in words. */
export const cropForm = 'face, motion, middle, auto, or X,Y,W,H in pixels, with W and H the same'

/** Reads a crop. @throws InputError if the text is none, or W and H differ. */
export function parseCrop(text: string): Crop {
  const name = cropNames.find((known) => known === text)
  if (name !== undefined) return name
  const [left, top, width, height] = cropPattern.test(text) ? text.split(',').map(Number) : []
  if (width !== undefined && width > 0 && width === height) return { left: left!, top: top!, side: width }
  throw new InputError({
    what: 'there is no such crop',
    where: 'crop',
    got: text,
    expected: cropForm,
    ...(width !== height && { remedy: `the networks see squares: name ${left},${top},${width},${width}` }),
  })
}

/** A crop as `parseCrop` takes it. */
export const formatCrop = (crop: Crop): string =>
  typeof crop === 'string' ? crop : `${crop.left},${crop.top},${crop.side},${crop.side}`

/** A square around a face, which may be turned. */
export interface FaceSquare {
  /** Middle, in pixels: 0 is the left or upper edge of the first one. */
  readonly x: number
  readonly y: number
  /** Side, in pixels. */
  readonly side: number
  /** Radians by which the face is turned clockwise on the picture. */
  readonly angle: number
}

// Fitted to where a foreign detector (BlazeFace) puts its square on 240 synthetic heads, so that squares of the two can
// be compared. Its side is this many times the diagonal of eye distance and eyes-to-mouth distance ...
const sideOfDiagonal = 1.667
/** ... and its middle lies this part of the side above the middle of the landmarks, along the face. */
const raised = 0.073

/**
 * The square of a face.
 *
 * @param landmarks [66, 2], pixels from the upper left edge of the picture
 */
export function faceSquare(landmarks: ArrayLike<number>): FaceSquare {
  const right = middle(landmarks, 36, 42)
  const left = middle(landmarks, 42, 48)
  const mouth = middle(landmarks, 48, 60)
  const eyes = [(right[0] + left[0]) / 2, (right[1] + left[1]) / 2] as const
  // Eyes and mouth both tell the angle; in profile the eyes are too near to each other to tell it alone.
  const along = [
    left[0] - right[0] - (eyes[1] - mouth[1]),
    left[1] - right[1] + (eyes[0] - mouth[0]),
  ] as const
  const angle = Math.atan2(along[1], along[0])
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  let [l, t, r, b] = [Infinity, Infinity, -Infinity, -Infinity]
  for (let i = 0; i < landmarks.length; i += 2) {
    const u = cos * landmarks[i]! + sin * landmarks[i + 1]!
    const v = cos * landmarks[i + 1]! - sin * landmarks[i]!
    l = Math.min(l, u)
    r = Math.max(r, u)
    t = Math.min(t, v)
    b = Math.max(b, v)
  }
  const apart = Math.hypot(left[0] - right[0], left[1] - right[1])
  const long = Math.hypot(eyes[0] - mouth[0], eyes[1] - mouth[1])
  const side = sideOfDiagonal * Math.hypot(apart, long)
  const [u, v] = [(l + r) / 2, (t + b) / 2 - raised * side]
  return { x: cos * u - sin * v, y: sin * u + cos * v, side, angle }
}

function middle(landmarks: ArrayLike<number>, from: number, to: number): [number, number] {
  let [x, y] = [0, 0]
  for (let i = from; i < to; i++) {
    x += landmarks[2 * i]! / (to - from)
    y += landmarks[2 * i + 1]! / (to - from)
  }
  return [x, y]
}

/** The upright square of the same middle and side. */
export const upright = ({ x, y, side }: Omit<FaceSquare, 'angle'>): Square => ({
  left: x - side / 2,
  top: y - side / 2,
  side,
})

/** Intersection over union of two upright squares, 0 to 1. */
export function overlap(a: Square, b: Square): number {
  const inner = shared(a, b)
  return inner / (a.side ** 2 + b.side ** 2 - inner)
}

/** The part of the smaller of two upright squares that the other one covers, 0 to 1. */
export const covered = (a: Square, b: Square): number => shared(a, b) / Math.min(a.side, b.side) ** 2

function shared(a: Square, b: Square): number {
  const along = (p: number, q: number) => Math.max(0, Math.min(p + a.side, q + b.side) - Math.max(p, q))
  return along(a.left, b.left) * along(a.top, b.top)
}

/** Part of the square's side that the side of the face is: hair and some of the shoulders are seen. */
const faceShare = 0.5
/** How far down in the square the middle of the face is, as a part of its side. */
const faceHeight = 0.55
/** How many times the span of a moving face's boxes the square is at least. */
const spare = 1.35

/**
 * The square around a head, by the boxes of its face in some frames. It lies within the picture; if the picture is too
 * small, the square is smaller.
 *
 * @param boxes at least one
 */
export function squareAround(
  boxes: readonly Square[],
  { width, height }: { readonly width: number; readonly height: number },
): Square {
  const sides = boxes.map(({ side }) => side).sort((a, b) => a - b)
  const left = Math.min(...boxes.map((box) => box.left))
  const top = Math.min(...boxes.map((box) => box.top))
  const right = Math.max(...boxes.map((box) => box.left + box.side))
  const bottom = Math.max(...boxes.map((box) => box.top + box.side))
  const wanted = Math.max(
    sides[Math.floor(sides.length / 2)]! / faceShare,
    spare * (right - left),
    spare * (bottom - top),
  )
  const side = Math.max(1, Math.min(Math.round(wanted), width, height))
  const clamp = (at: number, length: number) => Math.round(Math.min(Math.max(at, 0), length - side))
  return {
    left: clamp((left + right) / 2 - side / 2, width),
    top: clamp((top + bottom) / 2 - faceHeight * side, height),
    side,
  }
}
