// One attempt at a task on a worker: inputs are fetched, the last checkpoint of any worker is taken over, a child process
// does the work, and what it leaves goes to the store. Two attempts at one task give one result.
import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError } from '../files/file-errors.ts'
import { exists, makeFolder } from '../files/folders.ts'
import type { Hooks } from '../util/child-process.ts'
import { EnvironmentError, InputError } from '../util/errors.ts'
import { isId, type Kind, mostTaskBytes, readTask, type Store } from './task.ts'
import {
  allOf,
  downloadFiles,
  fetchInputs,
  keys,
  type Manifest,
  objectsOf,
  readManifest,
  removeAll,
  stampOf,
  uploadFolder,
} from './transfer.ts'

/** What an attempt needs of its worker. */
export interface AttemptOptions extends Hooks {
  readonly store: Store
  readonly kinds: readonly Kind[]
  /** Folder of this machine for inputs and what tasks share. Several workers may use it. */
  readonly home: string
  /** Folder of this worker alone. */
  readonly own: string
  /** Threads of the task on the CPU, within one op (default: one for each core). */
  readonly threads?: number | undefined
  /** Seconds between looks at whether the task has saved a checkpoint that should go to the store. */
  readonly checkpointSeconds: number
  /** Called when the task is known. */
  onKind?(name: string): void
}

/** How an attempt ended: there is a result, or the signal stopped it and its last checkpoint is in the store. */
export type AttemptEnd = 'done' | 'stopped'

/**
 * Does a task, unless its result is there already.
 *
 * @throws InputError for a task that is refused; EnvironmentError, or what the work throws, if it left no result.
 */
