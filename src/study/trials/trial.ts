import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { evaluate } from '../../evaluate/evaluate.ts'
import { makeFolder } from '../../files/make-folder.ts'
import { smallConfig } from '../../motion/config.ts'
import { detectorOptions } from '../../motion/options.ts'
import { isRun } from '../../run/run-config.ts'
import { distil } from '../../train/distil/distil.ts'
import type { TrainEvent } from '../../train/events.ts'
import type { TrainedRun } from '../../train/loop.ts'
import { train } from '../../train/train.ts'
import type { Hooks } from '../../util/child-process.ts'
import { FormatError, InputError, TrainingError } from '../../util/errors.ts'
import { given } from '../../util/options.ts'
import { followed, measuringPart } from '../training-part.ts'
import { measuresOf } from './measures.ts'
import { detectorChoices, type Trial, type TrialSettings } from './plan.ts'
import { type TrialResult, writeResult } from './result.ts'

/** One trial: train a detector, measure it, write down what came of it. */

export interface TrialTask {
  readonly trial: Trial
  readonly settings: TrialSettings
  /** The trial's own folder. */
  readonly folder: string
  /** Where the teacher's results are kept for all. */
  readonly cache: string
  /** Of training on the CPU, within one op (default: one for each core). */
  readonly threads?: number
}

export const runFolder = (folder: string): string => join(folder, 'run')

/**
 * Trains and measures, and writes result.json. What was interrupted goes on from its last checkpoint.
 *
 * @returns undefined where the signal stopped it.
 * @throws what `train`, `distil` and `evaluate` throw, but for failures that are the trial's own: those are results.
 */
export async function runTrial(
  task: TrialTask,
  { signal, onProgress }: Hooks = {},
): Promise<TrialResult | undefined> {
  const { trial, folder } = task
  const began = performance.now()
  const wallSeconds = () => (performance.now() - began) / 1000
  await makeFolder(folder)
  let result: TrialResult
  let run: TrainedRun | undefined
  try {
    run = await trained(task, {
      ...(signal && { signal }),
      onEvent: followed(onProgress),
    })
    if (run.interrupted) return undefined
    const found = await measured(task, run, {
      ...(signal && { signal }),
      onProgress: (part) => onProgress?.(measuringPart(part)),
    })
    const measures = measuresOf(run, found)
    const { device } = run
    result = { status: 'done', trial, measures, frames: found.frames, device, wallSeconds: wallSeconds() }
  } catch (error) {
    if (signal?.aborted) return undefined
    // Once trained, the detector gives numbers that are not finite: nothing else is new to the process by then.
    const ownFault = error instanceof TrainingError || (run !== undefined && error instanceof FormatError)
    if (!ownFault) throw error
    const { what, got } = error.problem
    const reason = got === undefined ? what : `${what}: ${got}`
    result = { status: 'failed', trial, reason, wallSeconds: wallSeconds() }
  }
  await writeResult(folder, result)
  await dropCheckpoint(folder)
  return result
}

/** A trial that has a result never goes on, and optimiser states are three times as large as weights. */
export function dropCheckpoint(folder: string): Promise<void> {
  return rm(join(runFolder(folder), 'last'), { recursive: true, force: true })
}

interface TrainingHooks {
  readonly signal?: AbortSignal
  onEvent(event: TrainEvent): void
}

async function trained(task: TrialTask, hooks: TrainingHooks): Promise<TrainedRun> {
  const { trial, settings, folder, cache, threads } = task
  const { net, method, skip, seed } = trial
  const { clips, teacher, batch, holdout, fit, device, steps, minutes } = settings
  const out = runFolder(folder)
  const options = {
    ...{ out, batch, holdout, fit, device, seed },
    ...(steps !== undefined && { steps }),
    ...(minutes !== undefined && { minutes }),
    ...(threads !== undefined && { threads }),
    ...hooks,
    resume: await isRun(out),
  }
  if (method === 'scratch') {
    return train(clips, { ...options, model: smallConfig({ net, ...detectorChoices(settings, skip) }) })
  }
  return distil(clips, {
    ...options,
    teacher: neededTeacher(teacher),
    cache,
    net,
    ...given(detectorOptions, settings),
    skip,
  })
}

function neededTeacher(teacher: string | undefined): string {
  if (teacher !== undefined) return teacher
  throw new InputError({ what: 'there is no teacher to distil from', remedy: 'name one with --teacher' })
}

function measured(
  { trial, settings }: TrialTask,
  run: TrainedRun,
  { signal, onProgress }: { signal?: AbortSignal; onProgress(part: number): void },
) {
  const { clips, test, holdout, fit, device, teacher } = settings
  return evaluate(run, test.length > 0 ? test : clips, {
    ...{ fit, device, from: test.length > 0 ? 0 : 1 - holdout },
    ...(trial.method === 'distilled' && { teacher: neededTeacher(teacher) }),
    ...(signal && { signal }),
    onProgress: (done, total) => onProgress(done / total),
  })
}
