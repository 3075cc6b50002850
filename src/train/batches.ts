import type { Random } from '../util/random.ts'
import type { FrameCache } from './frame-cache.ts'

/** How a pair of frames is varied before it is trained on; both frames alike. */
export interface Augmentation {
  /** Mirror half of the pairs left to right. */
  readonly flip: boolean
  /** Largest change of brightness, contrast and saturation, each as a part of 1. 0 leaves colours alone. */
  readonly colour: number
}

/** One batch: what a training step is fed with. */
export interface Batch {
  /** RGB [2 n, size, size, 3]: n source frames, then n driving frames of the same clips. */
  readonly frames: Uint8Array<ArrayBuffer>
  /** Colour changes [n, 3, 4]: a matrix and an offset a pair, for values in [0, 1]. */
  readonly colour: Float32Array<ArrayBuffer>
}

/**
 * Draws `n` pairs of different frames, each of one clip, clips in proportion to their length (Siarohin et
 * al. 2019, section 3.3: source and driving frame come from one video).
 */
export function drawBatch(
  random: Random,
  cache: FrameCache,
  n: number,
  { flip, colour }: Augmentation,
): Batch {
  const { frameBytes, clips, size } = cache
  const frames = new Uint8Array(2 * n * frameBytes)
  const colours = new Float32Array(n * 12)
  const total = clips.reduce((sum, clip) => sum + clip.training, 0)
  for (let pair = 0; pair < n; pair++) {
    let at = random.integer(total)
    const clip = clips.find((candidate) => {
      if (at < candidate.training) return true
      at -= candidate.training
      return false
    })!
    // A different frame of the clip: any of the others, with equal chance.
    const other = (at + 1 + random.integer(clip.training - 1)) % clip.training
    cache.read(clip.first + at, frames, pair * frameBytes)
    cache.read(clip.first + other, frames, (n + pair) * frameBytes)
    if (flip && random.uniform() < 0.5) {
      for (const slot of [pair, n + pair]) {
        mirror(frames.subarray(slot * frameBytes, (slot + 1) * frameBytes), size)
      }
    }
    colours.set(drawColour(random, colour), pair * 12)
  }
  return { frames, colour: colours }
}

/** Mirrors RGB [size, size, 3] left to right, in place. */
function mirror(frame: Uint8Array, size: number): void {
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size >> 1; x++) {
      const left = (y * size + x) * 3
      const right = (y * size + size - 1 - x) * 3
      for (let c = 0; c < 3; c++) {
        const kept = frame[left + c]!
        frame[left + c] = frame[right + c]!
        frame[right + c] = kept
      }
    }
  }
}

/** Weights of red, green and blue in the grey that saturation is measured from (ITU-R BT.601). */
const luma = [0.299, 0.587, 0.114]

/** A colour change [3, 4], a matrix and an offset for values in [0, 1]: saturation around grey, then contrast around the middle, then brightness. */
export function drawColour(random: Random, amount: number): number[] {
  if (amount === 0) return [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
  const saturation = 1 + random.between(-amount, amount)
  const contrast = 1 + random.between(-amount, amount)
  const brightness = random.between(-amount, amount) / 2
  const offset = 0.5 - 0.5 * contrast + brightness
  return [0, 1, 2].flatMap((row) => [
    ...luma.map(
      (weight, column) => contrast * ((row === column ? saturation : 0) + (1 - saturation) * weight),
    ),
    offset,
  ])
}