export async function attempt(id: string, options: AttemptOptions): Promise<AttemptEnd> {
  const { store, kinds, home, own, threads, checkpointSeconds, signal } = options
  if (!isId(id))
    throw new EnvironmentError({ what: 'this is not the id of a task', got: String(id).slice(0, 80) })
  const [isDone, content] = await allOf(store.has(keys.result(id)), store.read(keys.task(id), mostTaskBytes))
  if (isDone) {
    await store.remove(keys.task(id))
    return 'done'
  }
  const text = content?.toString('utf8')
  if (text === undefined) {
    // Another worker may have written the result, and removed the task, just now.
    if (await store.has(keys.result(id))) return 'done'
    throw new EnvironmentError({
      what: 'the store has no such task',
      where: `task ${id.slice(0, 12)}`,
      remedy: 'give workers the same --store as the command that makes the tasks, and run that command again',
    })
  }
  const { kind, config, inputs } = readTask(id, text, kinds)
  options.onKind?.(kind.name)
  const folder = join(own, id)
  const saves = kind.checkpoint?.(config)
  try {
    const prepare = async () => {
      await makeEmpty(folder)
      if (saves !== undefined) await restore(id, folder, store)
    }
    const [paths] = await allOf(fetchInputs(store, inputs, home), prepare()).catch((error: unknown) => {
      throw ofSurroundings(fileError(error, folder, 'written'))
    })
    const saver = new Saver(id, folder, saves, options)
    let problem: unknown
    const place = { folder, cache: join(home, 'shared'), home, paths, checkpointSeconds }
    await kind
      .perform(
        { ...config, ...place, ...(threads !== undefined && { threads }) },
        {
          ...(signal && { signal }),
          onProgress: (part) => {
            saver.part = part
            options.onProgress?.(part)
          },
        },
      )
      .catch((error: unknown) => {
        problem = error
      })
      .finally(() => saver.stop())
    if (await exists(join(folder, kind.result(config)))) {
      await publish(id, folder, { leave: kind.leave?.(config) ?? [], saves: saves !== undefined }, store)
      return 'done'
    }
    await saver.save()
    if (signal?.aborted) return 'stopped'
    throw problem ?? new EnvironmentError({ what: 'it ended without a result' })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The task did not begin yet: whatever is wrong then is this machine, or the store. */
const ofSurroundings = (error: unknown): unknown =>
  error instanceof InputError ? new EnvironmentError(error.problem, { cause: error }) : error

/** Makes the folder of an attempt. What an earlier attempt at the task may have left in it is removed. */
const makeEmpty = (folder: string): Promise<void> =>
  mkdir(folder).catch(async () => {
    await rm(folder, { recursive: true, force: true })
    await makeFolder(folder)
  })

/**
 * Writes the result, once. A result that is there already stays: the files of this attempt are removed.
 *
 * @param task.leave files and folders that are of no use any more
 * @param task.saves whether attempts at the task save checkpoints
 */
async function publish(
  id: string,
  folder: string,
  { leave, saves }: { readonly leave: readonly string[]; readonly saves: boolean },
  store: Store,
): Promise<void> {
  const files = await uploadFolder(store, folder, attemptPrefix(id), { leave, isOver: true })
  const isFirst = await store.create(keys.result(id), JSON.stringify(files))
  const kept = isFirst ? files : ((await readManifest(store, keys.result(id))) ?? files)
  await allOf(
    store.remove(keys.task(id)),
    saves ? removeAll(store, keys.checkpoints(id)) : Promise.resolve(),
    removeAll(store, keys.files(id), new Set(objectsOf(kept))),
  )
}

/** The beginning of keys for the files of an attempt, or of one of its checkpoints, that no other attempt has. */
const attemptPrefix = (id: string): string => `${keys.files(id)}${randomBytes(8).toString('hex')}-`

/** Takes the last checkpoint over, whichever worker made it. */
async function restore(id: string, folder: string, store: Store): Promise<void> {
  for (let tries = 0; tries < 3; tries++) {
    const found: string[] = []
    for await (const { key } of store.list(keys.checkpoints(id))) found.push(key)
    const last = found.at(-1)
    if (last === undefined) return
    try {
      const manifest = await readManifest(store, last)
      if (manifest === undefined) continue
      await downloadFiles(store, manifest, folder)
      return
    } catch {
      // A worker that is further has removed it meanwhile, or it is damaged. If that stays so, the task begins again.
      await rm(folder, { recursive: true, force: true })
      await makeFolder(folder)
    }
  }
}

/** Copies checkpoints to the store while a task goes on. */
class Saver {
  /** Part of the task that is done. */
  part = 0
  private readonly timer: ReturnType<typeof setInterval> | undefined
  private saved: string | undefined
  private saving: Promise<void> = Promise.resolve()

  constructor(
    private readonly id: string,
    private readonly folder: string,
    /** The file that is replaced at each checkpoint. */
    private readonly file: string | undefined,
    private readonly options: AttemptOptions,
  ) {
    if (file === undefined) return
    let busy = false
    this.timer = setInterval(() => {
      if (busy) return
      busy = true
      void this.save().finally(() => {
        busy = false
      })
    }, options.checkpointSeconds * 1000)
  }

  stop(): void {
    clearInterval(this.timer)
  }

  /** Copies the checkpoint that is there, if it is a new one. If that fails, the next attempt has less to go on with. */
  save(): Promise<void> {
    this.saving = this.saving.then(() => this.copy()).catch(() => {})
    return this.saving
  }

  private async copy(): Promise<void> {
    const { id, folder, file: first, part } = this
    const { store } = this.options
    if (first === undefined) return
    const stamp = await stampOf(join(folder, first))
    if (stamp === undefined || stamp === this.saved) return
    const prefix = attemptPrefix(id)
    const manifest: Manifest = await uploadFolder(store, folder, prefix, { first })
    const name = `${String(Math.round(part * 1e9)).padStart(10, '0')}-${randomBytes(4).toString('hex')}.json`
    const key = `${keys.checkpoints(id)}${name}`
    await store.create(key, JSON.stringify(manifest))
    this.saved = stamp
    // Checkpoints of less progress are of no use any more, whichever worker made them. One of more progress stays.
    for await (const older of store.list(keys.checkpoints(id))) {
      if (older.key >= key) continue
      const before = await readManifest(store, older.key).catch(() => undefined)
      await store.remove(older.key)
      for (const object of before === undefined ? [] : objectsOf(before)) await store.remove(object)
    }
  }
}
