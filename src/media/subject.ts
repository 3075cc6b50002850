import type { Clip } from './clip.ts'
import { middleSquare, type Square } from './fit.ts'
import type { Frame } from './frame.ts'
import { createResampler } from './resample.ts'

/** Frames looked at, spread over the clip. */
const samples = 16
/** Cells along the long side in which motion is measured. */
const cells = 64
/** What a square in the middle is preferred by over one at the border: a tenth of all motion. */
const centrePrior = 0.1

/**
 * The square of side min(width, height) that holds most of what moves, with a mild preference for the
 * middle; the middle where nothing moves. The same for every reading of a clip.
 *
 * @throws InputError if a frame cannot be decoded.
 */
export async function subjectCrop(clip: Clip): Promise<Square> {
  const middle = middleSquare(clip)
  const room = Math.abs(clip.width - clip.height)
  if (room === 0) return middle
  const motion = await motionAlong(clip)
  const offset = bestOffset(motion, clip.width, clip.height)
  return clip.width > clip.height ? { ...middle, left: offset } : { ...middle, top: offset }
}

/** Mean squared change between the sampled frames, by cell along the long side. */
async function motionAlong(clip: Clip): Promise<Float64Array> {
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
        // Below 3 levels it is compression noise, of which a wide quiet area has much.
        if (Math.abs(change) > 3) motion[across ? x : y]! += change * change
      }
    }
  }
}

/**
 * Where the square should start along the long side, in pixels.
 *
 * @param motion energy by cell along the long side.
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
    // Motion near the rim of the square counts less than in its middle, so that the subject gets centred.
    const score = inside / total - centrePrior * away
    if (score > bestScore + 1e-12) {
      best = offset
      bestScore = score
    }
  }
  return best
}

/** Sum of cells `from` to `to`, both fractional, each cell weighted by a bump over the window. */
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
