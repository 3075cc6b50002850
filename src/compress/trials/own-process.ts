import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { messageOf, PantinError } from '../../util/errors.ts'
import { lastLine } from '../../util/last-line.ts'
import type { TrialOptions, TrialTask } from './trial.ts'

/**
 * A trial in a process of its own: its memory goes with it, and what ends it ends no other. This file is what the
 * process runs.
 */

const here = fileURLToPath(import.meta.url)

/** What the child says: how far it is, and at the end what was wrong. */
type Message = { readonly part: number } | { readonly problem: string }

/**
 * Does a trial in a new process, which leaves a result in the trial's folder, or none where it was stopped.
 *
 * @returns what was wrong, where it ended without a result of its own.
 */
export function inOwnProcess(
  task: TrialTask,
  { signal, onProgress }: TrialOptions,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = fork(here, [JSON.stringify(task)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
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

async function work(task: TrialTask): Promise<void> {
  const controller = new AbortController()
  // The parent's word counts; without a parent there is nobody to work for.
  process.on('SIGINT', () => {})
  process.on('message', () => controller.abort())
  process.on('disconnect', () => process.exit(1))
  const say = (message: Message) =>
    new Promise<void>((resolve) => {
      process.send?.(message, () => resolve())
    })
  const { runTrial } = await import('./trial.ts')
  let saidAt = 0
  try {
    await runTrial(task, {
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

if (process.argv[1] === here) {
  // Work in native threads does not keep Node's event loop alive; the channel to the parent does.
  await work(JSON.parse(process.argv[2]!) as TrialTask)
}
