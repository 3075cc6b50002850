// Decoded frames that are kept in a folder, for further runs on the same clips, and for a run that is resumed.
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { isMade } from '../faces/framing.ts'
import { createOutput, writeFileAtomic } from '../files/atomic.ts'
import { makeFolder } from '../files/folders.ts'
import { readWhole } from '../files/read.ts'
import type { Clip } from '../media/clip.ts'
import { version } from '../util/version.ts'
import { type CachedClip, type CacheOptions, cacheClips, FrameCache } from './frames.ts'
import { MotionLabels } from './motion-labels.ts'
import { RecordFile } from './record-file.ts'

/** What `cacheClips` is told, but for the files, which are those of the folder. */
export type KeptOptions = Omit<CacheOptions, 'records'>

/** What decides the frames of a clip: its file, or the name of a clip that is made. */
export async function identityOf(spec: string, { width, height, frameCount }: Clip): Promise<unknown> {
  const shape = { width, height, frameCount }
  try {
    const { size, mtimeMs } = await stat(spec)
    return { path: resolve(spec), size, mtimeMs, ...shape }
  } catch {
    // A clip that is no file is defined by its name.
    return { spec, ...shape }
  }
}

/** What decides the squares of clips. Puppets and heads are taken as they are made, unless a square is asked for. */
export function cropFacts(
  clips: readonly Clip[],
  { crop, face }: Pick<CacheOptions, 'crop' | 'face'>,
): Pick<CacheOptions, 'crop' | 'face'> {
  const isAsMade = (crop === 'auto' || crop === 'motion') && clips.every(({ name }) => isMade(name))
  return isAsMade ? {} : { crop, face }
}

/** The index of kept clips in their file. */
export const cachedClipSchema = z.object({
  name: z.string(),
  first: z.int().nonnegative(),
  training: z.int().nonnegative(),
  count: z.int().nonnegative(),
  firstLabel: z.int().nonnegative().optional(),
})

const indexSchema = z.object({
  count: z.int().positive(),
  labels: z.int().nonnegative(),
  clips: z.array(cachedClipSchema),
})

/**
 * The frames of clips: from the folder, if they were decoded before, otherwise decoded now and kept.
 *
 * @param specs names of the clips
 * @param folder keeps frames, by what decides them; undefined: they go with the process
 * @throws InputError as `cacheClips`; EnvironmentError if there is no room.
 */
export async function keptFrames(
  clips: readonly Clip[],
  specs: readonly string[],
  folder: string | undefined,
  options: KeptOptions,
): Promise<FrameCache> {
  if (folder === undefined) return cacheClips(clips, { ...options, records: RecordFile.temporary })
  await makeFolder(resolve(folder))
  const path = join(resolve(folder), await nameOf(clips, specs, options))
  const kept = await openFrames(path, options)
  if (kept !== undefined) return kept
  const outputs = await Promise.all(endings.map((end) => createOutput(`${path}.${end}`, { overwrite: true })))
  try {
    const records = (length: number, of: 'frames' | 'labels') =>
      RecordFile.create(outputs[endings.indexOf(of)]!.temporary, length)
    const cache = await cacheClips(clips, { ...options, records })
    if (options.labels === undefined) await outputs[1]!.abort()
    else await outputs[1]!.commit()
    await outputs[0]!.commit()
    // Last: frames without their index are not there.
    const index = { count: cache.count, labels: cache.labels?.count ?? 0, clips: cache.clips }
    await writeFileAtomic(`${path}.json`, JSON.stringify(index))
    return cache
  } catch (error) {
    for (const output of outputs) await output.abort()
    throw error
  }
}

const endings = ['frames', 'labels'] as const

/** Frames that were kept; undefined if there are none or they are not complete. */
async function openFrames(
  path: string,
  { size, labels: side }: KeptOptions,
): Promise<FrameCache | undefined> {
  const length = size * size * 3
  try {
    const { count, labels, clips } = indexSchema.parse(
      JSON.parse((await readWhole(`${path}.json`, 'the index of kept frames', 1 << 26)).toString('utf8')),
    )
    if ((await stat(`${path}.frames`)).size !== count * length) return undefined
    const open = (bytes: number) => RecordFile.open(`${path}.labels`, bytes, labels)
    const kept = side === undefined || labels === 0 ? undefined : new MotionLabels(side, open)
    return new FrameCache(size, RecordFile.open(`${path}.frames`, length, count), clips as CachedClip[], kept)
  } catch {
    // They are missing, incomplete or of another version: they are decoded again.
    return undefined
  }
}

/** A name made of everything that decides the frames. */
async function nameOf(
  clips: readonly Clip[],
  specs: readonly string[],
  { size, fit, holdout, labels, mostFrames, ...options }: KeptOptions,
): Promise<string> {
  const identities = await Promise.all(specs.map((spec, i) => identityOf(spec, clips[i]!)))
  const crop = cropFacts(clips, options)
  const facts = { version, clips: identities, size, fit, ...crop, holdout, labels, mostFrames }
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32)
}
