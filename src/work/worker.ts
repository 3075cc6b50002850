// A worker: it supervises tasks, each in a child process, tells of itself in the store, and shows its numbers on a page.
import { randomBytes } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { homedir, hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { isOfSystem } from '../files/file-errors.ts'
import { exists, makeFolder } from '../files/folders.ts'
import { acquireLock, isLocked, watchTime } from '../files/lock.ts'
import { EnvironmentError, messageOf, PantinError } from '../util/errors.ts'
import { attempt } from './attempt.ts'
import { Fitness, workFromStore } from './claims.ts'
import { type QueueAddress, workFrom } from './queue.ts'
import type { failureSchema, WorkerNews } from './remote.ts'
import { type Kind, type Store, threadsFor } from './task.ts'
import { keys } from './transfer.ts'

/** How a worker works. */
export interface WorkerOptions {
  readonly store: Store
  /** Undefined if the worker looks into the store for tasks. */
  readonly queue?: QueueAddress | undefined
  readonly kinds: readonly Kind[]
  /** Tasks at a time, each on its share of the cores (default 1). */
  readonly jobs?: number
  /** Seconds of silence after which another worker takes a task over (default 30). */
  readonly lease?: number
  /** Seconds between checkpoints that go to the store (default 60). */
  readonly checkpointSeconds?: number
  /** Seconds without a task after which the worker ends (default: it does not end). Only without a queue. */
  readonly idle?: number | undefined
  /** Folder for inputs and running tasks (default: `.cache/pantin/worker` in the home folder). */
  readonly scratch?: string | undefined
  /** Port of the page with metrics (default: no page). */
  readonly metricsPort?: number | undefined
  readonly signal: AbortSignal
  onNews?(event: WorkerEvent): void
}

export type WorkerEvent =
  | { readonly kind: 'ready'; readonly name: string; readonly metrics: string | undefined }
  | { readonly kind: 'began' | 'done' | 'stopped'; readonly id: string; readonly task: string }
  | {
      readonly kind: 'failed' | 'refused'
      readonly id: string
      readonly task: string
      readonly reason: string
    }

/** What a worker did. */
export interface WorkerReport {
  readonly name: string
  readonly done: number
  readonly failed: number
  readonly seconds: number
}

/** Milliseconds between news of a worker. */
const newsInterval = 2000

/** Works until the signal aborts. Running tasks are saved and given back. */
export async function work(options: WorkerOptions): Promise<WorkerReport> {
  const { store, queue, kinds, jobs = 1, lease = 30, checkpointSeconds = 60, idle, signal } = options
  const { scratch, metricsPort, onNews } = options
  const home = resolve(scratch ?? join(homedir(), '.cache', 'pantin', 'worker'))
  const name = `${
    hostname()
      .replaceAll(/[^\w-]/g, '-')
      .slice(0, 60) || 'host'
  }-${randomBytes(4).toString('hex')}`
  const own = join(home, 'workers', name)
  await makeFolder(own)
  const lock = acquireLock(join(own, 'lock'))
  const seen = new Set<string>()
  await removeLeftovers(dirname(own), seen)
  const tidying = setTimeout(
    () => void removeLeftovers(dirname(own), seen).catch(() => {}),
    watchTime,
  ).unref()
  const threads = threadsFor(jobs)
  const state = new State(name, jobs)
  const page = metricsPort === undefined ? undefined : await servePage(metricsPort, state)
  const tell = () => store.write(keys.worker(name), JSON.stringify(state.news())).catch(() => {})
  let telling = false
  const timer = setInterval(() => {
    if (telling) return
    telling = true
    void tell().finally(() => {
      telling = false
    })
  }, newsInterval)

  const fitness = new Fitness(lease)
  const perform = async (id: string, last: boolean): Promise<boolean> => {
    let task = 'task'
    try {
      const end = await attempt(id, {
        ...{ store, kinds, home, own, threads, checkpointSeconds, signal },
        onKind: (kind) => {
          task = kind
          state.begin(id, kind)
          onNews?.({ kind: 'began', id, task })
        },
        onProgress: (part) => state.progress(id, part),
      })
      state.end(id, end === 'done' ? 'done' : undefined)
      if (end === 'done') fitness.succeed()
      onNews?.({ kind: end, id, task })
      return end === 'done'
    } catch (error) {
      if (signal.aborted) {
        state.end(id, undefined)
        return false
      }
      const reason = error instanceof PantinError ? error.message : `a bug in pantin: ${messageOf(error)}`
      state.end(id, 'failed')
      if (error instanceof EnvironmentError || isOfSystem(error)) fitness.fail(id)
      // A task that is refused would be refused again.
      const refused = task === 'task' && !(error instanceof EnvironmentError)
      onNews?.({ kind: refused ? 'refused' : 'failed', id, task, reason })
      if (!last && !refused) throw error
      const failure: typeof failureSchema._output = { reason: reason.slice(0, 10_000), worker: name }
      await store.write(keys.failure(id), JSON.stringify(failure))
      return true
    }
  }

  try {
    await tell()
    onNews?.({ kind: 'ready', name, metrics: page?.address })
    if (queue === undefined) await workFromStore({ store, name, jobs, lease, idle, fitness, perform, signal })
    else {
      const onRefused = (reason: string) => onNews?.({ kind: 'refused', id: '', task: 'task', reason })
      await workFrom(queue, { jobs, lease, fitness, perform, onRefused, signal })
    }
    return state.report()
  } finally {
    clearInterval(timer)
    clearTimeout(tidying)
    page?.server.close()
    await store.remove(keys.worker(name)).catch(() => {})
    lock.release()
    await rm(own, { recursive: true, force: true })
  }
}

/**
 * Removes folders of workers that were killed. Those of other machines may be alive, and one that is just starting has no
 * lock yet: such folders are removed by a second call, after `watchTime`.
 *
 * @param bare folders that had no lock at the first call
 */
async function removeLeftovers(folder: string, bare: Set<string>): Promise<void> {
  for (const name of await readdir(folder)) {
    const lock = join(folder, name, 'lock')
    if (isLocked(lock)) continue
    if ((await exists(lock)) || bare.has(name)) await rm(join(folder, name), { recursive: true, force: true })
    else bare.add(name)
  }
}

/** The numbers of a worker. */
class State {
  private readonly began = performance.now()
  private readonly running = new Map<string, { readonly kind: string; part: number }>()
  private done = 0
  private failed = 0

  constructor(
    private readonly name: string,
    private readonly jobs: number,
  ) {}

  begin(id: string, kind: string): void {
    this.running.set(id, { kind, part: 0 })
  }

  progress(id: string, part: number): void {
    const task = this.running.get(id)
    if (task !== undefined) task.part = part
  }

  end(id: string, how: 'done' | 'failed' | undefined): void {
    this.running.delete(id)
    if (how === 'done') this.done++
    if (how === 'failed') this.failed++
  }

  news(): WorkerNews {
    const { name, jobs, done, failed } = this
    const running = [...this.running].map(([id, task]) => ({ id, ...task }))
    return { name, at: Date.now(), seconds: this.seconds, jobs, done, failed, running }
  }

  report(): WorkerReport {
    const { name, done, failed, seconds } = this
    return { name, done, failed, seconds }
  }

  /** In the text format of Prometheus. */
  metrics(): string {
    const { done, failed, running, seconds, jobs } = this
    const lines = [
      ['pantin_worker_tasks_done_total', 'counter', 'Tasks with a result.', done],
      ['pantin_worker_tasks_failed_total', 'counter', 'Attempts without a result.', failed],
      ['pantin_worker_tasks_running', 'gauge', 'Tasks that are running.', running.size],
      ['pantin_worker_jobs', 'gauge', 'Tasks at a time.', jobs],
      ['pantin_worker_seconds_total', 'counter', 'Seconds since the worker began.', seconds],
    ] as const
    return lines
      .map(
        ([name, type, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`,
      )
      .join('')
  }

  private get seconds(): number {
    return (performance.now() - this.began) / 1000
  }
}

/** The page with metrics, for this machine alone. @param port 0 for a free one */
async function servePage(
  port: number,
  state: State,
): Promise<{ readonly server: Server; readonly address: string }> {
  const server = createServer((request, response) => {
    const isPage = request.method === 'GET' && request.url === '/metrics'
    response.writeHead(isPage ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4' })
    response.end(isPage ? state.metrics() : 'the page is /metrics\n')
  })
  await new Promise<void>((done, fail) => {
    server.once('error', (error) =>
      fail(
        new EnvironmentError({
          what: 'the page with metrics cannot be served',
          where: '--metrics',
          got: messageOf(error),
          remedy: 'choose another port',
        }),
      ),
    )
    server.listen(port, '127.0.0.1', done)
  })
  server.unref()
  const at = server.address()
  return { server, address: `http://127.0.0.1:${typeof at === 'object' ? at?.port : port}/metrics` }
}
