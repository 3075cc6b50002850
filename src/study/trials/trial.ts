// One trial: a detector is trained and measured in a child process, whose main file this is, and its result is kept.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { evaluate } from '../../evaluate/evaluate.ts'
import { measuresOf } from '../../evaluate/measures.ts'
import { smallConfig } from '../../motion/config.ts'
import { detectorOptions } from '../../motion/options.ts'
import { checkpointFile } from '../../run/run-files.ts'
import { distil, type TrainedRun, train } from '../../train/train.ts'
import type { Hooks } from '../../util/child-process.ts'
import { InputError } from '../../util/errors.ts'
import { given } from '../../util/options.ts'
import { measuredOn } from '../../work/plan-folder.ts'
import { childWork, type Kind, type Place, pathAt } from '../../work/task.ts'
import { outcomeSchema, readResult, type TrainingHooks, trainAndMeasure, writeResult } from '../attempt.ts'
import { detectorChoices, settingsSchema, type TrialSettings, trialSchema, trialShape } from './plan.ts'

const resultSchema = outcomeSchema(
  {
    /** The trial. */
    trial: z.object(trialShape),
  },
  {
    /** By the names of measures; a measure that was not taken is missing. */
    measures: z.record(z.string(), z.number()),
  },
)
/** The content of result.json: how a trial ended. A trial without one is yet to be done. */
export type TrialResult = z.infer<typeof resultSchema>

const configSchema = z.object({ trial: trialSchema, settings: settingsSchema })
export type TrialConfig = z.infer<typeof configSchema>

/** A trial at the place where it is done. Its cache has the teacher's results, which all trials share. */
export type TrialTask = TrialConfig & Place

/** The file of a trial's result, in its folder. */
export const resultFile = 'result.json'
const resultPath = (folder: string) => join(folder, resultFile)

/** The run of a trial. @param folder the trial's own */
export const runFolder = (folder: string): string => join(folder, 'run')

/** The result of a trial, if it has one. @param folder the trial's own */
export const readTrial = (folder: string): Promise<TrialResult | undefined> =>
  readResult(resultPath(folder), resultSchema)

export const writeTrial = (folder: string, result: TrialResult): Promise<void> =>
  writeResult(resultPath(folder), result)

/** Does a trial in a new process, which leaves a result in the trial's folder, or none if it was stopped. */
export const runTrialApart = childWork(import.meta.url, (task: TrialTask, hooks) => runTrial(task, hooks))

/** Trials as tasks. */
export const trialKind: Kind<TrialConfig> = {
  name: 'trial',
  schema: configSchema,
  inputs: ({ settings: { clips, test, teacher } }) => [
    ...clips,
    ...test,
    ...(teacher === undefined ? [] : [teacher]),
  ],
  result: () => resultFile,
  checkpoint: () => `run/${checkpointFile}`,
  leave: () => [`run/${checkpointFile}`],
  perform: runTrialApart,
}

/**
 * Trains and measures in this process, and writes result.json. An interrupted trial goes on from its last checkpoint.
 *
 * @returns undefined if the signal stopped it.
 * @throws what `train`, `distil` and `evaluate` throw, except failures that are the trial's own: these are results.
 */
export async function runTrial(task: TrialTask, hooks: Hooks = {}): Promise<TrialResult | undefined> {
  const { trial, folder } = task
  const outcome = await trainAndMeasure(
    {
      run: runFolder(folder),
      checkpointSeconds: task.checkpointSeconds,
      train: (training) => trainOne(task, training),
      measure: (run, measuring) => measureOne(task, run, measuring),
    },
    hooks,
  )
  if (outcome === undefined) return undefined
  const result = { trial, ...outcome }
  await writeTrial(folder, result)
  await dropCheckpoint(folder)
  return result
}

/** A trial that has a result is never resumed, and optimiser states are three times as large as weights. */
export function dropCheckpoint(folder: string): Promise<void> {
  return rm(join(runFolder(folder), 'last'), { recursive: true, force: true })
}

function trainOne(task: TrialTask, hooks: TrainingHooks): Promise<TrainedRun> {
  const { trial, cache, threads } = task
  const settings = settingsAt(task)
  const { net, method, skip, seed } = trial
  const { clips, teacher, batch, holdout, fit, device, steps, minutes } = settings
  const options = {
    // All trials, and those of older studies, see the same frames.
    ...{ batch, holdout, fit, crop: 'motion', device, seed },
    ...(steps !== undefined && { steps }),
    ...(minutes !== undefined && { minutes }),
    // The result of a trial does not depend on the number of cores.
    ...{ replicas: 1, ...(threads !== undefined && { threads }) },
    ...hooks,
  }
  if (method === 'scratch') {
    return train(clips, { ...options, model: smallConfig({ net, ...detectorChoices(settings, skip) }) })
  }
  const detector = { net, ...given(detectorOptions, settings), skip }
  return distil(clips, { ...options, teacher: needed(teacher), cache, ...detector })
}

/** The settings of a trial, with the paths that its inputs have here. */
const settingsAt = ({ settings, ...place }: TrialTask): TrialSettings => ({
  ...settings,
  clips: settings.clips.map((clip) => pathAt(place, clip)),
  test: settings.test.map((clip) => pathAt(place, clip)),
  teacher: pathAt(place, settings.teacher),
})

function needed(teacher: string | undefined): string {
  if (teacher !== undefined) return teacher
  throw new InputError({ what: 'there is no teacher to distil from', remedy: 'name one with --teacher' })
}

async function measureOne(
  task: TrialTask,
  run: TrainedRun,
  { signal, onProgress }: Hooks,
): Promise<{ measures: Record<string, number>; frames: number }> {
  const { trial } = task
  const settings = settingsAt(task)
  const { fit, device, teacher } = settings
  const { clips, from } = measuredOn(settings)
  const found = await evaluate(run, clips, {
    ...{ fit, device, from },
    ...(trial.method === 'distilled' && { teacher: needed(teacher) }),
    ...(signal && { signal }),
    onProgress: (done, total) => onProgress?.(done / total),
  })
  const { steps, seconds } = run
  return { measures: { ...measuresOf(found), steps, seconds }, frames: found.frames }
}
