// Frames to train on: clips decoded into a cache of records, and batches of pairs drawn from it.

import { parseCrop } from '../faces/box.ts'
import { type Framing, type FramingOptions, frameClip, isMade } from '../faces/framing.ts'
import { type Clip, smallNotes } from '../media/clip.ts'
import { MotionWatch } from '../media/fit.ts'
import { EnvironmentError, InputError } from '../util/errors.ts'
import type { Random } from '../util/random.ts'
import { drawColour, mirror, varyPicture } from './augment.ts'
import type { Records } from './motion-labels.ts'
import { labelPoints, MotionLabels } from './motion-labels.ts'

/** Which frames of the cache belong to one clip. */
export interface CachedClip {
  readonly name: string
  /** Index of its first frame in the cache. */
  readonly first: number
  /** Frames that may be trained on, from the start of the clip. */
  readonly training: number
  /** All its frames in the cache; those after `training` are held out. */
  readonly count: number
  /** Index of its first frame's label; undefined if nothing is known of its motion. */
  readonly firstLabel?: number | undefined
}

/** Decoded frames at the network's size, in a file: a clip is never whole in memory, however long it is. */
export class FrameCache {
  readonly clips: CachedClip[]

  /**
   * @param size pixels a side of every frame.
   * @param file of frames, RGB [size, size, 3]; closed with the cache.
   * @param clips whose frames are in the file already.
   * @param labels of frames; closed with the cache.
   */
  constructor(
    readonly size: number,
    private readonly file: Records,
    clips: readonly CachedClip[] = [],
    readonly labels?: MotionLabels,
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
    const firstLabel = this.labels?.count
    for await (const frame of frames) this.file.append(frame)
    const count = this.count - first
    const labelled = firstLabel !== this.labels?.count
    this.clips.push({ name, first, count, training: training(count), ...(labelled && { firstLabel }) })
  }

  /** Copies frame `index` into `target` at byte `offset`. */
  read(index: number, target: Uint8Array, offset = 0): void {
    this.file.read(index, target, offset)
  }

  close(): void {
    this.file.close()
    this.labels?.close()
  }
}

/** How clips become a cache of frames. */
export interface CacheOptions
  extends Pick<FramingOptions, 'fit' | 'face'>,
    Partial<Pick<FramingOptions, 'faces'>> {
  readonly size: number
  /** As a configuration records it (default: to what moves, as older runs, which record none). */
  readonly crop?: string | undefined
  /** Part of each clip, at its end, that is not trained on: 0 to under 1. */
  readonly holdout: number
  /** Makes the file that frames, or their labels, are kept in. @param length bytes of a record */
  records(length: number, of: 'frames' | 'labels'): Records
  /** Frames that are kept of one clip at most. Of a longer clip, every second, third, ... frame is taken. */
  readonly mostFrames?: number
  /** Points of the grid along each axis on which known motion is kept (default: it is not kept). */
  readonly labels?: number | undefined
  /** Frames to train on that each clip must have (default 2, as motion needs two). */
  readonly leastFrames?: number
  readonly signal?: AbortSignal
  onFrame?(done: number, total: number): void
  /** Told the square of each clip but puppets and heads, which are taken as they are made. */
  onFramed?(clip: string, framing: Framing): void
  /** Called for a clip in which nothing moves, after its frames were read. */
  onStill?(clip: string): void
}

/**
 * Decodes clips into a cache.
 *
 * @throws InputError if a clip has fewer frames to train on than it needs. Damaged frames are known only when they are decoded.
 */
