import { fileURLToPath } from 'node:url'
import { type Hooks, inChild, serveParent } from '../../util/child.ts'
import { type CostTask, measureCostOf } from './measure-cost.ts'
import { type RungTask, tryRung } from './try-rung.ts'

/** What a search does of a candidate: each task in a process of its own, which this file is. */

export type SearchTask = ({ readonly kind: 'cost' } & CostTask) | ({ readonly kind: 'rung' } & RungTask)

const here = fileURLToPath(import.meta.url)

/**
 * Does a task in a new process, which leaves its result in the candidate's folder, or none where it was stopped.
 *
 * @returns what was wrong, where it failed.
 */
export const doTask = (task: SearchTask, hooks: Hooks): Promise<string | undefined> =>
  inChild(here, task, hooks)

if (process.argv[1] === here) {
  await serveParent((given, hooks) => {
    const task = given as SearchTask
    return task.kind === 'cost' ? measureCostOf(task, hooks) : tryRung(task, hooks)
  })
}
