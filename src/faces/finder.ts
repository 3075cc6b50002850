// Finds faces in a picture: a network marks where they are, another reads the landmarks of each, and the square follows
// from the landmarks.
import { floats, type Tensor } from '../graph/tensor.ts'
import type { Frame } from '../media/clip.ts'
import { createFitter, type Square, seenSquare } from '../media/fit.ts'
import { createResampler } from '../media/resample.ts'
import type { Pixels } from '../media/sample-pixels.ts'
import type { OpenSession, Session } from '../runtime/session.ts'
import { landmarkCount } from '../synthetic/made-clips.ts'
import { InputError } from '../util/errors.ts'
import { covered, type FaceSquare, faceSquare, overlap, squareAround, upright } from './box.ts'
import { finderGraph, finderStride, landmarkGraph, landmarkSize } from './networks.ts'

/** A face in a picture. */
export interface Face {
  /** Square from the brows to the chin, in pixels of the picture. It may reach beyond the picture. */
  readonly box: Square
  /** Square around the head, within the picture, as `crop: 'face'` takes it: twice as wide as the box where there is room. */
  readonly head: Square
  /** Radians by which the face is turned clockwise. */
  readonly angle: number
  /** How sure it is that this is a face, 0 to 1. */
  readonly score: number
  /** [66, 2] as x, y in pixels: 0 is the centre of the first one. Order: `landmarkGroups`. */
  readonly landmarks: Float32Array
}

/** Finds faces. Close it after use, or bind it by `await using`. */
export interface FaceFinder extends AsyncDisposable {
  /**
   * The faces of a picture, the largest first. The list is empty if no face is found.
   *
   * @throws InputError if the picture is smaller than 16 pixels along a side.
   */
  find(picture: Frame): Promise<Face[]>
  /** Frees the sessions. Further calls do nothing. */
  close(): Promise<void>
}

/** Sides of the squares that the whole picture is looked at in: large faces are found in the first, small ones in the second. */
const sizes = [128, 256] as const
/** Places below this are not looked at more closely. */
const leastPlace = 0.25
/** Faces that the two networks are less sure of are left out: the geometric mean of their scores. */
const leastFace = 0.72
/** Squares of which this part is shared are one face. */
const sameFace = 0.3
const mostFaces = 16
/** Faces are looked for in pictures that have this number of pixels along each side, or more. */
export const leastSide = 16
/** Larger pictures are made smaller first: a face of 8% then has 80 pixels still. */
const workingSide = 1024
/** How many times the side of the face the square is that landmarks are read in. */
const aroundFace = 1.6

/**
 * Opens the two networks.
 *
 * @param weights of both: see `readFaceWeights`
 */
export async function openFaceFinder(
  weights: ReadonlyMap<string, Tensor>,
  openSession: OpenSession,
): Promise<FaceFinder> {
  const sessions: Session[] = []
  try {
    for (const graph of [...sizes.map(finderGraph), landmarkGraph()]) {
      sessions.push(await openSession(graph, { weights, spin: false }))
    }
  } catch (error) {
    await Promise.all(sessions.map((session) => session.close()))
    throw error
  }
  return new NetworkFinder(sessions.slice(0, -1), sessions.at(-1)!)
}

class NetworkFinder implements FaceFinder {
  constructor(
    /** One for each of `sizes`. */
    private readonly finders: readonly Session[],
    private readonly reader: Session,
  ) {}

  async find(picture: Frame): Promise<Face[]> {
    const { width, height } = picture
    if (Math.min(width, height) < leastSide) {
      throw new InputError({
        what: 'the picture is too small to look for faces in',
        got: `${width} x ${height} pixels`,
        expected: `at least ${leastSide} x ${leastSide}`,
        remedy: 'give a larger picture',
      })
    }
    const shown = shrunk(picture)
    const places = await this.places(shown)
    const faces: Seen[] = []
    for (const place of places) {
      const face = await this.read(shown, place)
      if (face !== undefined) faces.push(face)
    }
    const scale = width / shown.width
    return apart(faces)
      .map((face) => enlarged(face, scale))
      .map((face) => ({ ...face, head: squareAround([face.box], picture) }))
      .sort((a, b) => b.box.side - a.box.side)
  }

