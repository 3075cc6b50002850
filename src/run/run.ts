// The folder of a training run: config.json, weights.safetensors, last/checkpoint.safetensors, metrics.jsonl,
// previews/, env.json. Every file is replaced in one step, so a killed process leaves a folder that can be used.
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { removeStaleTemporaries, writeFileAtomic } from '../files/atomic.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import { exists, isIgnorable, makeFolder } from '../files/folders.ts'
import { awaitLock, type Lock } from '../files/lock.ts'
import {
  type EncodeOptions,
  readSafetensors,
  type TensorFile,
  writeSafetensors,
} from '../formats/safetensors/safetensors.ts'
import type { Tensor } from '../graph/tensor.ts'
import { InputError } from '../util/errors.ts'
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  findCheckpoint,
  noCheckpoint,
} from './checkpoint.ts'
import { describeMachine, isRun, readConfig, runFolder, writeConfig } from './config-file.ts'
import { appendMetrics, type MetricsRecord, readMetrics, truncateMetrics } from './metrics-file.ts'
import { checkpointFile, environmentFile, metricsFile, previewFile, weightsFile } from './run-files.ts'

export type { Checkpoint } from './checkpoint.ts'
export { type MetricsRecord, readMetrics } from './metrics-file.ts'

/** What `--force` removes, and nothing else. config.json is replaced, so that a kill leaves a run. */
const contents = ['last', weightsFile, metricsFile, 'previews', environmentFile]

/** How a run folder is made. */
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
    lock = await awaitLock(join(folder, 'lock'))
    // Again under the lock: another process may have made a run here since.
    await assertReplaceable(folder, force)
    for (const name of contents) await rm(join(folder, name), { recursive: true, force: true })
    await removeStaleTemporaries(folder, { olderThan: 0 })
    await writeConfig(folder, version, config)
    await mkdir(join(folder, 'last'))
    await mkdir(join(folder, 'previews'))
    const record = { ...describeMachine(), pantin: version, ...environment }
    await writeFileAtomic(join(folder, environmentFile), `${JSON.stringify(record, null, 2)}\n`)
  } catch (error) {
    lock?.release()
    throw fileError(error, folder, 'written')
  }
  return new Run(folder, config, version, lock)
}

/**
 * Opens a run and validates its configuration; loads no weights.
 *
 * @param path a run folder or, for reading, the name of a starter: see `runFolder`.
 * @param options.write lock the run, to train on.
 * @throws InputError if there is no run or it is in use, FormatError if its configuration does not fit.
 */
