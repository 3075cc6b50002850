// The runner that gives tasks to workers on other machines. Tasks and inputs go into the store, ids into the queue, and
// results come back from the store. It may be stopped at any time: workers go on, and the same command gathers the results.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { writeFileAtomic } from '../files/atomic.ts'
import { readWhole } from '../files/read.ts'
import { mostConfigBytes } from '../run/config-file.ts'
import type { Hooks } from '../util/child-process.ts'
import { EnvironmentError, FormatError } from '../util/errors.ts'
import type { TaskQueue } from './queue.ts'
import { type Kind, type Place, type Runner, type Store, type Task, taskText } from './task.ts'
import { allOf, downloadFiles, idIn, keys, readManifest, Uploader } from './transfer.ts'

/** Why a task has no result after all attempts. */
export const failureSchema = z.object({ reason: z.string().max(10_000), worker: z.string().max(200) })

/** What a worker tells of itself every few seconds. */
export const workerSchema = z.object({
  name: z.string().max(200),
  /** Milliseconds since 1970 by the worker's clock. */
  at: z.number(),
  /** Seconds since it began. */
  seconds: z.number(),
  jobs: z.int().positive(),
  done: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  running: z
    .array(z.object({ id: z.string().max(64), kind: z.string().max(40), part: z.number() }))
    .max(1000),
})
export type WorkerNews = z.infer<typeof workerSchema>

interface Waiting {
  /** Whether the queue was told of the task. */
  queued: boolean
  readonly end: (failure?: string) => void
  readonly onProgress: ((part: number) => void) | undefined
}

export interface RemoteOptions {
  readonly store: Store
  /** Undefined if workers look into the store for tasks. */
  readonly queue?: TaskQueue | undefined
  /** Do tasks again of which the store has a result. */
  readonly again?: boolean
  /** Seconds between looks into the store (default 1). */
  readonly pollSeconds?: number
  onNote?(text: string): void
}

/** Uploads, or downloads, at a time. */
const transfers = 4
/** Seconds without any worker before a note says so. */
const patience = 15
/** Seconds between looks at the queue, and the most seconds between looks into a store that answers slowly. */
const [queueSeconds, mostPollSeconds] = [5, 15]

/** A task as the store has it. */
export interface FiledTask {
  readonly id: string
  readonly inputs: Task['inputs']
}

interface Queued {
  readonly ids: readonly string[]
  readonly count: number
}

type Described = FiledTask & { readonly text: string }

/** Does tasks on other machines. Closed by `close`. */
export class RemoteRunner implements Runner {
  readonly lanes = Number.POSITIVE_INFINITY
  readonly shares = false
  private readonly waiting = new Map<string, Waiting>()
  private readonly uploader: Uploader
  private readonly gate = gate(transfers)
  private running = 0
  private workers = 0
  private done = 0
  private failed = 0
  /** Hours of all workers together, since the first task was given. */
  private workerHours = 0
  private heardAt: number | undefined
  private closed = false
  private watching: Promise<void> | undefined
  /** Tasks that the queue is to be told of, and the end of the last message to it. */
  private readonly fresh: string[] = []
  private enqueued: Promise<void> = Promise.resolve()
  private trouble: unknown
  /** Tasks that were given before. */
  private readonly given = new Set<string>()

  constructor(private readonly options: RemoteOptions) {
    this.uploader = new Uploader(options.store)
  }

  width(): number {
    return Math.max(1, this.running)
  }

  /** What is going on, in words: `3 workers, 5 running, 120 per hour each, 1 failed`. */
  now(): string {
    const { workers, running, done, failed, workerHours } = this
    const rate = done / workerHours
    return [
      `${workers} worker${workers === 1 ? '' : 's'}`,
      `${running} running`,
      ...(done === 0 || workerHours === 0 ? [] : [`${rate.toFixed(rate < 10 ? 1 : 0)} per hour each`]),
      ...(failed === 0 ? [] : [`${failed} failed`]),
    ].join(', ')
  }

  async perform<C extends object>(kind: Kind<C>, config: C, place: Place, hooks: Hooks): Promise<void> {
    const { store, queue } = this.options
    const { id, text, inputs } = await this.gate(async () => {
      hooks.signal?.throwIfAborted()
      return this.describe(kind, config)
    })
    const [isDone] = await allOf(this.isDone(id, kind.result(config)), store.remove(keys.failure(id)))
    if (!isDone) {
      await store.create(keys.task(id), text)
      const ended = this.wait(id, hooks)
      if (queue !== undefined) await this.enqueue(queue, id)
      const failure = await ended
      if (failure !== undefined) throw new EnvironmentError({ what: failure })
    }
    await this.gate(() => collect(store, { id, inputs }, kind.result(config), place.folder))
  }

