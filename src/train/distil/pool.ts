// The pictures that a student learns from with the teacher's labels: made once, kept on disk, drawn in batches.
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { nodeFaces } from '../../faces/node.ts'
import { createOutput, writeFileAtomic } from '../../files/atomic.ts'
import { makeFolder } from '../../files/folders.ts'
import { readWhole } from '../../files/read.ts'
import { floats, type Tensor, tensor } from '../../graph/tensor.ts'
import type { Clip } from '../../media/clip.ts'
import type { KeypointDetector } from '../../model/keypoint-detector.ts'
import { hashDetector } from '../../model/open-model.ts'
import { Random } from '../../util/random.ts'
import { version } from '../../util/version.ts'
import { blended, drawVariant } from '../augment.ts'
import type { CropEvent, PrepareEvent } from '../events.ts'
import { type CachedClip, cacheClips, type FrameCache } from '../frames.ts'
import { cachedClipSchema, cropFacts, identityOf } from '../kept-frames.ts'
import type { LabelName } from '../losses.ts'
import { RecordFile } from '../record-file.ts'
import type { DistilConfig } from './config.ts'
import { type LabelLayout, labeller, type StudentGrids } from './labels.ts'

/** A picture with the teacher's results for it. */
export interface Labelled {
  /** RGB [size, size, 3] */
  readonly frame: Uint8Array
  readonly label: Float32Array
}

/** Frames of one batch, and their labels by name; see labels.ts. */
export interface LabelledBatch {
  /** RGB [n, size, size, 3] */
  readonly frames: Tensor
  readonly labels: ReadonlyMap<LabelName, Tensor>
}

/**
 * The pictures that a student learns from, each with the teacher's results: all frames of the clips in order,
 * then the variants of those that may be trained on.
 */
export class Pool {
  private readonly trainable: readonly number[]
  /** Frames that are not trained on. */
  readonly heldOut: readonly number[]

  constructor(
    private readonly file: RecordFile,
    readonly size: number,
    readonly layout: LabelLayout,
    readonly clips: readonly CachedClip[],
  ) {
    const frames = clips.reduce((sum, { count }) => sum + count, 0)
    const within = (from: (clip: CachedClip) => number, to: (clip: CachedClip) => number) =>
      clips.flatMap((clip) =>
        Array.from({ length: to(clip) - from(clip) }, (_, i) => clip.first + from(clip) + i),
      )
    const variants = Array.from({ length: file.count - frames }, (_, i) => frames + i)
    this.trainable = [
      ...within(
        () => 0,
        ({ training }) => training,
      ),
      ...variants,
    ]
    this.heldOut = within(
      ({ training }) => training,
      ({ count }) => count,
    )
  }

  /** All pictures. */
  get count(): number {
    return this.file.count
  }

  read(index: number): Labelled {
    const bytes = new Uint8Array(this.file.length)
    this.file.read(index, bytes)
    const pixels = this.size * this.size * 3
    return { frame: bytes.subarray(0, pixels), label: new Float32Array(bytes.slice(pixels).buffer) }
  }

  /** Pictures to train on, each with equal chance. */
  draw(random: Random, n: number): LabelledBatch {
    return this.batch(Array.from({ length: n }, () => this.trainable[random.integer(this.trainable.length)]!))
  }

  batch(indices: readonly number[]): LabelledBatch {
    const { size, layout } = this
    const n = indices.length
    const drawn = indices.map((index) => this.read(index))
    const frames = new Uint8Array(n * size * size * 3)
    drawn.forEach(({ frame }, i) => {
      frames.set(frame, i * frame.length)
    })
    const labels = layout.parts.map(({ name, shape, offset }) => {
      const length = shape.reduce((a, b) => a * b, 1)
      const numbers = new Float32Array(n * length)
      drawn.forEach(({ label }, i) => {
        numbers.set(label.subarray(offset, offset + length), i * length)
      })
      return [name, floats(numbers, [n, ...shape])] as const
    })
    return { frames: tensor('uint8', [n, size, size, 3], frames), labels: new Map(labels) }
  }

  close(): void {
    this.file.close()
  }
}

/** A teacher labels single pictures too. */
export const leastFrames = 1

/** What decides the labels of a pool, and how they are made. */
export interface PoolOptions {
  readonly config: DistilConfig
  readonly teacher: KeypointDetector
  readonly layout: LabelLayout
  readonly grids: StudentGrids
  /** Folder that keeps pools, by what decides them (default: this one goes with the process). */
  readonly keepIn: string | undefined
  readonly signal: AbortSignal | undefined
  onEvent(event: PrepareEvent | CropEvent): void
}

