/**
 * The folder of a training run: config.json, weights.safetensors, last/checkpoint.safetensors,
 * metrics.jsonl, previews/, env.json. Every file is replaced in one step, so the folder can be used
 * whenever its process is killed.
 */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { z } from 'zod'
import { removeStaleTemporaries, writeFileAtomic } from '../files/atomic.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import { isIncidental } from '../files/incidental.ts'
import { acquireLock, type Lock } from '../files/lock.ts'
import { makeFolder } from '../files/make-folder.ts'
import { InputError } from '../util/errors.ts'
import { describeMachine } from './environment.ts'
import { truncateMetrics } from './metrics.ts'
import { isRun, readConfig, writeConfig } from './run-config.ts'
import { Run } from './run-folder.ts'

export type { Checkpoint } from './checkpoint.ts'
export { type MetricsRecord, readMetrics } from './metrics.ts'
export { Run } from './run-folder.ts'

/** What `--force` removes, and nothing else; config.json is replaced, so that a kill leaves a run. */
const parts = ['last', 'weights.safetensors', 'metrics.jsonl', 'previews', 'env.json']

export interface CreateRunOptions<T extends object> {
  /** The resolved configuration: plain JSON, without the key `pantin`. */
  readonly config: T
  /** Version of pantin, for the record. */
  readonly version: string
  /** Replace an existing run. Never replaces a folder that is not one. */
  readonly force?: boolean
  /** More facts for env.json: versions of libraries, the device used. */
  readonly environment?: Readonly<Record<string, unknown>>
}

/**
 * Makes a run folder, with its parents, and locks it.
 *
 * @throws InputError if the folder has anything in it (with `force`: anything but a run), is in use, or
 * cannot be written; EnvironmentError if the disk is full or fails.
 */
export async function createRun<T extends object>(
  path: string,
  options: CreateRunOptions<T>,
): Promise<Run<T>> {
  const { config, version, force = false, environment = {} } = options
  const folder = resolve(path)
  await assertReplaceable(folder, force)
  let lock: Lock | undefined
  try {
    await makeFolder(folder)
    lock = acquireLock(join(folder, 'lock'))
    // Again under the lock: another process may have made a run here since.
    await assertReplaceable(folder, force)
    for (const part of parts) await rm(join(folder, part), { recursive: true, force: true })
    await removeStaleTemporaries(folder, { olderThan: 0 })
    await writeConfig(folder, version, config)
    await mkdir(join(folder, 'last'))
    await mkdir(join(folder, 'previews'))
    const record = { ...describeMachine(), pantin: version, ...environment }
    await writeFileAtomic(join(folder, 'env.json'), `${JSON.stringify(record, null, 2)}\n`)
  } catch (error) {
    lock?.release()
    throw fileError(error, folder, 'written')
  }
  return new Run(folder, config, version, lock)
}

/**
 * Opens a run and validates its configuration; loads no weights.
 *
 * @param options.write lock the run, to train on.
 * @throws InputError if there is no run or it is in use, FormatError if its configuration does not fit.
 */
export async function openRun<T>(
  path: string,
  schema: z.ZodType<T>,
  { write = false } = {},
): Promise<Run<T>> {
  const folder = resolve(path)
  const found = await readConfig(folder, schema)
  if (!write) return new Run(folder, found.config, found.version)
  const lock = acquireLock(join(folder, 'lock'))
  try {
    // Again under the lock: another process may have replaced the run since.
    const { config, version } = await readConfig(folder, schema)
    // Nobody else writes here now, so what a kill left behind can go, and what it prevented be made.
    for (const part of ['', 'last', 'previews']) {
      await mkdir(join(folder, part), { recursive: true })
      await removeStaleTemporaries(join(folder, part), { olderThan: 0 })
    }
    await truncateMetrics(join(folder, 'metrics.jsonl'), Number.POSITIVE_INFINITY)
    return new Run(folder, config, version, lock)
  } catch (error) {
    lock.release()
    throw fileError(error, folder, 'written')
  }
}

async function assertReplaceable(folder: string, force: boolean): Promise<void> {
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw fileError(error, folder, 'written')
  }
  // A lock or a temporary alone is what a kill at the very start leaves.
  if (names.every((name) => name === 'lock' || isIncidental(name))) return
  const run = await isRun(folder)
  if (run && force) return
  throw new InputError({
    what: run ? 'a run exists here and is not overwritten' : 'the folder is not empty and not a run',
    where: folder,
    got: names.slice(0, 5).join(', '),
    expected: 'a new or an empty folder',
    remedy: run
      ? 'continue it with --resume, replace it with --force, or choose another folder'
      : 'choose another folder; --force replaces only runs',
  })
}
