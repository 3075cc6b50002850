// Frames to train on: clips decoded into a cache of records, and batches of pairs drawn from it.
import { assertAtLeast, type Clip } from '../media/clip.ts'
import { createFitter, type FitMode, subjectCrop } from '../media/fit.ts'
import { InputError } from '../util/errors.ts'
import type { Random } from '../util/random.ts'
import { drawColour, mirror } from './augment.ts'

/** Records of one length, which are read in any order: more of them than memory holds, in a file wherever that is. */
export interface Records {
  /** Bytes of one record. */
  readonly length: number
  readonly count: number
  /** Adds a record: `length` bytes. @throws EnvironmentError where there is no room. */
  append(record: Uint8Array): void
  /** Copies record `index` into `target` at byte `offset`. @throws InputError where there is none. */
  read(index: number, target: Uint8Array, offset?: number): void
  close(): void
}

/** Which frames of the cache belong to one clip. */
export interface CachedClip {
  readonly name: string
  /** Index of its first frame in the cache. */
  readonly first: number
  /** Frames that may be trained on, from the start of the clip. */
  readonly training: number
  /** All its frames in the cache; those after `training` are held out. */
  readonly count: number
}

/** Decoded frames at the network's size, in a file: a clip is never whole in memory, however long it is. */
export class FrameCache {
  readonly clips: CachedClip[]

  /**
   * @param size pixels a side of every frame.
   * @param file of frames, RGB [size, size, 3]; closed with the cache.
   * @param clips whose frames are in the file already.
   */
  constructor(
    readonly size: number,
    private readonly file: Records,
    clips: readonly CachedClip[] = [],
  ) {
    this.clips = [...clips]
  }

  /** Bytes of one frame: RGB, 8 bits. */
  get frameBytes(): number {
    return this.file.length
  }

  /** Number of frames of all clips. */
  get count(): number {
    return this.file.count
  }

  /** Adds a clip's frames. Each must be RGB [size, size, 3]. */
  async add(name: string, frames: AsyncIterable<Uint8Array>, training: (count: number) => number) {
    const first = this.count
    for await (const frame of frames) this.file.append(frame)
    const count = this.count - first
    this.clips.push({ name, first, count, training: training(count) })
  }

  /** Copies frame `index` into `target` at byte `offset`. */
  read(index: number, target: Uint8Array, offset = 0): void {
    this.file.read(index, target, offset)
  }

  close(): void {
    this.file.close()
  }
}

/** How clips become a cache of frames. */
export interface CacheOptions {
  readonly size: number
  readonly fit: FitMode
  /** Part of each clip, at its end, that is not trained on: 0 to under 1. */
  readonly holdout: number
  /** Makes the file that frames are kept in. @param length bytes of a record */
  records(length: number): Records
  /** Frames that are kept of one clip at most. Of a longer clip, every second, third, ... frame is taken. */
  readonly mostFrames?: number
  /** Frames to train on that each clip must have (default 2, as motion needs two). */
  readonly leastFrames?: number
  readonly signal?: AbortSignal
  onFrame?(done: number, total: number): void
}

/**
 * Decodes clips into a cache.
 *
 * @throws InputError if a clip is smaller than `size`, or has fewer than two frames to train on.
 */
export async function cacheClips(clips: readonly Clip[], options: CacheOptions): Promise<FrameCache> {
  const { size, holdout, mostFrames = 20_000, signal } = options
  const steps = clips.map((clip) => Math.max(1, Math.ceil(clip.frameCount / mostFrames)))
  const total = clips.reduce((sum, clip, i) => sum + Math.ceil(clip.frameCount / steps[i]!), 0)
  assertUsable(clips, options)
  const cache = new FrameCache(size, options.records(size * size * 3))
  let done = 0
  try {
    for (const [i, clip] of clips.entries()) {
      const crop = options.fit === 'crop' ? { crop: await subjectCrop(clip, signal) } : {}
      const fitter = createFitter(clip, size, { mode: options.fit, ...crop })
      const fitted = async function* () {
        for await (const frame of clip.frames({ step: steps[i]! })) {
          signal?.throwIfAborted()
          yield fitter(frame)
          options.onFrame?.(++done, total)
        }
      }
      await cache.add(clip.name, fitted(), (count) => trainingFrames(count, holdout))
    }
    return cache
  } catch (error) {
    cache.close()
    throw error
  }
}

/**
 * How many of a clip's first frames are trained on; evaluation from the same fraction starts right after. A single one is
 * not held out.
 */
export function trainingFrames(count: number, holdout: number): number {
  return count === 1 ? 1 : Math.floor(count * (1 - holdout) + 1e-9)
}

/**
 * Refuses clips that cannot be trained on, without decoding them.
 *
 * @throws InputError if a clip is smaller than `size`, or has fewer frames to train on than it needs.
 */
export function assertUsable(
  clips: readonly Clip[],
  { size, holdout, leastFrames = 2 }: Pick<CacheOptions, 'size' | 'holdout' | 'leastFrames'>,
) {
  for (const clip of clips) {
    assertAtLeast(clip, size, clip.name)
    assertEnough(clip, holdout, leastFrames)
  }
}

function assertEnough(clip: Clip, holdout: number, least: number): void {
  const training = trainingFrames(clip.frameCount, holdout)
  if (training >= least) return
  throw new InputError({
    what: `the clip has too few frames to train on${least > 1 ? ': motion needs two' : ''}`,
    where: clip.name,
    got: `${clip.frameCount} frames, ${training} of them for training with a holdout of ${holdout}`,
    expected: `at least ${least} for training`,
    remedy: 'use a longer clip, or a smaller --holdout',
  })
}

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