export async function openRun<T>(
  path: string,
  schema: z.ZodType<T>,
  { write = false } = {},
): Promise<Run<T>> {
  const folder = write ? resolve(path) : await runFolder(path)
  const found = await readConfig(folder, schema)
  if (!write) return new Run(folder, found.config, found.version)
  const lock = await awaitLock(join(folder, 'lock'))
  try {
    // Again under the lock: another process may have replaced the run since.
    const { config, version } = await readConfig(folder, schema)
    // No other process writes here now: remove what a kill has left, and make the folders that it prevented.
    for (const name of ['', 'last', 'previews']) {
      await mkdir(join(folder, name), { recursive: true })
      await removeStaleTemporaries(join(folder, name), { olderThan: 0 })
    }
    await truncateMetrics(join(folder, metricsFile), Number.POSITIVE_INFINITY)
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
  // A kill at the very start leaves a lock or a temporary alone.
  if (names.every((name) => name === 'lock' || isIgnorable(name))) return
  const run = await isRun(folder)
  if (run && force) return
  throw new InputError({
    what: run ? 'a run exists here and is not overwritten' : 'the folder is not empty and not a run',
    where: folder,
    got: names.slice(0, 5).join(', '),
    expected: 'a new or an empty folder',
    remedy: !run
      ? 'choose another folder; --force replaces only runs'
      : (await isImported(folder))
        ? 'replace it with --force, or choose another folder'
        : 'continue it with --resume, replace it with --force, or choose another folder',
  })
}

/** Whether the run in a folder was imported: then no training can be resumed there. */
const isImported = (folder: string): Promise<boolean> =>
  readConfig(folder, z.looseObject({ imported: z.unknown() })).then(
    ({ config }) => config.imported !== undefined,
    () => false,
  )

/** A run on disk. Made by `createRun` and `openRun`. */
export class Run<T = unknown> {
  constructor(
    /** The folder, absolute. */
    readonly path: string,
    /** The resolved configuration. */
    readonly config: T,
    /** Version of the pantin that made the run. */
    readonly version: string,
    private lock?: Lock,
  ) {}

  /**
   * Replaces the checkpoint in last/.
   *
   * @throws InputError for a state that could not be resumed or a run that is not open for writing,
   * EnvironmentError if the disk is full or fails. The earlier checkpoint is intact in all cases.
   */
  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const path = this.writable(checkpointFile)
    const { tensors, metadata } = encodeCheckpoint(path, checkpoint)
    await writeSafetensors(path, tensors, metadata)
  }

  /** The last checkpoint. @throws InputError if there is none, FormatError if it is broken. */
  async loadCheckpoint(): Promise<Required<Checkpoint>> {
    const path = join(this.path, checkpointFile)
    if (!(await this.hasCheckpoint())) throw noCheckpoint(path, false)
    return decodeCheckpoint(path, await readSafetensors(path))
  }

  /**
   * Whether there is a checkpoint to resume from. A run that was stopped before its first checkpoint has none.
   *
   * @throws InputError if the run has weights without a checkpoint: training would replace them, from the beginning.
   */
  hasCheckpoint(): Promise<boolean> {
    return findCheckpoint(this.path, (file) => exists(join(this.path, file)))
  }

  /** Replaces weights.safetensors. @throws InputError, EnvironmentError: the earlier file is intact. */
  async saveWeights(
    tensors: ReadonlyMap<string, Tensor>,
    metadata: ReadonlyMap<string, string> = new Map(),
    options: EncodeOptions = {},
  ): Promise<void> {
    await writeSafetensors(this.writable(weightsFile), tensors, metadata, options)
  }

  /** weights.safetensors. @throws InputError if it is missing, FormatError if it is broken. */
  async loadWeights(): Promise<TensorFile> {
    const path = join(this.path, weightsFile)
    if (!(await exists(path))) {
      throw new InputError({
        what: 'this run has no weights yet',
        where: path,
        got: 'no such file',
        remedy: (await isImported(this.path))
          ? 'import it again with --force'
          : 'let train finish: run it again with --resume',
      })
    }
    return readSafetensors(path)
  }

  /** Appends one line to metrics.jsonl, before it returns. @throws InputError, EnvironmentError */
  appendMetrics(record: MetricsRecord): void {
    appendMetrics(this.writable(metricsFile), record)
  }

  /** Every record of metrics.jsonl, in order; none if there is no such file yet. */
  readMetrics(): Promise<MetricsRecord[]> {
    return readMetrics(join(this.path, metricsFile))
  }

  /** Drops the metrics after `step`, the step of the checkpoint, and an incomplete last line. */
  async truncateMetrics(step: number): Promise<void> {
    await truncateMetrics(this.writable(metricsFile), step)
  }

  /** Path of the preview picture of a step. Names in order are steps in order. */
  previewPath(step: number): string {
    return join(this.path, previewFile(step))
  }

  /** Gives up the lock. Reading still works. */
  close(): void {
    this.lock?.release()
    this.lock = undefined
  }

  private writable(name: string): string {
    if (this.lock !== undefined) return join(this.path, name)
    throw new InputError({
      what: 'this run is open for reading only',
      where: this.path,
      expected: 'a run from createRun, or from openRun with write: true, that is not closed',
    })
  }
}
