import { isRun } from '../../run/run-config.ts'
import { distil } from '../../train/distil/distil.ts'
import type { Hooks } from '../../util/child-process.ts'
import { FormatError, TrainingError } from '../../util/errors.ts'
import type { Design } from '../../zoo/design.ts'
import { followed, measuringPart } from '../training-part.ts'
import { type RungResult, rungRun, writeRung } from './candidate.ts'
import { measureDistance } from './measure-distance.ts'
import type { SearchPlan } from './plan.ts'

/** One candidate on one rung: train, measure, write down what came of it. */

export interface RungTask {
  readonly plan: SearchPlan
  readonly design: Design
  readonly rung: number
  readonly steps: number
  /** The candidate's own folder. */
  readonly folder: string
  /** Where the teacher's labels are kept for all. */
  readonly cache: string
}

/**
 * Trains with the rung's budget from the beginning, for the learning rate falls over the whole of it, and writes
 * rung-N.json. What was interrupted goes on from its last checkpoint.
 *
 * @returns undefined where the signal stopped it.
 * @throws what `distil` and `evaluate` throw, but for failures that are the candidate's own: those are results.
 */
export async function tryRung(task: RungTask, hooks: Hooks = {}): Promise<RungResult | undefined> {
  const { plan, design, rung, steps, folder, cache } = task
  const { signal, onProgress } = hooks
  const began = performance.now()
  const wallSeconds = () => (performance.now() - began) / 1000
  const out = rungRun(folder, rung)
  const { teacher, losses, batch, holdout, fit, device, threads, seed } = plan
  let result: RungResult
  let isTrained = false
  try {
    const run = await distil(plan.clips, {
      ...{ out, teacher, losses, batch, holdout, fit, device, threads, seed, steps, cache },
      ...{ net: 'ficelle', design },
      resume: await isRun(out),
      ...(signal && { signal }),
      onEvent: followed(onProgress),
    })
    if (run.interrupted) return undefined
    isTrained = true
    const { distance, jacobian, frames } = await measureDistance(out, plan, {
      ...(signal && { signal }),
      onProgress: (part) => onProgress?.(measuringPart(part)),
    })
    result = {
      ...{ status: 'done', steps, distance, frames, device: run.device, wallSeconds: wallSeconds() },
      ...(jacobian !== undefined && { jacobian }),
    }
  } catch (error) {
    if (signal?.aborted) return undefined
    // Once trained, the detector gives numbers that are not finite: nothing else is new by then.
    const ownFault = error instanceof TrainingError || (isTrained && error instanceof FormatError)
    if (!ownFault) throw error
    const { what, got } = error.problem
    const reason = got === undefined ? what : `${what}: ${got}`
    result = { status: 'failed', steps, reason, wallSeconds: wallSeconds() }
  }
  await writeRung(folder, rung, result)
  return result
}