export async function cacheClips(clips: readonly Clip[], options: CacheOptions): Promise<FrameCache> {
  const { size, holdout, mostFrames = 20_000, signal } = options
  const crop = parseCrop(options.crop ?? 'motion')
  const steps = clips.map((clip) => Math.max(1, Math.ceil(clip.frameCount / mostFrames)))
  const total = clips.reduce((sum, clip, i) => sum + Math.ceil(clip.frameCount / steps[i]!), 0)
  assertUsable(clips, options)
  const ofLabels = (length: number) => options.records(length, 'labels')
  const labels = options.labels === undefined ? undefined : new MotionLabels(options.labels, ofLabels)
  const cache = new FrameCache(size, options.records(size * size * 3, 'frames'), [], labels)
  let done = 0
  try {
    for (const [i, clip] of clips.entries()) {
      const { fitter, framing } = await frameClip(clip, size, { faces: noFinder, ...options, crop })
      if (!isMade(clip.name)) options.onFramed?.(clip.name, framing)
      const watch = new MotionWatch()
      const seen = watch.watching(fitter)
      const training = trainingFrames(Math.ceil(clip.frameCount / steps[i]!), holdout)
      const fitted = async function* () {
        let number = 0
        for await (const frame of clip.frames({ step: steps[i]! })) {
          signal?.throwIfAborted()
          if (frame.damaged) {
            options.onFrame?.(++done, total)
            continue
          }
          if (number < training) labels?.append(clip, frame, number, steps[i]!, training)
          number++
          yield seen(frame)
          options.onFrame?.(++done, total)
        }
      }
      await cache.add(clip.name, fitted(), (count) => trainingFrames(count, holdout))
      assertEnough(clip, cache.clips.at(-1)!.count, options)
      if (watch.isStill) options.onStill?.(clip.name)
    }
    return cache
  } catch (error) {
    cache.close()
    throw error
  }
}

/** Notices of clips that a network of this size was trained on, each with the name of its clip. */
export const noticesOf = (clips: readonly Clip[], size: number): string[] =>
  clips.flatMap((clip) => [
    ...(clip.notices ?? []).map((notice) => `${clip.name}: ${notice}`),
    ...smallNotes(clip, size, clip.name),
  ])

const noFinder = () =>
  Promise.reject(new EnvironmentError({ what: 'faces are not found here', remedy: 'choose another crop' }))

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
 * @throws InputError if a clip has fewer frames to train on than it needs.
 */
export function assertUsable(clips: readonly Clip[], options: Pick<CacheOptions, 'holdout' | 'leastFrames'>) {
  for (const clip of clips) assertEnough(clip, clip.frameCount, options)
}

/** @param count frames of the clip that can be used */
function assertEnough(
  { name, frameCount }: Clip,
  count: number,
  { holdout, leastFrames: least = 2 }: Pick<CacheOptions, 'holdout' | 'leastFrames'>,
): void {
  const training = trainingFrames(count, holdout)
  if (training >= least) return
  const lost = count < frameCount ? `, ${count} of them can be used` : ''
  throw new InputError({
    what: `the clip has too few frames to train on${least > 1 ? ': motion needs two' : ''}`,
    where: name,
    got: `${frameCount} frames${lost}, ${training} of them for training with a holdout of ${holdout}`,
    expected: `at least ${least} for training`,
    remedy:
      count < frameCount
        ? 'use a clip with fewer damaged frames, or a smaller --holdout'
        : 'use a longer clip, or a smaller --holdout',
  })
}

/** How a pair of frames is varied before it is trained on; both frames alike. */
export interface Augmentation {
  /** Mirror half of the pairs left to right. */
  readonly flip: boolean
  /** Largest change of brightness, contrast and saturation, each as a part of 1. 0 leaves colours alone. */
  readonly colour: number
  /** Largest change of hues and of the light's colour, as a part of 1 (default 0). */
  readonly tint?: number | undefined
  /** How much pictures whose points are known change, each by itself: see `varyPicture` (default 0). */
  readonly vary?: number | undefined
}

/** One batch: what a training step is fed with. */
export interface Batch {
  /** RGB [2 n, size, size, 3]: n source frames, then n driving frames of the same clips. */
  readonly frames: Uint8Array<ArrayBuffer>
  /** Colour changes [n, 3, 4]: a matrix and an offset a pair, for values in [0, 1]. */
  readonly colour: Float32Array<ArrayBuffer>
  /** What is known of the pairs, if the cache has labels. */
  readonly labels: BatchLabels | undefined
}

