// How far a run is, from its configuration, the last lines of its metrics, and its lock. How far a study is, from its plan
// and the results of its trials.
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { isLocked } from '../files/lock.ts'
import { readConfig } from '../run/config-file.ts'
import { type MetricsRecord, readLastMetrics } from '../run/metrics-file.ts'
import { metricsFile, weightsFile } from '../run/run-files.ts'
import type { TrialPlan } from '../study/trials/plan.ts'
import type { TrialState } from '../study/trials/run-trials.ts'
import { PantinError } from '../util/errors.ts'
import type { RunSummary, StudyErrors, StudySummary } from '../web/studio-api.ts'

/** The file that makes a folder a study's. */
export const studyPlanFile = 'plan.json'

/** The parts of config.json that the list shows, of every way of training. */
const schema = z.looseObject({
  model: z.looseObject({ net: z.string(), size: z.number(), keypoints: z.number() }).optional(),
  network: z.looseObject({ net: z.string() }).optional(),
  training: z.looseObject({ steps: z.number().optional(), minutes: z.number().optional() }).optional(),
  distillation: z.looseObject({}).optional(),
})
type Config = z.infer<typeof schema>

/** How far the run in a folder is. If the folder's content cannot be read, the state is `broken`: it never throws. */
export async function summarise(id: string, folder: string): Promise<RunSummary> {
  const name = basename(folder)
  try {
    const { config } = await readConfig(folder, schema)
    const { records, modified } = await readLastMetrics(join(folder, metricsFile))
    return {
      ...{ id, name },
      ...describeConfig(config),
      ...progressOf(config, records, isLocked(join(folder, 'lock'))),
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
export async function summariseStudy(id: string, folder: string): Promise<StudySummary | undefined> {
  const name = basename(folder)
  try {
    // A server of runs alone does without what studies need.
    if (!(await isFile(join(folder, studyPlanFile)))) return undefined
    const { readStudyPlan } = await import('../study/trials/plan.ts')
    const { readTrials, trialFolder } = await import('../study/trials/run-trials.ts')
    const { resultFile } = await import('../study/trials/trial.ts')
    const plan = await readStudyPlan(folder)
    if (plan === undefined) return undefined
    const trials = await readTrials(folder, plan)
    const total = trials.length
    const ended = trials.filter(({ result }) => result !== undefined)
    const done = ended.length
    const failed = ended.filter(({ result }) => result?.status === 'failed').length
    const errors = await errorsOf(plan, trials)
    const counted = { id, name, total, done, failed, ...(errors && { errors }) }
    if (done === total) return { ...counted, state: 'finished' }
    if (!isLocked(join(folder, 'lock'))) return { ...counted, state: 'stopped' }
    const times = await Promise.all(
      ended.map(async ({ trial }) => (await stat(join(trialFolder(folder, trial), resultFile))).mtimeMs),
    )
    const pace = paceOf(times)
    const eta = pace === undefined ? {} : { etaSeconds: (total - done) / pace }
    return { ...counted, state: 'training', ...eta }
  } catch (error) {
    if (!(error instanceof PantinError)) throw error
    return { id, name, state: 'broken', problem: error.problem, total: 0, done: 0, failed: 0 }
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

/** Results that the pace of a study is measured by. */
const paceResults = 10

/** Results per second, by the times of the last ones in milliseconds; undefined if there are too few. */
function paceOf(times: readonly number[]): number | undefined {
  const last = times.toSorted((a, b) => a - b).slice(-paceResults)
  const seconds = (last.at(-1)! - last[0]!) / 1000
  return last.length < 2 || seconds <= 0 ? undefined : (last.length - 1) / seconds
}

function describeConfig({ model, network, training, distillation }: Config): Partial<RunSummary> {
  const net = model?.net ?? network?.net
  return {
    ...(training && { kind: distillation === undefined ? 'train' : 'distil' }),
    ...(net !== undefined && { net }),
    ...(model && { size: model.size, keypoints: model.keypoints }),
  }
}

/** State, progress and rate, by its configuration and the last lines of its metrics. */
function progressOf({ training }: Config, records: readonly MetricsRecord[], isTraining: boolean) {
  const last = numbersOf(records.at(-1))
  const { step = 0, elapsed = 0 } = last
  const { steps, minutes } = training ?? {}
  const progress = steps !== undefined ? step / steps : minutes !== undefined ? elapsed / (60 * minutes) : 0
  const state = isTraining
    ? 'training'
    : training === undefined
      ? 'imported'
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
