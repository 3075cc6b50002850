// The pictures, or pairs of them, that a student learns from with the teacher's labels: made once, kept on disk, drawn in
// batches.
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
import { type CachedClip, cacheClips, type FrameCache } from '../frames.ts'
import { cachedClipSchema, cropFacts, identityOf, RecordFile } from '../kept-frames.ts'
import type { LabelName } from '../losses.ts'
import type { CropEvent, PrepareEvent } from '../step.ts'
import type { DistilConfig, Distillation } from './config.ts'
import {
  type Driven,
  drivenBytes,
  type LabelLayout,
  labeller,
  type PairLayout,
  type PairTeacher,
  readDriven,
  type StudentGrids,
  writeDriven,
} from './labels.ts'

/** A picture, or a pair of them, with the teacher's results. */
export interface Labelled {
  /** One or two, each RGB [size, size, 3]. Of a pair: source, then driving frame. */
  readonly frames: readonly Uint8Array[]
  /** Of each frame. */
  readonly labels: readonly Float32Array[]
  /** What the teacher makes of a pair. */
  readonly driven: Driven | undefined
}

/** Frames of one batch, and their labels by name; see labels.ts. */
export interface LabelledBatch {
  /** RGB [n, size, size, 3]. Of pairs: all sources, then all driving frames. */
  readonly frames: Tensor
  readonly labels: ReadonlyMap<LabelName, Tensor>
}

/** What a record of a pool consists of. */
export interface RecordForm {
  /** Side of the frames in pixels. */
  readonly size: number
  /** Of the label of one frame. */
  readonly layout: LabelLayout
  /** Of what the teacher makes of a pair; undefined if a record is one picture. */
  readonly pair: PairLayout | undefined
}

/** Bytes of one record. */
const recordLength = ({ size, layout, pair }: RecordForm): number =>
  (pair === undefined ? 1 : 2) * (size * size * 3 + 4 * layout.length) +
  (pair === undefined ? 0 : drivenBytes(pair))

/** Pairs of one clip that are not trained on, at most. */
const mostHeldOut = 20

const heldOutPairs = ({ training, count }: CachedClip): number => Math.min(mostHeldOut, count - training)

/**
 * The pictures that a student learns from, each with the teacher's results: all frames of the clips in order,
 * then the variants of frames that may be trained on. Or pairs of frames: first the pairs that are not trained on, then all others.
 */
export class Pool {
  /** Records that are trained on. */
  readonly trained: readonly number[]
  /** Records that are not trained on. */
  readonly heldOut: readonly number[]

  constructor(
    private readonly file: RecordFile,
    readonly form: RecordForm,
    readonly clips: readonly CachedClip[],
  ) {
    const pairs = clips.reduce((sum, clip) => sum + heldOutPairs(clip), 0)
    this.heldOut = form.pair === undefined ? heldOutFrames(clips) : range(0, pairs)
    const isHeld = new Set(this.heldOut)
    this.trained = range(0, file.count).filter((index) => !isHeld.has(index))
  }

  get size(): number {
    return this.form.size
  }

  /** All pictures. */
  get count(): number {
    return this.file.count
  }

  read(index: number): Labelled {
    const bytes = new Uint8Array(this.file.length)
    this.file.read(index, bytes)
    const { size, layout, pair } = this.form
    const pixels = size * size * 3
    const each = range(0, pair === undefined ? 1 : 2)
    const from = each.length * pixels
    return {
      frames: each.map((i) => bytes.subarray(i * pixels, (i + 1) * pixels)),
      labels: each.map((i) => {
        const at = from + 4 * i * layout.length
        return new Float32Array(bytes.slice(at, at + 4 * layout.length).buffer)
      }),
      driven: pair && readDriven(bytes, pair),
    }
  }

  /** Records to train on, each with equal chance. */
  draw(random: Random, n: number): LabelledBatch {
    return this.batch(Array.from({ length: n }, () => this.trained[random.integer(this.trained.length)]!))
  }

  batch(indices: readonly number[]): LabelledBatch {
    const { size, layout, pair } = this.form
    const drawn = indices.map((index) => this.read(index))
    const frames = range(0, pair === undefined ? 1 : 2).flatMap((which) =>
      drawn.map((one) => ({ frame: one.frames[which]!, label: one.labels[which]! })),
    )
    const n = frames.length
    const labels = layout.parts.map(({ name, shape, offset }) => {
      const length = shape.reduce((a, b) => a * b, 1)
      const numbers = joined(frames.map(({ label }) => label.subarray(offset, offset + length)))
      return [name, floats(numbers, [n, ...shape])] as const
    })
    const pixels = joinedBytes(frames.map(({ frame }) => frame))
    return {
      frames: tensor('uint8', [n, size, size, 3], pixels),
      labels: new Map<LabelName, Tensor>([...labels, ...(pair === undefined ? [] : ofPairs(drawn, pair))]),
    }
  }

