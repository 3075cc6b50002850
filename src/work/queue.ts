// The queue: BullMQ on Redis or Valkey. It tells workers at once which tasks are to be done, and never knows more than the
// store: a job holds the id of a task and nothing else. If Redis forgets all, the tasks are enqueued again.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionOptions, Job, Queue } from 'bullmq'
import { EnvironmentError, InputError, messageOf } from '../util/errors.ts'
import { version } from '../util/version.ts'
import type { Fitness } from './claims.ts'
import { isId } from './task.ts'

/** Tasks of one version of pantin. Workers of other versions have queues of their own. */
const queueName = `pantin-${version}`

/** Attempts at a task that leaves no result, and milliseconds before the second one. */
const [attempts, pause] = [3, 1000]

/** Times that a task is given to another worker, because a worker fell silent. */
const mostStalls = 100

/** The address of a queue. */
export interface QueueAddress {
  /** As messages show it: without user and password. */
  readonly name: string
  readonly connection: ConnectionOptions
}

/**
 * Reads the address of a queue.
 *
 * @param url `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://` for TLS
 * @param env has REDIS_USERNAME and REDIS_PASSWORD, which hold if the address has no password
 * @throws InputError for an address that is none. The message does not show it, because it may contain a password.
 */
export function parseQueue(url: string, env: NodeJS.ProcessEnv = process.env): QueueAddress {
  const parsed = URL.parse(url)
  const database = parsed?.pathname.replace(/^\//, '') ?? ''
  if (
    parsed === null ||
    !['redis:', 'rediss:', 'valkey:', 'valkeys:'].includes(parsed.protocol) ||
    parsed.hostname === '' ||
    !/^\d{0,4}$/.test(database)
  ) {
    throw new InputError({
      what: 'this is not the address of a queue',
      where: '--queue',
      expected: 'redis://HOST:PORT, or rediss://HOST:PORT for TLS',
      remedy: 'put the password into REDIS_PASSWORD',
    })
  }
  const isSafe = ['rediss:', 'valkeys:'].includes(parsed.protocol)
  const port = parsed.port === '' ? 6379 : Number(parsed.port)
  const username = decoded(parsed.username) || env.REDIS_USERNAME
  const password = decoded(parsed.password) || env.REDIS_PASSWORD
  const host = parsed.hostname.replace(/^\[|\]$/g, '')
  return {
    name: `${isSafe ? 'rediss' : 'redis'}://${parsed.hostname}:${port}${database === '' ? '' : `/${database}`}`,
    connection: {
      ...{ host, port, db: Number(database) },
      ...(username !== undefined && password !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(isSafe && { tls: { servername: host } }),
      // Redis may be away for a while: calls wait for it.
      maxRetriesPerRequest: null,
      retryStrategy: (times: number) => Math.min(100 * 2 ** Math.min(times, 6), 2000),
    },
  }
}

/** A part of an address as it was before it was written into one. @throws InputError, which does not show it */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (error) {
    throw new InputError(
      {
        what: 'the user or the password in the address of the queue cannot be read',
        where: '--queue',
        got: 'a % that no two hexadecimal digits follow',
        expected: '%25 for each %',
        remedy: 'put the password into REDIS_PASSWORD, as it is',
      },
      { cause: error },
    )
  }
}

/** The library of the queue. @throws EnvironmentError if it is not installed. */
async function loadBull(): Promise<typeof import('bullmq')> {
  try {
    await import('ioredis')
    return await import('bullmq')
  } catch (error) {
    throw new EnvironmentError(
      {
        what: 'the packages of the queue are not installed',
        where: '--queue',
        got: messageOf(error).split('\n')[0]!,
        remedy:
          'npm install bullmq ioredis; or leave out --queue: the store alone works too, a little slower',
      },
      { cause: error },
    )
  }
}

/** Numbers of tasks in a queue. */
export interface QueueCounts {
  readonly waiting: number
  readonly running: number
}

/** The side of the command that makes tasks. */
export class TaskQueue {
  private constructor(
    readonly name: string,
    private readonly queue: Queue,
  ) {}

  /** @throws EnvironmentError if the server does not answer. */
  static async open({ name, connection }: QueueAddress): Promise<TaskQueue> {
    const bull = await loadBull()
    const queue = new bull.Queue(queueName, { connection })
    await answered(name, queue)
    return new TaskQueue(name, queue)
  }

  /** Tells workers of tasks. One that is in the queue already is not told again. */
  async add(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length; at += 500) {
      await this.queue.addBulk(
        ids.slice(at, at + 500).map((id) => ({
          name: 'task',
          data: {},
          opts: {
            ...{ jobId: `t-${id}`, attempts, backoff: { type: 'exponential', delay: pause } },
            // The store says what is done: a job that has ended has nothing to tell.
            ...{ removeOnComplete: true, removeOnFail: true },
          },
        })),
      )
    }
  }

  async counts(): Promise<QueueCounts> {
    const { active = 0, ...others } = await this.queue.getJobCounts(
      ...(['active', 'waiting', 'delayed', 'prioritized'] as const),
    )
    return { running: active, waiting: Object.values(others).reduce((sum, count) => sum + count, 0) }
  }

  async close(): Promise<void> {
    await Promise.race([this.queue.close().catch(() => {}), sleep(2000, undefined, { ref: false })])
  }
}

