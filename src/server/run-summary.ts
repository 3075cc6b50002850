// How far a run is, from its configuration, the last lines of its metrics, and its lock. How far a study or a search
// is, from its plan and the results of its trainings.
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { fileError } from '../files/file-errors.ts'
import { isLocked } from '../files/lock.ts'
import { readConfig } from '../run/config-file.ts'
import { type MetricsRecord, readLastMetrics } from '../run/metrics-file.ts'
import { metricsFile, weightsFile } from '../run/run-files.ts'
import type { TrialPlan } from '../study/trials/plan.ts'
import type { TrialState } from '../study/trials/run-trials.ts'
import { PantinError } from '../util/errors.ts'
import type { RunSummary, SearchSummary, StudyErrors, StudySummary } from '../web/studio-api.ts'

/** The files that make a folder a study's or a search's. */
export const [studyPlanFile, searchPlanFile] = ['plan.json', 'search.json'] as const

/** The parts of config.json that the list shows, of every way of training. */
const schema = z.looseObject({
  model: z.looseObject({ net: z.string(), size: z.number(), keypoints: z.number() }).optional(),
  network: z.looseObject({ net: z.string() }).optional(),
  training: z.looseObject({ steps: z.number().optional(), minutes: z.number().optional() }).optional(),
  distillation: z.looseObject({}).optional(),
  compression: z.looseObject({}).optional(),
})
type Config = z.infer<typeof schema>

/** Whether a process works in a folder. @throws InputError, EnvironmentError if its lock cannot be read. */
function isHeld(folder: string): boolean {
  const lock = join(folder, 'lock')
  try {
    return isLocked(lock)
  } catch (error) {
    throw fileError(error, lock, 'read')
  }
}

/** How far the run in a folder is. If the folder's content cannot be read, the state is `broken`: it never throws. */
export async function summarise(id: string, folder: string): Promise<RunSummary> {
  const name = basename(folder)
  try {
    const { config } = await readConfig(folder, schema)
    const { records, modified } = await readLastMetrics(join(folder, metricsFile))
    return {
      ...{ id, name },
      ...describeConfig(config),
      ...progressOf(config, records, isHeld(folder)),
      hasWeights: await isFile(join(folder, weightsFile)),
      ...(modified && { updated: modified.toISOString() }),
    }
  } catch (error) {
    if (!(error instanceof PantinError)) throw error
    const { problem } = error
    return { id, name, state: 'broken', problem, step: 0, elapsed: 0, progress: 0, hasWeights: false }
  }
}

/** How far the study in a folder is; undefined if there is none. If its plan cannot be read, the state is `broken`. */
export const summariseStudy = (id: string, folder: string): Promise<StudySummary | undefined> =>
  summarisePlanned(id, folder, studyPlanFile, async () => {
    const { readStudyPlan } = await import('../study/trials/plan.ts')
    const { readTrials, trialFolder } = await import('../study/trials/run-trials.ts')
    const { resultFile } = await import('../study/trials/trial.ts')
    const plan = await readStudyPlan(folder)
    if (plan === undefined) return undefined
    const trials = await readTrials(folder, plan)
    const ended = trials.flatMap(({ trial, result }) =>
      result === undefined
        ? []
        : [{ ...result, file: join(trialFolder(folder, trial), resultFile), work: 1 }],
    )
    const errors = await errorsOf(plan, trials)
    const total = trials.length
    return { total, ended, left: total - ended.length, more: errors && { errors } }
  })

/** How far the search in a folder is; otherwise as `summariseStudy`. */
export const summariseSearch = (id: string, folder: string): Promise<SearchSummary | undefined> =>
  summarisePlanned(id, folder, searchPlanFile, async () => {
    const { readSearchPlan } = await import('../study/search/plan.ts')
    const { readTrainings } = await import('../study/search/candidate.ts')
    const { countTrainings } = await import('../study/search/choose.ts')
    const plan = await readSearchPlan(folder)
    if (plan === undefined) return undefined
    const trainings = await readTrainings(folder)
    const { total, stepsLeft, best } = countTrainings(plan, trainings)
    const ended = trainings.map(({ result, file }) => ({ ...result, file, work: result.steps }))
    return { total, ended, left: stepsLeft, more: best && { best } }
  })

/** What is known of planned work. */
interface Planned<T> {
  /** Number of parts, such as trials. */
  readonly total: number
  /** Parts that have results, with the file of each, and the work that it was. */
  readonly ended: readonly {
    readonly status: 'done' | 'failed'
    readonly file: string
    readonly work: number
  }[]
  /** Work that is yet to be done. */
  readonly left: number
  readonly more: T | undefined
}

