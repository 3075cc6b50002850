// The crop of a clip: the square that holds most of what moves, so that the same part of every frame is seen.
import type { Clip } from './clip.ts'
import { createFitter, type FitMode, type Fitter, middleSquare, type Square } from './fit.ts'
import { assertAtLeast, type Frame } from './frame.ts'
import { createResampler } from './resample.ts'

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
 * @throws InputError if the clip is smaller than `size`, or cannot be decoded. The signal's reason, if it is aborted.
 */
export async function fitClip(
  clip: Clip,
  size: number,
  mode: FitMode,
  signal?: AbortSignal,
): Promise<Fitter> {
  assertAtLeast(clip, size, clip.name)
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
