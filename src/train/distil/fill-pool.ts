import type { KeypointDetector } from '../../model/keypoint-detector.ts'
import { Random } from '../../util/random.ts'
import type { FrameCache } from '../frame-cache.ts'
import { RecordFile } from '../record-file.ts'
import type { DistilConfig } from './config.ts'
import { type LabelLayout, labeller, type StudentGrids } from './labels.ts'
import { Pool } from './pool.ts'
import { blended, drawVariant } from './variants.ts'

export interface FillOptions {
  readonly config: DistilConfig
  readonly teacher: KeypointDetector
  readonly cache: FrameCache
  readonly layout: LabelLayout
  readonly grids: StudentGrids
  /** Where the records go (default: a file that goes with the process). */
  readonly file?: RecordFile
  readonly signal?: AbortSignal
  onLabel?(done: number, total: number): void
}

/** The same for runs of all seeds, so that a run that is resumed has the same pictures, and labels that are kept serve all. */
const variantSeed = 1

/** Bytes of a picture with its label. */
export const recordLength = (size: number, { length }: LabelLayout): number => size * size * 3 + 4 * length

/** Has the teacher label all frames of a cache, and variants of those that may be trained on. */
export async function fillPool(options: FillOptions): Promise<Pool> {
  const { config, teacher, cache, layout, grids, signal } = options
  const { training, distillation } = config
  const { size, clips } = cache
  const file = options.file ?? RecordFile.temporary(recordLength(size, layout))
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
    options.onLabel?.(++done, total)
  }
  try {
    const frame = new Uint8Array(cache.frameBytes)
    for (let i = 0; i < cache.count; i++) {
      cache.read(i, frame)
      await add(frame)
    }
    const random = new Random(variantSeed)
    const { colour, mix } = distillation
    // Of any clip with equal chance: what is seen in a short one, or in a picture, is as much worth as in a long one.
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