/** The teacher's labels for clips: from the folder, if they were made before, otherwise made now. */
export async function labelledPool(clips: readonly Clip[], options: PoolOptions): Promise<Pool> {
  if (options.keepIn === undefined) return makePool(clips, options)
  const folder = resolve(options.keepIn)
  await makeFolder(folder)
  const path = join(folder, await nameOf(clips, options))
  const kept = await readPool(path, options)
  if (kept !== undefined) return kept
  const output = await createOutput(`${path}.pool`, { overwrite: true })
  try {
    const length = recordLength(options.config.model.size, options.layout)
    const pool = await makePool(clips, options, RecordFile.create(output.temporary, length))
    await output.commit()
    // Last: a pool without its index is not there.
    await writeFileAtomic(`${path}.json`, JSON.stringify({ count: pool.count, clips: pool.clips }))
    return pool
  } catch (error) {
    await output.abort()
    throw error
  }
}

async function makePool(clips: readonly Clip[], options: PoolOptions, file?: RecordFile): Promise<Pool> {
  const { config, signal, onEvent } = options
  const { fit, crop, face, holdout } = config.training
  const cache = await cacheClips(clips, {
    ...{ size: config.model.size, fit, crop, face, faces: nodeFaces },
    ...{ holdout, leastFrames, records: RecordFile.temporary },
    onFramed: (clip, framing) => onEvent({ kind: 'crop', clip, framing }),
    ...(signal && { signal }),
    onFrame: (done, total) => onEvent({ kind: 'decode', done, total }),
  }).catch((error: unknown) => {
    file?.close()
    throw error
  })
  try {
    return await fillPool(cache, options, file)
  } finally {
    cache.close()
  }
}

const indexSchema = z.object({
  count: z.int().positive(),
  clips: z.array(cachedClipSchema),
})

/** A pool that was kept; undefined if there is none or it is not complete. */
async function readPool(path: string, { config, layout }: PoolOptions): Promise<Pool | undefined> {
  const { size } = config.model
  const length = recordLength(size, layout)
  try {
    const { count, clips } = indexSchema.parse(
      JSON.parse((await readWhole(`${path}.json`, 'the index of a pool', 1 << 26)).toString('utf8')),
    )
    const whole = (await stat(`${path}.pool`)).size === count * length
    return whole ? new Pool(RecordFile.open(`${path}.pool`, length, count), size, layout, clips) : undefined
  } catch {
    // It is missing, incomplete or of another version: it is made again.
    return undefined
  }
}

/** A name made of everything that decides the content of a pool. */
async function nameOf(
  clips: readonly Clip[],
  { config, teacher, layout, grids }: PoolOptions,
): Promise<string> {
  const { training, distillation } = config
  const { fit, holdout, transform } = training
  const { soften, variants, colour, mix } = distillation
  const facts = {
    version,
    teacher: await hashDetector(teacher.path),
    clips: await Promise.all(training.clips.map((spec, i) => identityOf(spec, clips[i]!))),
    ...{
      size: config.model.size,
      fit,
      ...cropFacts(clips, training),
      holdout,
      layout,
      grids,
      soften,
      variants,
    },
    // Only variants depend on these.
    ...(variants > 0 && { transform, colour, mix }),
  }
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32)
}

/** One for runs of all seeds: a resumed run has the same pictures, and kept labels serve all runs. */
const variantSeed = 1

/** Bytes of a picture with its label. */
const recordLength = (size: number, { length }: LabelLayout): number => size * size * 3 + 4 * length

/** Has the teacher label all frames of a cache, and variants of the frames that may be trained on. */
async function fillPool(
  cache: FrameCache,
  { config, teacher, layout, grids, signal, onEvent }: PoolOptions,
  file = RecordFile.temporary(recordLength(config.model.size, layout)),
): Promise<Pool> {
  const { training, distillation } = config
  const { size, clips } = cache
  const toLabel = labeller(teacher, layout, grids, distillation.soften)
  const trained = clips.reduce((sum, { training: count }) => sum + count, 0)
  const variants = distillation.variants * trained
  const total = cache.count + variants
  let done = 0
  const add = async (frame: Uint8Array) => {
    signal?.throwIfAborted()
    const record = new Uint8Array(file.length)
    const label = toLabel(await teacher.detect(frame))
    record.set(frame)
    record.set(new Uint8Array(label.buffer), frame.length)
    file.append(record)
    onEvent({ kind: 'label', done: ++done, total })
  }
  try {
    const frame = new Uint8Array(cache.frameBytes)
    for (let i = 0; i < cache.count; i++) {
      cache.read(i, frame)
      await add(frame)
    }
    const random = new Random(variantSeed)
    const { colour, mix } = distillation
    // From every clip with equal chance: a short clip, or a picture, is worth as much as a long clip.
    const usable = clips.filter(({ training: count }) => count > 0)
    const draw = () => {
      const { first, training: count } = random.pick(usable)
      cache.read(first + random.integer(count), frame)
      return drawVariant(random, frame, size, { colour, transform: training.transform })
    }
    for (let i = 0; i < variants; i++) {
      const own = draw()
      await add(random.uniform() < mix ? blended(random, own, draw()) : own)
    }
    return new Pool(file, size, layout, clips)
  } catch (error) {
    file.close()
    throw error
  }
}
