import { childTask } from '../../util/child-process.ts'
import { type CostTask, measureCostOf } from './measure-cost.ts'
import { type RungTask, tryRung } from './try-rung.ts'

/** What a search does of a candidate: each task in a process of its own, which this file is. */

export type SearchTask = ({ readonly kind: 'cost' } & CostTask) | ({ readonly kind: 'rung' } & RungTask)

/** Does a task in a new process, which leaves its result in the candidate's folder, or none where it was stopped. */
export const doTask = childTask(import.meta.url, async (task: SearchTask, hooks): Promise<undefined> => {
  await (task.kind === 'cost' ? measureCostOf(task, hooks) : tryRung(task, hooks))
})
