import { fork } from 'node:child_process'
import { messageOf, PantinError } from '../util/errors.ts'
import { lastLine } from '../util/last-line.ts'

/** Work in a process of its own: its memory goes with it, and what ends it ends no other. */

export interface Hooks {
  readonly signal?: AbortSignal
  /** Part of the work that is done, 0 to 1. */
  onProgress?(part: number): void
}

/** What the child says: how far it is, and at the end what was wrong. */
type Message = { readonly part: number } | { readonly problem: string }

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
    const child = fork(file, [JSON.stringify(task)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    // It saves first. A terminal's Ctrl-C reaches it too, and means nothing to it.
    const stop = () => child.connected && child.send('stop')
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

/** The child's side: does the task that it was started for, and ends the process. */
export async function serveParent(work: (task: unknown, hooks: Hooks) => Promise<unknown>): Promise<never> {
  const controller = new AbortController()
  // The parent's word counts; without a parent there is nobody to work for.
  process.on('SIGINT', () => {})
  // The channel to the parent keeps the event loop alive, which work in native threads does not.
  process.on('message', () => controller.abort())
  process.on('disconnect', () => process.exit(1))
  const say = (message: Message) =>
    new Promise<void>((resolve) => {
      process.send?.(message, () => resolve())
    })
  let saidAt = 0
  try {
    await work(JSON.parse(process.argv[2]!), {
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
