// How far a run is, from its configuration, the last lines of its metrics, and its lock.
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { isLocked } from '../files/lock.ts'
import { readConfig } from '../run/config-file.ts'
import { type MetricsRecord, readLastMetrics } from '../run/metrics-file.ts'
import { metricsFile, weightsFile } from '../run/run-files.ts'
import { PantinError } from '../util/errors.ts'
import type { RunSummary } from '../web/studio-api.ts'

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
