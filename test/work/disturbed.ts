// Workers that are killed and paused while they work, and servers that are lost meanwhile.
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { S3Server, TestServer } from '../support/servers.ts'

/** A worker that is started again whenever it ends. */
export class RestartedWorker {
  private child: ChildProcess | undefined
  private over = false
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
    if (name === 'SIGKILL') this.kills++
    this.child?.kill(name)
  }

  /** Milliseconds since this process began its first task; 0 before. */
  get busyFor(): number {
    return this.busySince === undefined ? 0 : performance.now() - this.busySince
  }

  async end(): Promise<void> {
    this.over = true
    const gone = new Promise((resolve) => this.child?.once('exit', resolve))
    this.child?.kill('SIGKILL')
    await gone
  }
}

/** What is to be disturbed, and how often. */
export interface Disturbance {
  readonly workers: readonly RestartedWorker[]
  /** Times that a worker is killed. One of them is paused instead, for longer than its lock holds. */
  readonly kills: number
  /** Milliseconds that a worker has been at work when it is killed, so that there is something to lose. */
  readonly busyFor: number
  readonly redis: TestServer
  readonly s3: S3Server
  isOver(): boolean
}

/**
 * Kills random workers. Meanwhile Redis is killed and starts again empty, and the store answers 503 for 30 seconds.
 *
 * @returns what was done besides kills
 */
export async function disturb({
  workers,
  kills,
  busyFor,
  redis,
  s3,
  isOver,
}: Disturbance): Promise<string[]> {
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