  async close(): Promise<void> {
    await Promise.all([...this.finders, this.reader].map((session) => session.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Where faces may be, the likeliest first. */
  private async places(picture: Frame): Promise<Place[]> {
    const all: Place[] = []
    for (const [i, size] of sizes.entries()) {
      const fitter = createFitter(picture, size, { mode: 'letterbox' })
      const maps = await this.finders[i]!.run({
        picture: floats(planes(fitter(picture)), [1, 3, size, size]),
      })
      const seen = seenSquare(fitter)
      const [presence, box] = [maps.presence!.data as Float32Array, maps.box!.data as Float32Array]
      all.push(...placesOf(presence, box, size / finderStride, seen))
    }
    return grouped(all).slice(0, mostFaces)
  }

  /** Reads the landmarks of a face, and again in the square that follows from them. */
  private async read(picture: Frame, place: Place): Promise<Seen | undefined> {
    let square: FaceSquare = { ...middleOf(place.square), angle: 0 }
    for (let time = 0; ; time++) {
      const side = aroundFace * square.side
      const seen = turnedSquare(picture, { ...square, side }, landmarkSize)
      const result = await this.reader.run({ square: floats(seen, [1, 3, landmarkSize, landmarkSize]) })
      const landmarks = placed(result.landmarks!.data as Float32Array, { ...square, side })
      const score = sigmoid((result.presence!.data as Float32Array)[0]!)
      const next = faceSquare(landmarks)
      const grown = next.side / place.square.side
      if (grown < 0.4 || grown > 2.5 || overlap(upright(next), place.square) < 0.15) return undefined
      if (time > 0) {
        const both = Math.sqrt(score * place.score)
        if (both < leastFace) return undefined
        const pixels = landmarks.map((value) => value - 0.5)
        return { box: upright(next), angle: next.angle, score: both, landmarks: pixels }
      }
      square = next
    }
  }
}

/** A face in the picture that is worked on. */
type Seen = Omit<Face, 'head'>

/** Where a face may be. */
interface Place {
  readonly square: Square
  readonly score: number
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

const middleOf = ({ left, top, side }: Square) => ({ x: left + side / 2, y: top + side / 2, side })

/** @param seen the square of the picture that the maps span, in pixels */
function placesOf(presence: Float32Array, box: Float32Array, cells: number, seen: Square): Place[] {
  const area = cells * cells
  const pixels = seen.side / cells
  const places: Place[] = []
  for (let at = 0; at < area; at++) {
    const score = sigmoid(presence[at]!)
    if (score < leastPlace) continue
    const side = pixels * Math.exp(Math.min(Math.log(2 * cells), box[2 * area + at]!))
    const x = seen.left + pixels * ((at % cells) + 0.5 + box[at]!)
    const y = seen.top + pixels * (Math.floor(at / cells) + 0.5 + box[area + at]!)
    places.push({ square: { left: x - side / 2, top: y - side / 2, side }, score })
  }
  return places
}

/** Places that overlap are one: their mean under their scores. */
function grouped(places: readonly Place[]): Place[] {
  let left = [...places].sort((a, b) => b.score - a.score)
  const groups: Place[] = []
  while (left.length > 0) {
    const best = left[0]!
    const same = left.filter(({ square }) => overlap(square, best.square) > sameFace)
    left = left.filter((place) => !same.includes(place))
    const sum = same.reduce((total, { score }) => total + score, 0)
    const mean = (value: (square: Square) => number) =>
      same.reduce((total, { square, score }) => total + score * value(square), 0) / sum
    groups.push({
      score: best.score,
      square: { left: mean((s) => s.left), top: mean((s) => s.top), side: mean((s) => s.side) },
    })
  }
  return groups
}

/** Faces without the faces that lie on a face that is surer, such as an eye that looks like one. */
function apart(faces: readonly Seen[]): Seen[] {
  const kept: Seen[] = []
  for (const face of [...faces].sort((a, b) => b.score - a.score)) {
    if (kept.every(({ box }) => covered(box, face.box) < sameFace)) kept.push(face)
  }
  return kept
}

/** From [-1, 1] of a turned square to pixels from the picture's upper left edge. */
function placed(landmarks: Float32Array, { x, y, side, angle }: FaceSquare): Float32Array {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const along = (v: number) => ((((v + 1) / 2) * (landmarkSize - 1) + 0.5) / landmarkSize - 0.5) * side
  const out = new Float32Array(2 * landmarkCount)
  for (let i = 0; i < out.length; i += 2) {
    const [u, v] = [along(landmarks[i]!), along(landmarks[i + 1]!)]
    out[i] = x + cos * u - sin * v
    out[i + 1] = y + sin * u + cos * v
  }
  return out
}

function shrunk(picture: Frame): Frame {
  const scale = workingSide / Math.max(picture.width, picture.height)
  if (scale >= 1) return picture
  const width = Math.max(1, Math.round(scale * picture.width))
  const height = Math.max(1, Math.round(scale * picture.height))
  const whole = { left: 0, top: 0, width: picture.width, height: picture.height }
  return { ...picture, width, height, data: createResampler(picture, whole, { width, height })(picture.data) }
}

function enlarged(face: Seen, scale: number): Seen {
  if (scale === 1) return face
  const { left, top, side } = face.box
  const box = { left: left * scale, top: top * scale, side: side * scale }
  return { ...face, box, landmarks: face.landmarks.map((value) => (value + 0.5) * scale - 0.5) }
}

function planes(rgb: Uint8Array): Float32Array<ArrayBuffer> {
  const area = rgb.length / 3
  const out = new Float32Array(rgb.length)
  for (let i = 0; i < area; i++) {
    out[i] = rgb[3 * i]! / 255
    out[area + i] = rgb[3 * i + 1]! / 255
    out[2 * area + i] = rgb[3 * i + 2]! / 255
  }
  return out
}

/** Samples along each side of a pixel, at most. */
const mostSamples = 6

/**
 * The square as planes. Beyond the picture, its edge goes on.
 *
 * @returns [3, size, size] in [0, 1]
 */
export function turnedSquare(picture: Pixels, square: FaceSquare, size: number): Float32Array<ArrayBuffer> {
  const { width, height, data } = picture
  const { x: cx, y: cy, side, angle } = square
  const step = side / size
  // A pixel that covers several of the picture's is their mean.
  const samples = Math.min(mostSamples, Math.max(1, Math.round(step)))
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const area = size * size
  const out = new Float32Array(3 * area)
  const scale = 1 / (255 * samples * samples)
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      let [r, g, b] = [0, 0, 0]
      for (let sample = 0; sample < samples * samples; sample++) {
        const u = (column + ((sample % samples) + 0.5) / samples) * step - side / 2
        const v = (row + (Math.floor(sample / samples) + 0.5) / samples) * step - side / 2
        const x = clamp(cx + cos * u - sin * v - 0.5, width - 1)
        const y = clamp(cy + sin * u + cos * v - 0.5, height - 1)
        const [left, top] = [Math.floor(x), Math.floor(y)]
        const [fx, fy] = [x - left, y - top]
        const at = 3 * (top * width + left)
        const right = left + 1 < width ? 3 : 0
        const below = top + 1 < height ? 3 * width : 0
        const [w00, w01, w10, w11] = [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy]
        r +=
          w00 * data[at]! +
          w01 * data[at + right]! +
          w10 * data[at + below]! +
          w11 * data[at + right + below]!
        g +=
          w00 * data[at + 1]! +
          w01 * data[at + right + 1]! +
          w10 * data[at + below + 1]! +
          w11 * data[at + right + below + 1]!
        b +=
          w00 * data[at + 2]! +
          w01 * data[at + right + 2]! +
          w10 * data[at + below + 2]! +
          w11 * data[at + right + below + 2]!
      }
      const to = row * size + column
      out[to] = r * scale
      out[area + to] = g * scale
      out[2 * area + to] = b * scale
    }
  }
  return out
}

const clamp = (value: number, most: number) => Math.max(0, Math.min(value, most))
