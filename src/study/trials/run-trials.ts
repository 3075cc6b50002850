import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isLocked } from '../../files/lock.ts'
import type { Hooks } from '../../util/child-process.ts'
import { messageOf } from '../../util/errors.ts'
import { inOwnProcess } from './own-process.ts'
import { type Trial, type TrialPlan, trialKey, trialsOf } from './plan.ts'
import { readResult, type TrialResult } from './result.ts'
import { dropCheckpoint, runFolder, type TrialTask } from './trial.ts'

/** Where one of a plan's trials stands. */
export interface TrialState {
  readonly trial: Trial
  /** Undefined where it is yet to be done. */
  readonly result: TrialResult | undefined
  /** Why it ended without a result, in this call: it is tried again in the next. */
  readonly problem?: string
}

export interface TrialsProgress {
  /** Trials that have ended, with a result or without. */
  readonly done: number
  readonly total: number
  /** Part of all that is done, 0 to 1. */
  readonly progress: number
  /** By the mean time of trials that have a result; undefined before the first. */
  readonly etaSeconds: number | undefined
  /** The trial that was heard of last. */
  readonly trial: Trial | undefined
}

export interface RunTrialsOptions {
  /**
   * Trials at once (default 1), each on its share of the cores: small ops leave a second thread little to do, so that
   * two trials of one thread end sooner than one after the other on two.
   */
  readonly jobs?: number
  readonly signal?: AbortSignal
  onProgress?(event: TrialsProgress): void
  /** For tests: does one trial, as `inOwnProcess`. */
  readonly runOne?: (task: TrialTask, hooks: Hooks) => Promise<undefined>
}

/** A trial's own folder. */
export const trialFolder = (folder: string, trial: Trial): string => join(folder, 'trials', trialKey(trial))

/** Where all trials of a plan stand, by what is on disk. */
export function readTrials(folder: string, plan: TrialPlan): Promise<TrialState[]> {
  return Promise.all(
    trialsOf(plan).map(async (trial) => ({ trial, result: await readResult(trialFolder(folder, trial)) })),
  )
}

/**
 * Does the trials of a plan that have no result yet, each in a process of its own. One that ends without a result stops
 * no other.
 *
 * @param folder whose lock the caller holds
 * @returns all trials, in the plan's order; where the signal aborted, some without a result.
 * @throws InputError, EnvironmentError where a result cannot be read.
 */
export async function runTrials(
  folder: string,
  plan: TrialPlan,
  { jobs = 1, signal, onProgress, runOne = inOwnProcess }: RunTrialsOptions = {},
): Promise<TrialState[]> {
  const states = await readTrials(folder, plan)
  for (const { trial, result } of states) {
    // A kill may have come between the two.
    if (result !== undefined) await dropCheckpoint(trialFolder(folder, trial))
  }
  const total = states.length
  const ended = new Set(states.flatMap(({ result }, i) => (result === undefined ? [] : [i])))
  /** Parts of those that run, by their numbers. */
  const parts = new Map<number, number>()
  const tell = (trial: Trial | undefined) => {
    const done = ended.size
    const part = [...parts.values()].reduce((sum, one) => sum + one, 0)
    const etaSeconds = remaining(states, total - done - part, jobs)
    onProgress?.({ done, total, progress: (done + part) / total, etaSeconds, trial })
  }
  const threads = jobs === 1 ? undefined : Math.max(1, Math.floor(availableParallelism() / jobs))
  const run = async (i: number): Promise<void> => {
    const { trial } = states[i]!
    const hear = (part: number) => {
      parts.set(i, part)
      tell(trial)
    }
    hear(0)
    const own = trialFolder(folder, trial)
    await orphanGone(own, signal)
    let problem = 'it ended without a result'
    await runOne(
      {
        ...{ trial, settings: plan.settings, folder: own, cache: join(folder, 'teacher') },
        ...(threads !== undefined && { threads }),
      },
      { ...(signal && { signal }), onProgress: hear },
    ).catch((error: unknown) => {
      problem = messageOf(error)
    })
    parts.delete(i)
    const found = await readResult(own)
    if (found === undefined && signal?.aborted) return
    states[i] = found === undefined ? { trial, result: undefined, problem } : { trial, result: found }
    ended.add(i)
  }
  const waiting = states.flatMap(({ result }, i) => (result === undefined ? [i] : []))
  const worker = async (): Promise<void> => {
    for (let i = waiting.shift(); i !== undefined && !signal?.aborted; i = waiting.shift()) {
      await run(i).catch((error: unknown) => {
        waiting.length = 0
        throw error
      })
    }
  }
  const labelling = waiting.findIndex((i) => states[i]!.trial.method === 'distilled')
  if (labelling >= 0 && jobs > 1 && !signal?.aborted) {
    // It goes alone: it has the teacher label the pictures, and the others find the labels.
    const [first] = waiting.splice(labelling, 1)
    await run(first!)
  }
  const workers = await Promise.allSettled(Array.from({ length: jobs }, worker))
  const failed = workers.find((end) => end.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  tell(undefined)
  return states
}

/** Milliseconds. It ends as soon as it is done with what it computes. */
const orphanTime = 60_000

/** Waits for a trial's process whose parent was killed: it is about to notice. */
async function orphanGone(folder: string, signal: AbortSignal | undefined): Promise<void> {
  const began = performance.now()
  while (isLocked(join(runFolder(folder), 'lock')) && !signal?.aborted) {
    if (performance.now() - began > orphanTime) return
    await sleep(100)
  }
}

function remaining(states: readonly TrialState[], left: number, jobs: number): number | undefined {
  const times = states.flatMap(({ result }) => (result?.status === 'done' ? [result.wallSeconds] : []))
  if (times.length === 0) return undefined
  return (left * times.reduce((sum, time) => sum + time, 0)) / times.length / jobs
}
