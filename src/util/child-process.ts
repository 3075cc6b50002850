// Work in other processes and threads. A child process has its own memory, and what ends it ends no other work: a task goes in as
// a message, its result comes back as one, and the parent stops the child through the same channel. A thread obeys orders.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parentPort, Worker } from 'node:worker_threads'
import {
  EnvironmentError,
  isPantinError,
  messageOf,
  receivedError,
  type SentError,
  sentError,
} from './errors.ts'

/** How the caller of long work follows it and stops it, in any process. */
export interface Hooks {
  readonly signal?: AbortSignal
  /** Part of the work that is done, 0 to 1. */
  onProgress?(part: number): void
}

export interface ChildHooks extends Hooks {
  /**
   * What an abort does: `ask` tells the child, which saves and ends by itself (default); `kill` ends it at once, for
   * work that saves nothing.
   */
  readonly onAbort?: 'ask' | 'kill'
}

/** Work that can be done in a child process. */
export type ChildTask<Task extends object, Result> = (task: Task, hooks?: ChildHooks) => Promise<Result>

/** Messages of the parent: the task first, later perhaps the order to stop. */
type Order = { readonly task: object } | 'stop'

/** Messages of the child: its progress, and at the end either a result or an error. */
type Report = { readonly part: number } | { readonly result: unknown } | { readonly error: SentError }

/**
 * Makes a task of the calling module: in the parent, a function that does the work in a new process; in that process,
 * whose main file the same module is, the work itself.
 *
 * @param url `import.meta.url` of the calling module, which must export the returned function at its top level
 * @param work the work; its task and its result are values that structuredClone takes
 * @returns a function that rejects with an error of the class that the work threw, with EnvironmentError where the
 * process ended early, and with the signal's reason where the work ended because of the signal.
 */
export function childTask<Task extends object, Result = undefined>(
  url: string,
  work: (task: Task, hooks: Hooks) => Promise<Result>,
): ChildTask<Task, Result> {
  const file = fileURLToPath(url)
  if (process.argv[1] === file && process.send !== undefined) serveParent(work)
  return (task, hooks = {}) => runInChild<Result>(file, task, hooks)
}

function runInChild<Result>(
  file: string,
  task: object,
  { signal, onProgress, onAbort = 'ask' }: ChildHooks,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = fork(file, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], serialization: 'advanced' })
    // If the child has ended already, its end is reported below.
    const order = (what: Order) => child.connected && child.send(what, () => {})
    // The task is no argument of the process: a task with a thousand videos is longer than arguments may be.
    order({ task })
    // A terminal sends Ctrl-C to the child too, which ignores it: this message is what stops the child.
    const stop = () => (onAbort === 'kill' ? child.kill('SIGKILL') : order('stop'))
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
    let stderr = ''
    let end: Exclude<Report, { readonly part: number }> | undefined
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-2000)
    })
    child.on('message', (report: Report) => {
      if ('part' in report) onProgress?.(report.part)
      else end = report
    })
    const settle = (failure: string) => {
      signal?.removeEventListener('abort', stop)
      if (end !== undefined && 'result' in end) resolve(end.result as Result)
      else if (signal?.aborted && end?.error.kind === undefined) reject(signal.reason)
      else if (end !== undefined) reject(receivedError(end.error))
      else reject(new EnvironmentError({ what: failure }))
    }
    child.once('error', (error) => settle(error.message))
    child.once('close', (code, by) => settle(`its process ended with ${by ?? code}${lastLine(stderr)}`))
  })
}

/** The child's side: does the task that the parent sends, and ends the process. */
function serveParent<Task extends object, Result>(work: (task: Task, hooks: Hooks) => Promise<Result>): void {
  const controller = new AbortController()
  // Both go to all processes of a terminal. The parent stops this one.
  for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => {})
  endWithParent()
  // Without its parent the work is of no use. The open channel also keeps the event loop alive, which work in native
  // threads does not.
  process.on('disconnect', () => process.exit(1))
  const tell = (report: Report) =>
    new Promise<void>((resolve) => {
      process.send?.(report, () => resolve())
    })
  let toldAt = 0
  const hooks: Hooks = {
    signal: controller.signal,
    onProgress(part) {
      if (performance.now() - toldAt < 200) return
      toldAt = performance.now()
      void tell({ part })
    },
  }
  const perform = async (task: Task): Promise<void> => {
    try {
      await tell({ result: await work(task, hooks) })
      process.exit(0)
    } catch (error) {
      await tell({ error: sentError(error) })
      process.exit(1)
    }
  }
  process.on('message', (order: Order) => {
    if (order === 'stop') controller.abort()
    else void perform(order.task as Task)
  })
}

