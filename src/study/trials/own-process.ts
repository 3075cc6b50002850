// One trial in a child process, whose main file this is.
import { threadsVariable } from '../../runtime/node.ts'
import { childTask } from '../../util/child-process.ts'
import type { TrialTask } from './trial.ts'

/** Does a trial in a new process, which leaves a result in the trial's folder, or none where it was stopped. */
export const inOwnProcess = childTask(import.meta.url, async (task: TrialTask, hooks): Promise<undefined> => {
  // What else opens sessions in here, such as the teacher, keeps to the trial's part of the cores too.
  if (task.threads !== undefined) process.env[threadsVariable] = String(task.threads)
  // Only the child trains.
  const { runTrial } = await import('./trial.ts')
  await runTrial(task, hooks)
})
