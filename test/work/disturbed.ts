// Workers that are killed and paused while they work, and servers that are lost meanwhile.
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect } from 'vitest'
import { openStore } from '../../src/work/open-store.ts'
import type { Store } from '../../src/work/task.ts'
import {
  redisProgram,
  type S3Server,
  s3Program,
  startRedis,
  startS3,
  type TestServer,
  withoutRedis,
  withoutS3,
} from '../support/servers.ts'

/** Why such tests cannot run here; empty if they can. */
export const missingServers = [
  ...(redisProgram === undefined ? [withoutRedis] : []),
  ...(s3Program === undefined ? [withoutS3] : []),
].join(', ')

/** Kills in each test. A machine that has no core to spare takes minutes for each ten. */
export const wantedKills = Number(process.env.PANTIN_TEST_KILLS ?? 3)

/** A worker that is started again whenever it ends. */
class RestartedWorker {
  private child: ChildProcess | undefined
  private over = false
  /** Whether the process was killed, and its end is not known yet. */
  private dying = false
  /** All that its processes printed. */
  said = ''
  kills = 0
  /** When this process began a task; undefined before. */
  private busySince: number | undefined

  /**
   * @param words arguments of node
   * @param begins what the worker prints when it begins a task
   */
  constructor(
    private readonly words: readonly string[],
    private readonly env: NodeJS.ProcessEnv,
    private readonly begins: string,
  ) {
    this.start()
  }

  private start(): void {
    const child = spawn(process.execPath, this.words, { env: { ...process.env, ...this.env } })
    this.child = child
    this.busySince = undefined
    this.dying = false
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => {
        this.said += data
        if (String(data).includes(this.begins)) this.busySince ??= performance.now()
      })
    }
    child.on('exit', () => {
      if (!this.over) this.start()
    })
  }

  signal(name: NodeJS.Signals): void {
    if (name === 'SIGKILL' && !this.dying) {
      this.kills++
      this.dying = true
    }
    this.child?.kill(name)
  }

  /** Milliseconds since this process began its first task; 0 before, and once it was killed. */
  get busyFor(): number {
    return this.busySince === undefined || this.dying ? 0 : performance.now() - this.busySince
  }

  async end(): Promise<void> {
    this.over = true
    const gone = new Promise((resolve) => this.child?.once('exit', resolve))
    this.child?.kill('SIGKILL')
    await gone
  }
}

/** A queue, a store on an S3 server, and workers, which are made for each test of a file. */
export class DisturbedWorld {
  readonly workers: RestartedWorker[] = []
  private servers: { readonly redis: TestServer; readonly s3: S3Server } | undefined
  /** Name of the store, as workers and commands take it. */
  readonly named = 's3://pantin-tests/disturbed'

  constructor() {
    beforeEach(async () => {
      if (missingServers !== '') return
      this.servers = { redis: await startRedis(), s3: await startS3() }
      Object.assign(process.env, this.servers.s3.env)
    })
    afterEach(async () => {
      await Promise.all(this.workers.splice(0).map((worker) => worker.end()))
      await this.servers?.s3.remove()
      await this.servers?.redis.remove()
    })
  }

  /** Address of the queue. */
  get address(): string {
    return `redis://127.0.0.1:${this.servers!.redis.port}`
  }

  openStore = (): Promise<Store> => openStore(this.named)

  /** Starts three workers. @param words arguments of node for each @param begins as for `RestartedWorker` */
  startWorkers(words: (i: number) => readonly string[], begins: string): void {
    for (const i of [0, 1, 2]) this.workers.push(new RestartedWorker(words(i), this.servers!.s3.env, begins))
  }

  /**
   * Disturbs the workers and the servers until work is over.
   *
   * @param busyFor milliseconds that a worker has been at work when it is killed, so that there is something to lose
   * @returns what the work returned, and what was done besides kills
   */
  async disturb<T>(
    work: Promise<T>,
    busyFor: number,
  ): Promise<{ readonly result: T; readonly besides: string[] }> {
    let over = false
    const all = work.finally(() => {
      over = true
    })
    const { workers } = this
    const disturbance = { workers, kills: wantedKills, busyFor, ...this.servers!, isOver: () => over }
    const [result, besides] = await Promise.all([all, disturb(disturbance)])
    return { result, besides }
  }

  /** Names of the objects in the store that begin so. */
  async names(beginning: string): Promise<string[]> {
    const found: string[] = []
    for await (const { key } of (await this.openStore()).list(beginning)) found.push(key)
    return found
  }

  get kills(): number {
    return this.workers.reduce((sum, worker) => sum + worker.kills, 0)
  }

  /** All that the workers have said. */
  get said(): string {
    return this.workers.map((worker) => worker.said).join('')
  }

  /** Expects that no credential is in what workers said, nor in other texts. */
  expectNoSecrets(...texts: readonly string[]): void {
    const { AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret } = this.servers!.s3.env
    for (const text of [this.said, ...texts]) {
      expect(text).not.toContain(key)
      expect(text).not.toContain(secret)
    }
  }
}

/** What is to be disturbed, and how often. */
interface Disturbance {
  readonly workers: readonly RestartedWorker[]
  /** Times that a worker is killed. One of them is paused instead, for longer than its lock holds. */
  readonly kills: number
  readonly busyFor: number
  readonly redis: TestServer
  readonly s3: S3Server
  isOver(): boolean
}

/** Kills random workers. Meanwhile Redis is killed and starts again empty, and the store answers 503 for 30 seconds. */
async function disturb({ workers, kills, busyFor, redis, s3, isOver }: Disturbance): Promise<string[]> {
  const done: string[] = []
  for (let i = 0; i < kills; i++) {
    let busy: RestartedWorker[] = []
    for (; busy.length === 0 && !isOver(); await sleep(50)) {
      busy = workers.filter((worker) => worker.busyFor > busyFor)
    }
    const one = busy[Math.floor(Math.random() * busy.length)]
    if (one === undefined || isOver()) break
    if (i === Math.floor(0.3 * kills)) {
      await redis.kill()
      await sleep(500)
      await redis.start()
      done.push('Redis lost')
    }
    if (i === Math.floor(0.5 * kills)) {
      s3.open = false
      setTimeout(() => {
        s3.open = true
      }, 30_000)
      done.push('store silent')
    }
    if (i === Math.floor(0.7 * kills)) {
      one.signal('SIGSTOP')
      await sleep(6000)
      one.signal('SIGCONT')
      done.push('worker paused')
    } else one.signal('SIGKILL')
  }
  return done
}
