import { fork } from 'node:child_process'
import { messageOf, PantinError } from './errors.ts'
import { lastLine } from './last-line.ts'

/** Work in a process of its own: its memory goes with it, and what ends it ends no other. */

export interface Hooks {
  readonly signal?: AbortSignal
  /** Part of the work that is done, 0 to 1. */
  onProgress?(part: number): void
}

/** What the child says: how far it is, and at the end what was wrong. */
type Message = { readonly part: number } | { readonly problem: string }

/** What the parent says: first what is to be done, later that it is to stop. */
type Order = { readonly task: object } | 'stop'

/**
 * Does a task in a new process, which leaves its result on disk.
 *
 * @param file a module that calls `serveParent`
 * @param task plain JSON
 * @returns what was wrong, where it failed.
 */
export function inChild(
  file: string,
  task: object,
  { signal, onProgress }: Hooks,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = fork(file, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    // One that ended already says so itself.
    const order = (what: Order) => child.connected && child.send(what, () => {})
    // Not among its arguments: a task with a thousand videos is longer than those may be.
    order({ task })
    // It saves first. A terminal's Ctrl-C reaches it too, and means nothing to it.
    const stop = () => order('stop')
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
    let [stderr, problem] = ['', '']
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-2000)
    })
    child.on('message', (message: Message) => {
      if ('part' in message) onProgress?.(message.part)
      else problem = message.problem
    })
    const end = (found: string | undefined) => {
      signal?.removeEventListener('abort', stop)
      resolve(found)
    }
    child.once('error', (error) => end(error.message))
    child.once('close', (code, by) => {
      if (code === 0) end(undefined)
      else end(problem || `its process ended with ${by ?? code}${lastLine(stderr)}`)
    })
  })
}

/** The child's side: does the task that it is given, and ends the process. */
export async function serveParent(work: (task: unknown, hooks: Hooks) => Promise<unknown>): Promise<never> {
  const controller = new AbortController()
  // The parent's word counts; without a parent there is nobody to work for.
  process.on('SIGINT', () => {})
  // The channel to the parent keeps the event loop alive, which work in native threads does not.
  const task = new Promise<unknown>((resolve) => {
    process.on('message', (order: Order) => {
      if (order === 'stop') controller.abort()
      else resolve(order.task)
    })
  })
  process.on('disconnect', () => process.exit(1))
  const say = (message: Message) =>
    new Promise<void>((resolve) => {
      process.send?.(message, () => resolve())
    })
  let saidAt = 0
  try {
    await work(await task, {
      signal: controller.signal,
      onProgress(part) {
        if (performance.now() - saidAt < 200) return
        saidAt = performance.now()
        void say({ part })
      },
    })
    process.exit(0)
  } catch (error) {
    const known = error instanceof PantinError
    await say({ problem: known ? error.message : `a bug in pantin: ${messageOf(error)}` })
    if (!known) process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
    process.exit(1)
  }
}
