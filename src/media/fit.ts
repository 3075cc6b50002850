// Square fits: how a picture becomes the square that a network sees, how positions in the square map back, and which
// square of a clip holds most of what moves. Notes about inputs that give less than their user may expect: clips in which
// nothing moves, and small pictures.
import { InputError } from '../util/errors.ts'
import { assertFrame, type Clip, type Frame, smallNotes } from './clip.ts'
import { createResampler, type Window } from './resample.ts'

/**
 * How a picture becomes square: `crop` keeps the square around its subject, `letterbox` keeps the whole picture and
 * adds grey bars (128, 128, 128).
 */
export const fitModes = ['crop', 'letterbox'] as const

/** One of `fitModes`. */
export type FitMode = (typeof fitModes)[number]

/** Turns frames of one size into square ones. */
export interface Fitter {
  /** Side of the result in pixels. */
  readonly size: number
  /** The part of the frame that is kept, in pixels of the frame. */
  readonly window: Window
  /** RGB [size, size, 3], which the caller may keep. @throws InputError if the frame has another size. */
  (frame: Frame): Uint8Array
}

/**
 * Prepares the fit of all frames of one size.
 *
 * @param from width and height of the frames to come.
 * @param size side of the square in pixels.
 * @param options.mode default `crop`.
 * @param options.crop the square to keep, for `crop`; default the one in the middle. See `subjectCrop`.
 * @throws InputError if the crop is not within the frame.
 */
export function createFitter(
  from: { readonly width: number; readonly height: number },
  size: number,
  options: { readonly mode?: FitMode; readonly crop?: Square } = {},
): Fitter {
  const { width, height } = from
  const window =
    options.mode === 'letterbox'
      ? { left: 0, top: 0, width, height }
      : squareWindow(from, options.crop ?? middleSquare(from))
  const long = Math.max(window.width, window.height)
  const shown = {
    width: Math.max(1, Math.round((size * window.width) / long)),
    height: Math.max(1, Math.round((size * window.height) / long)),
  }
  // Most frames have the right size already, and resampling them would cost as much as decoding.
  const asTheyAre = width === size && height === size
  const resample = asTheyAre ? (data: Uint8Array) => data.slice() : createResampler(from, window, shown)
  const fit = (frame: Frame): Uint8Array => {
    if (frame.width !== width || frame.height !== height) {
      throw new InputError({
        what: 'a frame has another size than the ones before',
        got: `${frame.width} x ${frame.height}`,
        expected: `${width} x ${height}`,
      })
    }
    assertFrame(frame)
    const pixels = resample(frame.data)
    return shown.width === size && shown.height === size ? pixels : addBars(pixels, shown, size)
  }
  return Object.assign(fit, { size, window })
}

/** A square part of a picture, in pixels. */
export interface Square {
  /** Left edge. */
  readonly left: number
  /** Top edge. */
  readonly top: number
  /** Side. */
  readonly side: number
}

/** The largest square in the middle. */
export function middleSquare({ width, height }: { readonly width: number; readonly height: number }): Square {
  const side = Math.min(width, height)
  return { left: Math.floor((width - side) / 2), top: Math.floor((height - side) / 2), side }
}

function squareWindow(from: { readonly width: number; readonly height: number }, square: Square): Window {
  const { left, top, side } = square
  if (left < 0 || top < 0 || side < 1 || left + side > from.width || top + side > from.height) {
    throw new InputError({
      what: 'the crop is not within the picture',
      got: `${side} pixels a side at (${left}, ${top})`,
      expected: `within ${from.width} x ${from.height}`,
    })
  }
  return { left, top, width: side, height: side }
}

function addBars(pixels: Uint8Array, shown: { width: number; height: number }, size: number): Uint8Array {
  const out = new Uint8Array(size * size * 3).fill(128)
  const left = Math.floor((size - shown.width) / 2)
  const top = Math.floor((size - shown.height) / 2)
  for (let y = 0; y < shown.height; y++) {
    const row = pixels.subarray(y * shown.width * 3, (y + 1) * shown.width * 3)
    out.set(row, ((top + y) * size + left) * 3)
  }
  return out
}