/** How far planned work in a folder is. @param read undefined if the plan is gone */
async function summarisePlanned<T extends object>(
  id: string,
  folder: string,
  planFile: string,
  read: () => Promise<Planned<T> | undefined>,
): Promise<(Omit<StudySummary, 'errors'> & Partial<T>) | undefined> {
  const name = basename(folder)
  try {
    // A server of runs alone does without what studies and searches need.
    if (!(await isFile(join(folder, planFile)))) return undefined
    const planned = await read()
    if (planned === undefined) return undefined
    const { total, ended, left, more } = planned
    const done = ended.length
    const failed = ended.filter(({ status }) => status === 'failed').length
    const counted = { ...({ ...more } as Partial<T>), id, name, total, done, failed }
    if (done === total) return { ...counted, state: 'finished' }
    if (!isHeld(folder)) return { ...counted, state: 'stopped' }
    const times = await Promise.all(
      ended.map(async ({ file, work }) => ({ at: (await stat(file)).mtimeMs, work })),
    )
    const pace = paceOf(times)
    return { ...counted, state: 'training', ...(pace !== undefined && { etaSeconds: left / pace }) }
  } catch (error) {
    if (!(error instanceof PantinError)) throw error
    const { problem } = error
    return { ...({} as Partial<T>), id, name, state: 'broken', problem, total: 0, done: 0, failed: 0 }
  }
}

/** The errors of a study's networks, trained from clips alone if they were, and otherwise by a teacher. */
async function errorsOf(plan: TrialPlan, trials: readonly TrialState[]): Promise<StudyErrors | undefined> {
  const { findMeasure } = await import('../evaluate/measures.ts')
  const { rankedBy, summarise: summariseTrials } = await import('../study/trials/summary.ts')
  const method = plan.methods.includes('scratch') ? 'scratch' : 'distilled'
  const measure = rankedBy[method]
  const by = plan.nets.flatMap((net) => {
    const means = plan.skips.flatMap(
      (skip) => summariseTrials(trials, { net, skip, method }).measures[measure]?.mean ?? [],
    )
    return means.length === 0 ? [] : [[net, Math.min(...means)] as const]
  })
  if (by.length === 0) return undefined
  return { measure: findMeasure(measure)?.help ?? measure, by: Object.fromEntries(by) }
}

/** Results that the pace of a study or a search is measured by. */
const paceResults = 10

/** Work per second, by the times of the last results in milliseconds; undefined if there are too few. */
function paceOf(results: readonly { readonly at: number; readonly work: number }[]): number | undefined {
  const last = results.toSorted((a, b) => a.at - b.at).slice(-paceResults)
  const seconds = last.length < 2 ? 0 : (last.at(-1)!.at - last[0]!.at) / 1000
  const work = last.slice(1).reduce((sum, one) => sum + one.work, 0)
  return seconds <= 0 ? undefined : work / seconds
}

function describeConfig({
  model,
  network,
  training,
  distillation,
  compression,
}: Config): Partial<RunSummary> {
  const net = model?.net ?? network?.net
  return {
    ...(isTrained(training) && { kind: distillation === undefined ? 'train' : 'distil' }),
    ...(compression && { kind: 'compress' }),
    ...(net !== undefined && { net }),
    ...(model && { size: model.size, keypoints: model.keypoints }),
  }
}

/** Whether there is a training with a length. That of a packed or compressed run has none, and cannot be resumed. */
const isTrained = (training: Config['training']): boolean =>
  training?.steps !== undefined || training?.minutes !== undefined

/** State, progress and rate, by its configuration and the last lines of its metrics. */
function progressOf(
  { training, compression }: Config,
  records: readonly MetricsRecord[],
  isTraining: boolean,
) {
  const last = numbersOf(records.at(-1))
  const { step = 0, elapsed = 0 } = last
  const { steps, minutes } = training ?? {}
  const progress = steps !== undefined ? step / steps : minutes !== undefined ? elapsed / (60 * minutes) : 0
  const state = isTraining
    ? 'training'
    : !isTrained(training)
      ? compression === undefined
        ? 'imported'
        : 'compressed'
      : progress >= 1
        ? 'finished'
        : 'stopped'
  const rate = rateOf(records)
  const left =
    steps !== undefined
      ? rate && (steps - step) / rate
      : minutes !== undefined
        ? 60 * minutes - elapsed
        : undefined
  const loss = records.map((record) => numbersOf(record).loss).findLast((found) => found !== undefined)
  return {
    state,
    ...{ step, elapsed },
    progress: Math.min(1, progress),
    ...(steps !== undefined && { steps }),
    ...(minutes !== undefined && { minutes }),
    ...(rate !== undefined && { rate }),
    ...(isTraining && left !== undefined && { etaSeconds: Math.max(0, left) }),
    ...(loss !== undefined && { loss }),
  } as const
}

/** The number of lines that the rate is the mean of. */
const rateLines = 10

/** Steps per second over the last lines. `elapsed` counts training alone, without pauses. */
function rateOf(records: readonly MetricsRecord[]): number | undefined {
  const recent = records.map(numbersOf).slice(-rateLines)
  const [first, last] = [recent[0], recent.at(-1)]
  if (first?.step === undefined || first.elapsed === undefined) return undefined
  const seconds = (last?.elapsed ?? 0) - first.elapsed
  return seconds > 0 ? ((last?.step ?? 0) - first.step) / seconds : undefined
}

/** The numbers of a line of metrics. A line may lack them, or have another kind of value. */
function numbersOf(record: MetricsRecord | undefined): Partial<Record<'step' | 'elapsed' | 'loss', number>> {
  const number = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined)
  const found = { step: number(record?.step), elapsed: number(record?.elapsed), loss: number(record?.loss) }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined))
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}
