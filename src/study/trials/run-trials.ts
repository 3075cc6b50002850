// Runs the trials of a plan that have no result yet: each in a child process, one or several at a time.
import { join } from 'node:path'
import type { Hooks } from '../../util/child-process.ts'
import { inLanes, localRunner, type Place, type Runner, threadsFor } from '../../work/task.ts'
import { orphanGone, problemOf } from '../attempt.ts'
import { type Trial, type TrialPlan, trialKey, trialsOf } from './plan.ts'
import {
  dropCheckpoint,
  readTrial,
  runFolder,
  type TrialConfig,
  type TrialResult,
  type TrialTask,
  trialKind,
} from './trial.ts'

/** The state of one trial of a plan. */
export interface TrialState {
  /** The trial. */
  readonly trial: Trial
  /** Undefined if it is yet to be done. */
  readonly result: TrialResult | undefined
  /** Why it ended without a result in this call. The next call tries it again. */
  readonly problem?: string
}

/** How far the trials of a study are. */
export interface TrialsProgress {
  /** Trials that have ended, with a result or without. */
  readonly done: number
  /** Number of trials. */
  readonly total: number
  /** Part of all trials that is done, 0 to 1. */
  readonly progress: number
  /** From the mean time of trials that have a result; undefined before the first. */
  readonly etaSeconds: number | undefined
  /** The trial of the last news. */
  readonly trial: Trial | undefined
}

export interface RunTrialsOptions {
  /**
   * Number of trials at a time (default 1), each on its share of the cores. Small ops leave little work for a second
   * thread, so that two trials of one thread each end sooner than one after the other on two threads.
   */
  readonly jobs?: number
  /** Does the trials (default: `jobs` processes of this machine). */
  readonly runner?: Runner
  readonly signal?: AbortSignal
  onProgress?(event: TrialsProgress): void
  /** For tests: does one trial, as `runTrialApart`. */
  readonly runOne?: (task: TrialTask, hooks: Hooks) => Promise<undefined>
}

/** A trial's own folder. */
export const trialFolder = (folder: string, trial: Trial): string => join(folder, 'trials', trialKey(trial))

/** The states of all trials of a plan, read from disk. */
export function readTrials(folder: string, plan: TrialPlan): Promise<TrialState[]> {
  return Promise.all(
    trialsOf(plan).map(async (trial) => ({ trial, result: await readTrial(trialFolder(folder, trial)) })),
  )
}

/**
 * Does the trials of a plan that have no result yet, each in a process of its own. A trial that ends without a result
 * does not stop the others.
 *
 * @param folder whose lock the caller holds
 * @returns all trials, in the plan's order. If the signal aborted, some have no result.
 * @throws InputError, EnvironmentError where a result cannot be read.
 */
export async function runTrials(
  folder: string,
  plan: TrialPlan,
  { jobs = 1, runner = localRunner(jobs), signal, onProgress, runOne }: RunTrialsOptions = {},
): Promise<TrialState[]> {
  const perform = (config: TrialConfig, place: Place, hooks: Hooks) =>
    runOne === undefined
      ? runner.perform(trialKind, config, place, hooks)
      : runOne({ ...config, ...place }, hooks)
  const states = await readTrials(folder, plan)
  for (const { trial, result } of states) {
    // The process may have been killed between writing the result and this.
    if (result !== undefined) await dropCheckpoint(trialFolder(folder, trial))
  }
  const total = states.length
  const ended = new Set(states.flatMap(({ result }, i) => (result === undefined ? [] : [i])))
  /** Progress of running trials, by their indices. */
  const parts = new Map<number, number>()
  const tell = (trial: Trial | undefined) => {
    const done = ended.size
    const part = [...parts.values()].reduce((sum, one) => sum + one, 0)
    const etaSeconds = remaining(states, total - done - part, runner.width())
    onProgress?.({ done, total, progress: (done + part) / total, etaSeconds, trial })
  }
  const threads = threadsFor(jobs)
  const run = async (i: number): Promise<void> => {
    const { trial } = states[i]!
    const onPart = (part: number) => {
      parts.set(i, part)
      tell(trial)
    }
    onPart(0)
    const own = trialFolder(folder, trial)
    await orphanGone(runFolder(own), signal)
    let problem = 'it ended without a result'
    await perform(
      { trial, settings: plan.settings },
      { folder: own, cache: join(folder, 'teacher'), ...(threads !== undefined && { threads }) },
      { ...(signal && { signal }), onProgress: onPart },
    ).catch((error: unknown) => {
      problem = problemOf(error)
    })
    parts.delete(i)
    const found = await readTrial(own)
    if (found === undefined && signal?.aborted) return
    states[i] = found === undefined ? { trial, result: undefined, problem } : { trial, result: found }
    ended.add(i)
  }
  const waiting = states.flatMap(({ result }, i) => (result === undefined ? [i] : []))
  const labelling = waiting.findIndex((i) => states[i]!.trial.method === 'distilled')
  if (labelling >= 0 && runner.shares && runner.lanes > 1 && !signal?.aborted) {
    // It runs alone: the teacher labels the frames in it, and the other trials find the labels.
    const [first] = waiting.splice(labelling, 1)
    await run(first!)
  }
  await inLanes(waiting, runner.lanes, run, signal)
  tell(undefined)
  return states
}

function remaining(states: readonly TrialState[], left: number, jobs: number): number | undefined {
  const times = states.flatMap(({ result }) => (result?.status === 'done' ? [result.wallSeconds] : []))
  if (times.length === 0) return undefined
  return (left * times.reduce((sum, time) => sum + time, 0)) / times.length / jobs
}