/** What is known of the pairs of a batch. Where nothing is known, all is 0. */
export interface BatchLabels {
  /** Points of the source frames, then of the driving frames: [2 n, labelPoints, 3] as x, y in [-1, 1] and a weight. */
  readonly points: Float32Array<ArrayBuffer>
  /** Where points of the driving frames are in the sources: [n, side, side, 2] as x, y in [-1, 1]. */
  readonly flow: Float32Array<ArrayBuffer>
  /** [n, side, side], 1 where the point is in sight in the source. */
  readonly visible: Float32Array<ArrayBuffer>
  /** [n], 1 for pairs of which the motion is known. */
  readonly known: Float32Array<ArrayBuffer>
}

/**
 * Draws `n` pairs of different frames, each of one clip, clips in proportion to their length (Siarohin et
 * al. 2019, section 3.3: source and driving frame come from one video). A pair whose motion is known is not mirrored.
 */
export function drawBatch(
  random: Random,
  cache: FrameCache,
  n: number,
  { flip, colour, tint = 0, vary = 0 }: Augmentation,
): Batch {
  const { frameBytes, clips, size } = cache
  const frames = new Uint8Array(2 * n * frameBytes)
  const colours = new Float32Array(n * 12)
  const labels = cache.labels && emptyLabels(n, cache.labels.side)
  const total = clips.reduce((sum, clip) => sum + clip.training, 0)
  for (let pair = 0; pair < n; pair++) {
    let at = random.integer(total)
    const clip = clips.find((candidate) => {
      if (at < candidate.training) return true
      at -= candidate.training
      return false
    })!
    const known = clip.firstLabel !== undefined
    const [source, driving] =
      known && labels !== undefined
        ? labelledPair(random, cache.labels!, clip.firstLabel, at, { labels, n, pair })
        : // A different frame of the clip: any of the others, with equal chance.
          [at, (at + 1 + random.integer(clip.training - 1)) % clip.training]
    cache.read(clip.first + source, frames, pair * frameBytes)
    cache.read(clip.first + driving, frames, (n + pair) * frameBytes)
    if (flip && !known && random.uniform() < 0.5) {
      for (const slot of [pair, n + pair]) {
        mirror(frames.subarray(slot * frameBytes, (slot + 1) * frameBytes), size)
      }
    }
    if (vary > 0 && known && labels !== undefined) {
      for (const slot of [pair, n + pair]) {
        const picture = frames.subarray(slot * frameBytes, (slot + 1) * frameBytes)
        const points = labels.points.subarray(slot * labelPoints * 3, (slot + 1) * labelPoints * 3)
        varyPicture(random, picture, size, points, vary)
      }
    }
    colours.set(drawColour(random, colour, tint), pair * 12)
  }
  return { frames, colour: colours, labels }
}

const emptyLabels = (n: number, side: number): BatchLabels => ({
  points: new Float32Array(2 * n * labelPoints * 3),
  flow: new Float32Array(2 * n * side * side),
  visible: new Float32Array(n * side * side),
  known: new Float32Array(n),
})

/** Writes the label of a pair, the driving frame `at` and one of its partners. @returns source and driving frame */
function labelledPair(
  random: Random,
  file: MotionLabels,
  first: number,
  at: number,
  { labels, n, pair }: { readonly labels: BatchLabels; readonly n: number; readonly pair: number },
): [number, number] {
  const { partner, flow, visible } = file.pair(first + at, random)
  labels.flow.set(flow, pair * flow.length)
  labels.visible.set(visible, pair * visible.length)
  labels.points.set(file.points(first + partner), pair * labelPoints * 3)
  labels.points.set(file.points(first + at), (n + pair) * labelPoints * 3)
  labels.known[pair] = 1
  return [partner, at]
}