  async close(): Promise<void> {
    this.closed = true
    await this.watching
    await this.options.queue?.close()
  }

  /** A task of which the inputs are in the store. */
  async describe<C extends object>(kind: Kind<C>, config: C): Promise<Described> {
    const inputs = await this.uploader.inputs(kind.inputs(config))
    return { ...taskText(kind as unknown as Kind, config, inputs), inputs }
  }

  /**
   * Whether the store has a result that is to be collected. One that is not is removed: the work is done again if the user says
   * so, or if it had failed, for what it failed by may be mended.
   *
   * @param result name of the file that tells how the task ended
   */
  async isDone(id: string, result: string): Promise<boolean> {
    const { store, again = false } = this.options
    if (!(await store.has(keys.result(id)))) return false
    // A task that is given twice is done again once.
    const isOld = again && !this.given.has(id)
    this.given.add(id)
    if (!isOld && !(await hasFailed(store, id, result))) return true
    await store.remove(keys.result(id))
    return false
  }

  /** Tells the queue of a task. Tasks that come while others are on their way go together, in one call. */
  private async enqueue(queue: TaskQueue, id: string): Promise<void> {
    this.fresh.push(id)
    const turn = this.enqueued.then(() =>
      this.fresh.length === 0 ? undefined : queue.add(this.fresh.splice(0)),
    )
    this.enqueued = turn.catch(() => {})
    await turn
    const waiting = this.waiting.get(id)
    if (waiting !== undefined) waiting.queued = true
  }

  /** @returns why the task failed; undefined if there is a result */
  private async wait(id: string, { signal, onProgress }: Hooks): Promise<string | undefined> {
    signal?.throwIfAborted()
    this.watching ??= this.watch().catch((error: unknown) => {
      this.trouble = error
      for (const { end } of this.waiting.values()) end()
    })
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.waiting.delete(id)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', stop, { once: true })
      this.waiting.set(id, {
        queued: false,
        onProgress,
        end: (failure) => {
          signal?.removeEventListener('abort', stop)
          this.waiting.delete(id)
          if (failure === undefined) this.done++
          else this.failed++
          if (this.trouble === undefined) resolve(failure)
          else reject(this.trouble)
        },
      })
    })
  }

  /** Looks into the store for results, failures and news of workers, and enqueues again what the queue has lost. */
  private async watch(): Promise<void> {
    const { store, pollSeconds = 1 } = this.options
    let alone = performance.now()
    let noted = false
    let remindedAt = performance.now()
    while (!this.closed) {
      const began = performance.now()
      const isDue = began - remindedAt > queueSeconds * 1000
      // Counted before the look at results. A task leaves the queue after its result is in the store, so a task that is
      // neither counted nor among the results is lost.
      const queued = isDue ? await this.countQueued() : undefined
      for await (const { key } of store.list('results/')) this.waiting.get(idIn(key))?.end()
      for await (const { key } of store.list('failures/')) {
        const waiting = this.waiting.get(idIn(key))
        if (waiting === undefined) continue
        const text = (await store.read(key, 1 << 20))?.toString('utf8')
        waiting.end(failureOf(text))
      }
      const workers = await readWorkers(store)
      if (workers.length > 0) {
        alone = performance.now()
        noted = false
      }
      this.hear(workers)
      if (!noted && performance.now() - alone > patience * 1000 && this.waiting.size > 0) {
        noted = true
        this.options.onNote?.(
          'no worker is at work: start some with `pantin worker`, with the same --store and --queue and this version',
        )
      }
      if (isDue) {
        if (queued !== undefined) await this.remind(queued)
        remindedAt = performance.now()
      }
      // A store with many results takes long to look at, so it is looked at less often. A store that was away for a while
      // took long once.
      const took = performance.now() - began
      const pause = Math.min(Math.max(pollSeconds * 1000, 10 * took), mostPollSeconds * 1000)
      await sleep(pause, undefined, { ref: false })
    }
  }

  private hear(workers: readonly WorkerNews[]): void {
    let running = 0
    for (const { id, part } of workers.flatMap((worker) => worker.running)) {
      const waiting = this.waiting.get(id)
      if (waiting === undefined) continue
      running++
      waiting.onProgress?.(part)
    }
    this.running = running
    const now = performance.now()
    this.workerHours += (this.workers * (now - (this.heardAt ?? now))) / 3_600_000
    this.heardAt = now
    this.workers = workers.length
  }

  /** Tasks that the queue was told of, and the number of tasks that it has now. */
  private async countQueued(): Promise<Queued | undefined> {
    const { queue } = this.options
    const ids = [...this.waiting].flatMap(([id, { queued }]) => (queued ? [id] : []))
    if (queue === undefined || ids.length === 0) return undefined
    const { waiting, running } = await queue.counts()
    return { ids, count: waiting + running }
  }

  /** A queue that had fewer tasks than are still waited for has lost some: Redis began again empty. */
  private async remind({ ids, count }: Queued): Promise<void> {
    const lacking = ids.filter((id) => this.waiting.has(id))
    if (count < lacking.length) await this.options.queue?.add(lacking)
  }
}