/** Milliseconds between two looks at the parent, and before a process that is still there is ended. */
const watchInterval = 200
const graceTime = 300

/**
 * Ends this process soon after its parent was killed, also while work in this thread or in native code lets no event
 * through. Systems give an orphan another parent, which a thread of its own sees. Windows does not.
 */
function endWithParent(): void {
  if (process.platform === 'win32') return
  const watch = `
    const { ppid } = process
    const timer = setInterval(() => {
      if (process.ppid === ppid) return
      clearInterval(timer)
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${graceTime})
    }, ${watchInterval})`
  new Worker(watch, { eval: true, stdout: false, stderr: false }).unref()
}

/**
 * The line of what a process wrote that tells why it ended, as `: text`; empty if it wrote nothing. It is the last line
 * that names an error, as Python and Node print one, or else the last line.
 */
export function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^Node\.js v|^\s+at /.test(line))
  const line = lines.findLast((one) => /^[\w.]*(Error|Exception)( \[\w+\])?: /.test(one)) ?? lines.at(-1)
  return line === undefined ? '' : `: ${line.trim()}`
}

/** What a thread is told. */
type ThreadOrder<Order> = { readonly order: Order } | 'end'

/** What a thread says: that it is ready, and the answer to each order. */
type ThreadAnswer<Answer> = { readonly answer: Answer } | { readonly error: SentError }

/** How an `OrderedThread` is started. */
export interface ThreadOptions {
  /** What the thread is, for the message if it ends early. */
  readonly what: string
  /** Variables of the thread's environment besides those of the process. */
  readonly env?: Readonly<Record<string, string>>
}

/**
 * A thread that obeys one order after the other, and answers each. Its module calls `obeyOrders`.
 *
 * @typeParam Order a value that structuredClone takes, and so is `Answer`
 */
export class OrderedThread<Order, Answer> {
  private readonly worker: Worker
  private waiting: { resolve(answer: Answer): void; reject(error: unknown): void } | undefined
  private failure: unknown
  private readonly ended: Promise<void>
  /** The answer that the thread is ready. */
  readonly ready: Promise<Answer>

  /**
   * @param module address of the thread's module
   * @param start the thread's `workerData`
   */
  constructor(module: string, start: object, { what, env }: ThreadOptions) {
    const surroundings = env && { env: { ...process.env, ...env } }
    this.worker = new Worker(new URL(module), { workerData: start, ...surroundings })
    this.worker.on('message', (said: ThreadAnswer<Answer>) => {
      if ('error' in said) this.fail(receivedError(said.error))
      else this.waiting?.resolve(said.answer)
    })
    this.worker.on('error', (error) => this.fail(error))
    this.ended = new Promise((resolve) => {
      this.worker.on('exit', (code) => {
        this.fail(new EnvironmentError({ what: `${what} ended`, got: `exit code ${code}` }))
        resolve()
      })
    })
    this.ready = this.answer()
  }

  /** Gives an order. The thread must have answered the one before. */
  obey(order: Order): Promise<Answer> {
    const answer = this.answer()
    const told: ThreadOrder<Order> = { order }
    this.worker.postMessage(told)
    return answer
  }

  /** Waits for what is being computed: to terminate a thread in which ONNX Runtime computes aborts the process. */
  async close(): Promise<void> {
    const end: ThreadOrder<Order> = 'end'
    this.worker.postMessage(end)
    await this.ended
  }

  private answer(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject }
      if (this.failure !== undefined) reject(this.failure)
    })
  }

  private fail(error: unknown): void {
    this.failure ??= error
    this.waiting?.reject(this.failure)
  }
}

/** What a thread does with its orders. */
export interface Obedience<Order, Answer> {
  /** Prepares the thread. Its answer says that the thread is ready. */
  begin(): Answer | Promise<Answer>
  obey(order: Order): Answer | Promise<Answer>
  /** Frees what the thread has. */
  end(): Promise<void>
}

/** The side of the thread: obeys until it is told to end. */
export function obeyOrders<Order, Answer>({ begin, obey, end }: Obedience<Order, Answer>): void {
  const say = (text: ThreadAnswer<Answer>) => parentPort!.postMessage(text)
  const answer = async (work: () => Answer | Promise<Answer>) => {
    try {
      say({ answer: await work() })
    } catch (error) {
      say({
        error: sentError(isPantinError(error) ? error : new EnvironmentError({ what: messageOf(error) })),
      })
    }
  }
  let last = answer(begin)
  parentPort!.on('message', (told: ThreadOrder<Order>) => {
    last = last.then(async () => {
      if (told !== 'end') return answer(() => obey(told.order))
      await end()
      parentPort!.close()
    })
  })
}
