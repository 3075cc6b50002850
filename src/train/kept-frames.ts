// Decoded frames that are kept in a folder, for further runs on the same clips, and for a run that is resumed. The files of
// records that hold them, more than memory does, are here too.
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { isMade } from '../faces/framing.ts'
import { createOutput, writeFileAtomic } from '../files/atomic.ts'
import { fileError } from '../files/file-errors.ts'
import { makeFolder, stampOf } from '../files/folders.ts'
import { readWhole } from '../files/read.ts'
import type { Clip } from '../media/clip.ts'
import { InputError } from '../util/errors.ts'
import { version } from '../util/version.ts'
import { type CachedClip, type CacheOptions, cacheClips, FrameCache } from './frames.ts'
import { labelPoints, MotionLabels, type Records } from './motion-labels.ts'

/** What `cacheClips` is told, but for the files, which are those of the folder. */
export type KeptOptions = Omit<CacheOptions, 'records'>

/** What decides the frames of a clip: its file, or the name of a clip that is made. */
export async function identityOf(spec: string, { width, height, frameCount }: Clip): Promise<unknown> {
  const shape = { width, height, frameCount }
  const { bytes: size, modified: mtimeMs } = await stampOf(spec)
  // A clip that is no file and no folder of pictures is defined by its name.
  return size < 0 ? { spec, ...shape } : { path: resolve(spec), size, mtimeMs, ...shape }
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

/** Frames that were kept; undefined if none were kept, or they are not complete. */
async function openFrames(
  path: string,
  { size, labels: side, leastFrames = 2 }: KeptOptions,
): Promise<FrameCache | undefined> {
  const length = size * size * 3
  try {
    const { count, labels, clips } = indexSchema.parse(
      JSON.parse((await readWhole(`${path}.json`, 'the index of kept frames', 1 << 26)).toString('utf8')),
    )
    if ((await stat(`${path}.frames`)).size !== count * length) return undefined
    // Some versions kept clips of which too few frames can be decoded. Decoding them again says so.
    if (clips.some(({ training }) => training < leastFrames)) return undefined
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
  const facts = { version, clips: identities, size, fit, ...crop, holdout, labels, labelPoints, mostFrames }
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32)
}

/** Records of one length in a file, which are read in any order. */
export class RecordFile implements Records {
  private constructor(
    private readonly file: number,
    private readonly path: string,
    /** Bytes of one record. */
    readonly length: number,
    private total: number,
    /** Whether close() is to remove the file. */
    private readonly leavesName: boolean,
  ) {}

  /**
   * An empty file that goes with the process, whatever ends it: where the system allows, it has no name from
   * the moment that it is open.
   */
  static temporary(length: number): RecordFile {
    const path = join(tmpdir(), `pantin-frames-${randomBytes(8).toString('hex')}`)
    const file = opened(path, 'wx+')
    try {
      unlinkSync(path)
      return new RecordFile(file, path, length, 0, false)
    } catch {
      // Windows does not remove open files.
      return new RecordFile(file, path, length, 0, true)
    }
  }

  /** A new file that stays. @throws InputError where it is there already, or cannot be written. */
  static create(path: string, length: number): RecordFile {
    return new RecordFile(opened(path, 'wx+'), path, length, 0, false)
  }

  /** A file of `count` records, to read. */
  static open(path: string, length: number, count: number): RecordFile {
    return new RecordFile(opened(path, 'r'), path, length, count, false)
  }

  get count(): number {
    return this.total
  }

  /** Adds a record: `length` bytes. @throws EnvironmentError where the disk is full or fails. */
  append(record: Uint8Array): void {
    try {
      writeSync(this.file, record, 0, this.length, this.total * this.length)
    } catch (error) {
      throw fileError(error, this.path, 'written', this.length)
    }
    this.total++
  }

  /** Copies record `index` into `target` at byte `offset`. @throws InputError where there is none. */
  read(index: number, target: Uint8Array, offset = 0): void {
    if (!(index >= 0 && index < this.total)) {
      throw new InputError({
        what: 'there is no such record in the file',
        where: this.path,
        got: String(index),
        expected: `0 to ${this.total - 1}`,
      })
    }
    readSync(this.file, target, offset, this.length, index * this.length)
  }

  close(): void {
    closeSync(this.file)
    if (this.leavesName) unlinkSync(this.path)
  }
}

function opened(path: string, flags: 'wx+' | 'r'): number {
  try {
    return openSync(path, flags, 0o600)
  } catch (error) {
    throw fileError(error, path, flags === 'r' ? 'read' : 'written')
  }
}