/** What `Queue` and `Worker` of BullMQ have in common. */
interface Side {
  on(event: 'error', listener: (error: Error) => void): unknown
  waitUntilReady(): Promise<unknown>
  close(): Promise<void>
}

/** Waits until a server answers. @throws EnvironmentError if it does not, or refuses the password. */
async function answered(name: string, side: Side): Promise<void> {
  let last = 'no answer'
  const note = (error: Error) => {
    last = messageOf(error).split('\n')[0] || ('code' in error ? String(error.code) : error.name)
  }
  // Without a listener an error would end the process. Later errors are those of a server that is away for a while.
  side.on('error', note)
  const ready = await Promise.race([
    side.waitUntilReady().then(
      () => true,
      (error: Error) => {
        note(error)
        return false
      },
    ),
    sleep(8000, false, { ref: false }),
  ])
  if (ready) return
  void side.close().catch(() => {})
  throw new EnvironmentError({
    what: 'the queue does not answer',
    where: name,
    got: last,
    expected: 'Redis 6.2 or later, or Valkey',
    remedy: 'start it, and check address, user and password (REDIS_USERNAME, REDIS_PASSWORD)',
  })
}

/** The side of a worker. */
export interface QueueWork {
  /** Tasks at a time. */
  readonly jobs: number
  /** Seconds of a worker's silence after which another worker takes its tasks over. */
  readonly lease: number
  readonly fitness: Fitness
  /**
   * Does a task. @param last whether no attempt follows. @returns whether it is over; if not, another worker goes on with it.
   */
  perform(id: string, last: boolean): Promise<boolean>
  /** Called for a job that is no task. */
  onRefused(reason: string): void
  readonly signal: AbortSignal
}

/** Takes tasks from a queue until the signal aborts, and then gives back the tasks that are running. */
export async function workFrom({ name, connection }: QueueAddress, work: QueueWork): Promise<void> {
  const { Worker, DelayedError, UnrecoverableError } = await loadBull()
  const process = async (job: Job, token?: string): Promise<void> => {
    const id = job.id?.slice(2)
    if (!isId(id) || Object.keys((job.data as object | null) ?? {}).length > 0) {
      work.onRefused('a job is refused: it is not the id of a task alone')
      throw new UnrecoverableError('this job is not the id of a task')
    }
    const giveBack = async (delay: number): Promise<never> => {
      await job.moveToDelayed(Date.now() + delay, token)
      throw new DelayedError()
    }
    if (work.fitness.leaves(id)) return giveBack(pause)
    try {
      if (await work.perform(id, job.attemptsMade + 1 >= attempts)) return
    } finally {
      rest()
    }
    return giveBack(50)
  }
  let resting: ReturnType<typeof setTimeout> | undefined
  const rest = () => {
    const left = work.fitness.restLeft()
    if (left === 0) return
    clearTimeout(resting)
    // Tasks that are running go on.
    void worker.pause(true)
    resting = setTimeout(() => void worker.resume(), left).unref()
  }
  const lockDuration = work.lease * 1000
  const worker = new Worker(queueName, process, {
    ...{ connection, concurrency: work.jobs, lockDuration, stalledInterval: lockDuration / 2 },
    ...{ maxStalledCount: mostStalls, drainDelay: 2 },
  })
  try {
    await answered(name, worker)
    await new Promise<void>((resolve) => {
      if (work.signal.aborted) resolve()
      work.signal.addEventListener('abort', () => resolve(), { once: true })
    })
  } finally {
    clearTimeout(resting)
    await Promise.race([worker.close().catch(() => {}), sleep(60_000, undefined, { ref: false })])
  }
}