/**
 * The square of the frame that keypoint coordinates span, in pixels of the frame. For `letterbox` it contains the
 * bars, and is larger than the frame. Its corner and side may be fractions.
 */
export function seenSquare({ window, size }: Fitter): Square {
  const { left, top, width, height } = window
  const side = Math.max(width, height)
  // Bars are whole pixels of the network; an odd pixel is at the right or at the bottom.
  const start = (length: number) => {
    const shown = Math.max(1, Math.round((size * length) / side))
    return length / 2 - ((Math.floor((size - shown) / 2) + shown / 2) * side) / size
  }
  return { left: left + start(width), top: top + start(height), side }
}

/**
 * From keypoint coordinates to pixels of the video: x = left + ((v + 1) / 2 * (size - 1) + 0.5) * side / size
 * - 0.5, where (0, 0) is the centre of the first pixel. Exact for `crop`. For `letterbox` the error is at most a
 * quarter of a pixel of the network, because the size of the picture between the bars is rounded.
 *
 * @param size side in pixels of the square that the network sees.
 */
export function videoPosition(square: Square, size: number): (x: number, y: number) => [number, number] {
  const along = (v: number) => ((((v + 1) / 2) * (size - 1) + 0.5) * square.side) / size - 0.5
  return (x, y) => [square.left + along(x), square.top + along(y)]
}

/** Number of frames that are compared, spread over the clip. */
const samples = 16
/** Number of cells along the long side in which motion is measured. */
const cells = 64
/** Preference for a square in the middle over one at the border, as a share of all motion. */
const centrePrior = 0.1

/**
 * The fit of a clip's frames: the square around what moves (`crop`), or the whole frame between bars (`letterbox`).
 *
 * @param size side of the square in pixels.
 * @throws InputError if the clip cannot be decoded. The signal's reason, if it is aborted.
 */
export async function fitClip(
  clip: Clip,
  size: number,
  mode: FitMode,
  signal?: AbortSignal,
): Promise<Fitter> {
  return createFitter(clip, size, {
    mode,
    ...(mode === 'crop' ? { crop: await subjectCrop(clip, signal) } : {}),
  })
}

/**
 * The square of side min(width, height) that holds most of what moves, with a mild preference for the middle. If
 * nothing moves, it is the middle. It is the same for every reading of a clip.
 *
 * @throws InputError if a frame cannot be decoded. The signal's reason, if it is aborted.
 */
export async function subjectCrop(clip: Clip, signal?: AbortSignal): Promise<Square> {
  const middle = middleSquare(clip)
  const room = Math.abs(clip.width - clip.height)
  if (room === 0) return middle
  const motion = await motionAlong(clip, signal)
  const offset = bestOffset(motion, clip.width, clip.height)
  return clip.width > clip.height ? { ...middle, left: offset } : { ...middle, top: offset }
}

/** Sum of squared changes between the sampled frames, by cell along the long side. */
async function motionAlong(clip: Clip, signal: AbortSignal | undefined): Promise<Float64Array> {
  const across = clip.width > clip.height
  const long = Math.min(cells, Math.max(clip.width, clip.height))
  const short = 32
  const grid = across ? { width: long, height: short } : { width: short, height: long }
  const whole = { left: 0, top: 0, width: clip.width, height: clip.height }
  const shrink = createResampler(clip, whole, grid)
  const motion = new Float64Array(long)
  let before: Uint8Array | undefined
  const step = Math.max(1, Math.floor(clip.frameCount / samples))
  for await (const frame of clip.frames({ step })) {
    signal?.throwIfAborted()
    const now = shrink(frame.data)
    if (before !== undefined) addChange(motion, before, now, grid, across)
    before = now
  }
  return motion
}

function addChange(
  motion: Float64Array,
  before: Uint8Array,
  now: Uint8Array,
  grid: Pick<Frame, 'width' | 'height'>,
  across: boolean,
): void {
  for (let y = 0, i = 0; y < grid.height; y++) {
    for (let x = 0; x < grid.width; x++) {
      for (let c = 0; c < 3; c++, i++) {
        const change = now[i]! - before[i]!
        // A change of at most 3 levels is compression noise, which adds up over a wide quiet area.
        if (Math.abs(change) > 3) motion[across ? x : y]! += change * change
      }
    }
  }
}