  close(): void {
    this.file.close()
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

const heldOutFrames = (clips: readonly CachedClip[]) =>
  clips.flatMap(({ first, training, count }) => range(first + training, first + count))

function ofPairs(drawn: readonly Labelled[], { size, side }: PairLayout): [LabelName, Tensor][] {
  const n = drawn.length
  const all = drawn.map(({ driven }) => driven!)
  const maps = all.flatMap(({ occlusion }) => (occlusion === undefined ? [] : [occlusion]))
  return [
    ['picture', tensor('uint8', [n, size, size, 3], joinedBytes(all.map(({ picture }) => picture)))],
    ['flow', floats(joined(all.map(({ flow }) => flow)), [n, side, side, 2])],
    ...(maps.length === 0
      ? []
      : [['occlusion', floats(joined(maps), [n, side, side])] as [LabelName, Tensor]]),
  ]
}

function joined(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  parts.reduce((at, part) => {
    whole.set(part, at)
    return at + part.length
  }, 0)
  return whole
}

const joinedBytes = (parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts))

/** A teacher labels single pictures too. Motion needs two. */
export const leastFrames = (what: Distillation['what']): number => (what === 'model' ? 2 : 1)

/** What decides the labels of a pool, and how they are made. */
export interface PoolOptions {
  readonly config: DistilConfig
  readonly teacher: KeypointDetector
  readonly layout: LabelLayout
  readonly grids: StudentGrids
  /** For the whole model: what drives pairs, and what is kept of them. */
  readonly pairs?: { readonly teacher: PairTeacher; readonly layout: PairLayout } | undefined
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
    const length = recordLength(formOf(options))
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

const formOf = ({ config, layout, pairs }: PoolOptions): RecordForm => ({
  size: config.model.size,
  layout,
  pair: pairs?.layout,
})

async function makePool(clips: readonly Clip[], options: PoolOptions, file?: RecordFile): Promise<Pool> {
  const { config, signal, onEvent } = options
  const { fit, crop, face, holdout } = config.training
  const cache = await cacheClips(clips, {
    ...{ size: config.model.size, fit, crop, face, faces: nodeFaces },
    ...{ holdout, leastFrames: leastFrames(config.distillation.what), records: RecordFile.temporary },
    onFramed: (clip, framing) => onEvent({ kind: 'crop', clip, framing }),
    ...(signal && { signal }),
    onFrame: (done, total) => onEvent({ kind: 'decode', done, total }),
  }).catch((error: unknown) => {
    file?.close()
    throw error
  })
  try {
    const records = file ?? RecordFile.temporary(recordLength(formOf(options)))
    try {
      if (options.pairs === undefined) await addFrames(cache, options, records)
      else await addPairs(cache, options, records)
      return new Pool(records, formOf(options), cache.clips)
    } catch (error) {
      records.close()
      throw error
    }
  } finally {
    cache.close()
  }
}

const indexSchema = z.object({
  count: z.int().positive(),
  clips: z.array(cachedClipSchema),
})

/** A pool that was kept; undefined if there is none or it is not complete. */
async function readPool(path: string, options: PoolOptions): Promise<Pool | undefined> {
  const form = formOf(options)
  const length = recordLength(form)
  try {
    const { count, clips } = indexSchema.parse(
      JSON.parse((await readWhole(`${path}.json`, 'the index of a pool', 1 << 26)).toString('utf8')),
    )
    const whole = (await stat(`${path}.pool`)).size === count * length
    return whole ? new Pool(RecordFile.open(`${path}.pool`, length, count), form, clips) : undefined
  } catch {
    // It is missing, incomplete or of another version: it is made again.
    return undefined
  }
}

/** A name made of everything that decides the content of a pool. */
async function nameOf(
  clips: readonly Clip[],
  { config, teacher, layout, grids, pairs }: PoolOptions,
): Promise<string> {
  const { training, distillation } = config
  const { fit, holdout, transform } = training
  const { soften, variants, colour, mix } = distillation
  const facts = {
    version,
    teacher: await hashDetector(teacher.path),
    clips: await Promise.all(training.clips.map((spec, i) => identityOf(spec, clips[i]!))),
    ...{ size: config.model.size, fit, ...cropFacts(clips, training), holdout },
    ...{ layout, grids, soften, variants },
    // Only variants depend on these.
    ...(variants > 0 && { transform, colour, mix }),
    ...(pairs && { pair: pairs.layout }),
  }
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32)
}

/** One for runs of all seeds: a resumed run has the same pictures, and kept labels serve all runs. */
const variantSeed = 1

/** Functions that have the teacher label frames and pairs, write records, and tell how far they are. */
function filler(options: PoolOptions, file: RecordFile, total: number) {
  const { config, teacher, layout, grids, pairs, signal, onEvent } = options
  const toLabel = labeller(teacher, layout, grids, config.distillation.soften)
  let done = 0
  const write = (frames: readonly Uint8Array[], labels: readonly Float32Array[], driven?: Driven) => {
    const record = new Uint8Array(file.length)
    record.set(joinedBytes([...frames, ...labels.map((label) => new Uint8Array(label.buffer))]))
    if (driven !== undefined) writeDriven(record, pairs!.layout, driven)
    file.append(record)
    onEvent({ kind: 'label', done: ++done, total })
  }
  return {
    async frame(frame: Uint8Array) {
      signal?.throwIfAborted()
      write([frame], [toLabel(await teacher.detect(frame))])
    },
    async pair(source: Uint8Array, driving: Uint8Array) {
      signal?.throwIfAborted()
      const [from, to] = [await teacher.detect(source), await teacher.detect(driving)]
      write(
        [source, driving],
        [toLabel(from), toLabel(to)],
        await pairs!.teacher.drive(source, from, to, pairs!.layout),
      )
    },
  }
}

const trainingOf = (clips: readonly CachedClip[]) => clips.reduce((sum, { training }) => sum + training, 0)

/** Has the teacher label all frames of a cache, and variants of the frames that may be trained on. */
async function addFrames(cache: FrameCache, options: PoolOptions, file: RecordFile): Promise<void> {
  const { training, distillation } = options.config
  const { size, clips } = cache
  const variants = distillation.variants * trainingOf(clips)
  const add = filler(options, file, cache.count + variants)
  const frame = new Uint8Array(cache.frameBytes)
  for (let i = 0; i < cache.count; i++) {
    cache.read(i, frame)
    await add.frame(frame)
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
    await add.frame(random.uniform() < mix ? blended(random, own, draw()) : own)
  }
}

/** Bytes of all pairs, at most. A pair of 256x256 has 0.6 MB. */
const mostBytes = 8 * 2 ** 30

/**
 * Has the teacher drive pairs of frames: the first one of each clip by frames that are held out; as many pairs to train on as
 * there are frames; and variants of such pairs, whose both frames are changed alike.
 */
async function addPairs(cache: FrameCache, options: PoolOptions, file: RecordFile): Promise<void> {
  const { training, distillation } = options.config
  const { size, clips } = cache
  const held = clips.flatMap((clip) => {
    const count = heldOutPairs(clip)
    const room = clip.count - clip.training
    return range(0, count).map((i) => [
      clip.first,
      clip.first + clip.training + Math.floor(((i + 0.5) * room) / count),
    ])
  })
  const own = trainingOf(clips)
  const most = Math.max(1, Math.floor(mostBytes / file.length) - held.length)
  const trained = Math.min(most, own * (1 + distillation.variants))
  const add = filler(options, file, held.length + trained)
  const read = (index: number) => {
    const frame = new Uint8Array(cache.frameBytes)
    cache.read(index, frame)
    return frame
  }
  for (const [source, driving] of held) await add.pair(read(source!), read(driving!))

  const random = new Random(variantSeed)
  const { colour } = distillation
  const varied = (frame: Uint8Array) =>
    drawVariant(random, frame, size, { colour, transform: training.transform })
  for (let i = 0; i < trained; i++) {
    // From every clip with equal chance, as single frames.
    const { first, training: count } = random.pick(clips)
    const driving = random.integer(count)
    const source = (driving + 1 + random.integer(count - 1)) % count
    const pair = [read(first + source), read(first + driving)] as const
    if (i < own) await add.pair(...pair)
    else {
      const { state } = random
      const changed = varied(pair[0])
      random.state = state
      await add.pair(changed, varied(pair[1]))
    }
  }
}
