import { fileURLToPath } from 'node:url'
import { threadsVariable } from '../../runtime/node.ts'
import { type Hooks, inChild, serveParent } from '../../util/child.ts'
import type { TrialTask } from './trial.ts'

/** A trial in a process of its own, which this file is. */

const here = fileURLToPath(import.meta.url)

/**
 * Does a trial in a new process, which leaves a result in the trial's folder, or none where it was stopped.
 *
 * @returns what was wrong, where it ended without a result of its own.
 */
export const inOwnProcess = (task: TrialTask, hooks: Hooks): Promise<string | undefined> =>
  inChild(here, task, hooks)

if (process.argv[1] === here) {
  await serveParent(async (task, hooks) => {
    // What else opens sessions in here, such as the teacher, keeps to the trial's part of the cores too.
    const { threads } = task as TrialTask
    if (threads !== undefined) process.env[threadsVariable] = String(threads)
    // Only the child trains.
    const { runTrial } = await import('./trial.ts')
    return runTrial(task as TrialTask, hooks)
  })
}
