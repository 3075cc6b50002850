import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { createOutput, writeFileAtomic } from '../../files/atomic.ts'
import { makeFolder } from '../../files/make-folder.ts'
import type { Clip } from '../../media/clip.ts'
import type { KeypointDetector } from '../../model/keypoint-detector.ts'
import { hashDetector } from '../../model/load-run.ts'
import { version } from '../../util/version.ts'
import { cacheClips } from '../frame-cache.ts'
import { RecordFile } from '../record-file.ts'
import type { DistilConfig } from './config.ts'
import { fillPool, recordLength } from './fill-pool.ts'
import type { LabelLayout, StudentGrids } from './labels.ts'
import { Pool } from './pool.ts'

/** A teacher has something to say of a single picture. */
export const leastFrames = 1

export interface PoolOptions {
  readonly config: DistilConfig
  readonly teacher: KeypointDetector
  readonly layout: LabelLayout
  readonly grids: StudentGrids
  /** Folder that keeps pools, by what decides them (default: this one goes with the process). */
  readonly keepIn?: string
  readonly signal?: AbortSignal
  onProgress?(phase: 'decode' | 'label', done: number, total: number): void
}

/** The teacher's labels for clips: from the folder, where they were made before; else made now. */
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
  const { config, signal, onProgress } = options
  const { fit, holdout } = config.training
  const cache = await cacheClips(clips, {
    ...{ size: config.model.size, fit, holdout, leastFrames, records: RecordFile.temporary },
    ...(signal && { signal }),
    onFrame: (done, total) => onProgress?.('decode', done, total),
  }).catch((error: unknown) => {
    file?.close()
    throw error
  })
  try {
    return await fillPool({
      ...options,
      cache,
      ...(file && { file }),
      onLabel: (done, total) => onProgress?.('label', done, total),
    })
  } finally {
    cache.close()
  }
}

const indexSchema = z.object({
  count: z.int().positive(),
  clips: z.array(
    z.object({
      name: z.string(),
      first: z.int().nonnegative(),
      training: z.int().nonnegative(),
      count: z.int().nonnegative(),
    }),
  ),
})

/** A pool that was kept; undefined where there is none, or what is there is not whole. */
async function readPool(path: string, { config, layout }: PoolOptions): Promise<Pool | undefined> {
  const { size } = config.model
  const length = recordLength(size, layout)
  try {
    const { count, clips } = indexSchema.parse(JSON.parse(await readFile(`${path}.json`, 'utf8')))
    const whole = (await stat(`${path}.pool`)).size === count * length
    return whole ? new Pool(RecordFile.open(`${path}.pool`, length, count), size, layout, clips) : undefined
  } catch {
    // Missing, torn or of another make: it is made anew.
    return undefined
  }
}

/** A name that tells apart all that decides what a pool holds. */
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
    ...{ size: config.model.size, fit, holdout, layout, grids, soften, variants },
    // What only variants depend on.
    ...(variants > 0 && { transform, colour, mix }),
  }
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32)
}

async function identityOf(spec: string, { width, height, frameCount }: Clip): Promise<unknown> {
  const shape = { width, height, frameCount }
  try {
    const { size, mtimeMs } = await stat(spec)
    return { path: resolve(spec), size, mtimeMs, ...shape }
  } catch {
    // A puppet is what its spec says.
    return { spec, ...shape }
  }
}