/**
 * Where the square should start along the long side, in pixels.
 *
 * @param motion sum of squared changes by cell along the long side.
 */
export function bestOffset(motion: Float64Array, width: number, height: number): number {
  const long = Math.max(width, height)
  const side = Math.min(width, height)
  const room = long - side
  const middle = Math.floor(room / 2)
  const total = motion.reduce((sum, value) => sum + value, 0)
  if (total === 0) return middle
  let best = middle
  let bestScore = -Infinity
  // From the middle outward, so that ties go to the middle.
  for (let k = 0; k <= room; k++) {
    const offset = middle + (k % 2 === 0 ? k / 2 : -(k + 1) / 2)
    if (offset < 0 || offset > room) continue
    const inside = energyBetween(
      motion,
      (offset / long) * motion.length,
      ((offset + side) / long) * motion.length,
    )
    const away = (2 * Math.abs(offset - room / 2)) / room
    // Motion near the edge of the square counts less than motion in its middle, which centres the subject.
    const score = inside / total - centrePrior * away
    if (score > bestScore + 1e-12) {
      best = offset
      bestScore = score
    }
  }
  return best
}

/** Sum of the cells `from` to `to`, both fractional. Weights are 1 in the middle and fall to 0.5 at the ends. */
function energyBetween(motion: Float64Array, from: number, to: number): number {
  let sum = 0
  const half = (to - from) / 2
  for (let i = Math.max(0, Math.floor(from)); i < Math.min(motion.length, Math.ceil(to)); i++) {
    const covered = Math.min(i + 1, to) - Math.max(i, from)
    const t = (i + 0.5 - from - half) / half
    sum += motion[i]! * covered * (1 - 0.5 * t * t)
  }
  return sum
}

/** Notes about a clip whose frames the watch has seen, with the notices of its file. */
export function clipNotes(clip: Clip, size: number, watch: MotionWatch): string[] {
  const still = watch.isStill ? [`${clip.name}: nothing moves in this clip`] : []
  return [...(clip.notices ?? []), ...smallNotes(clip, size, clip.name), ...still]
}

/** A value that changes by more levels than this has moved. Compression changes values by fewer. */
const leastChange = 12
/** The share of values that must have moved. */
const leastShare = 0.001

/** Compares the frames of a clip, as a network sees them, with its first frame, until something has moved. */
export class MotionWatch {
  private first: Uint8Array | undefined
  private frames = 0
  private moved = false

  /** The fit, which shows each of its frames to this watch. */
  watching(fitter: Fitter): Fitter {
    const fit = (frame: Frame): Uint8Array => {
      const pixels = fitter(frame)
      this.add(pixels)
      return pixels
    }
    return Object.assign(fit, { size: fitter.size, window: fitter.window })
  }

  /** Whether there were two frames or more, and none differs from the first. */
  get isStill(): boolean {
    return this.frames > 1 && !this.moved
  }

  private add(pixels: Uint8Array): void {
    this.frames++
    if (this.moved) return
    this.first ??= pixels.slice()
    const { first } = this
    let changes = 0
    for (let i = 0; i < pixels.length; i++) if (Math.abs(pixels[i]! - first[i]!) > leastChange) changes++
    this.moved = changes > leastShare * pixels.length
  }
}

/** How far a square that is put back fades into the picture at its edges, as a part of its side. */
const feather = 0.1

/**
 * How much of a square is seen at each place along a side, 0 to 1, if it is put back into its picture.
 *
 * @param side in pixels
 * @param atStart whether it fades at its start; an edge that is the picture's does not fade
 */
export function fades(side: number, atStart: boolean, atEnd: boolean): Float32Array {
  const reach = feather * side
  return Float32Array.from({ length: side }, (_, i) => {
    const start = atStart ? (i + 0.5) / reach : 1
    const end = atEnd ? (side - i - 0.5) / reach : 1
    const t = Math.min(1, start, end)
    return t * t * (3 - 2 * t)
  })
}