/**
 * Brings the files of a task's result into the task's own folder, its result last.
 *
 * @throws FormatError if the result cannot be read. It is then removed, so that it is made again.
 */
export async function collect(
  store: Store,
  { id, inputs }: FiledTask,
  result: string,
  folder: string,
): Promise<void> {
  try {
    const manifest = await readManifest(store, keys.result(id))
    if (manifest === undefined)
      throw new EnvironmentError({ what: 'the result is not in the store any more' })
    await downloadFiles(store, manifest, folder, result)
    for (const { path } of manifest.files) {
      if (path.endsWith('config.json')) await nameInputs(join(folder, path), inputs)
    }
  } catch (error) {
    if (error instanceof FormatError) await store.remove(keys.result(id))
    throw error
  }
}

/** Whether a result in the store says that the work failed. One that cannot be read is for `collect` to find. */
async function hasFailed(store: Store, id: string, result: string): Promise<boolean> {
  const manifest = await readManifest(store, keys.result(id)).catch(() => undefined)
  const file = manifest?.files.find(({ path }) => path === result)
  if (file === undefined || !('content' in file)) return false
  try {
    return failedSchema.safeParse(JSON.parse(Buffer.from(file.content, 'base64').toString('utf8'))).success
  } catch {
    return false
  }
}

/** What all kinds of results say if the work failed. */
const failedSchema = z.object({ status: z.literal('failed') })

/** Why a task failed, from its record in the store. */
export function failureOf(text: string | undefined): string {
  try {
    const { reason, worker } = failureSchema.parse(JSON.parse(text ?? ''))
    return `${reason} (on ${worker})`
  } catch {
    return 'it failed on a worker'
  }
}

/** Milliseconds after which a worker that told nothing is not counted any more. */
const mostSilence = 30_000

/** Workers that tell of themselves. News change while a worker lives; clocks of machines are not compared. */
const heard = new WeakMap<Store, Map<string, { readonly at: number; readonly seen: number }>>()

export async function readWorkers(store: Store): Promise<WorkerNews[]> {
  const before = heard.get(store) ?? new Map<string, { at: number; seen: number }>()
  heard.set(store, before)
  const now = performance.now()
  const living: WorkerNews[] = []
  for await (const { key } of store.list('workers/')) {
    const text = (await store.read(key, 1 << 20).catch(() => undefined))?.toString('utf8')
    const news = parsedNews(text)
    if (news === undefined) continue
    const last = before.get(key)
    const isNew = last === undefined || last.at !== news.at
    const seen = isNew ? now : last.seen
    before.set(key, { at: news.at, seen })
    const isOld = last === undefined && Math.abs(Date.now() - news.at) > 10 * mostSilence
    if (!isOld && now - seen < mostSilence) living.push(news)
  }
  return living
}

function parsedNews(text: string | undefined): WorkerNews | undefined {
  try {
    return workerSchema.parse(JSON.parse(text ?? ''))
  } catch {
    return undefined
  }
}

/** A run names its videos as the study does, and not as the worker had them. @throws FormatError if it is too large */
async function nameInputs(file: string, inputs: Task['inputs']): Promise<void> {
  const names = new Map(Object.entries(inputs).map(([name, tree]) => [`inputs/${tree.slice(0, 32)}/`, name]))
  const text = (await readWhole(file, 'the configuration of a run', mostConfigBytes)).toString('utf8')
  const named = text.replaceAll(/"(inputs\/[0-9a-f]{32}\/)[^"/]*"/g, (whole, prefix: string) => {
    const name = names.get(prefix)
    return name === undefined ? whole : JSON.stringify(name)
  })
  if (named !== text) await writeFileAtomic(file, named)
}

/** Lets a limited number of calls run at a time. The others wait. */
function gate(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = most
  const line: (() => void)[] = []
  return async (work) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => line.push(resolve))
    try {
      return await work()
    } finally {
      const next = line.shift()
      if (next === undefined) free++
      else next()
    }
  }
}
