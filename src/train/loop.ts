import type { MetricsRecord, Run } from '../store/run.ts'
import { TrainingError } from '../util/errors.ts'
import type { Random } from '../util/random.ts'
import { drawBatch } from './batches.ts'
import type { RunConfig } from './config.ts'
import type { FlatLayouts } from './flat.ts'
import type { FrameCache } from './frame-cache.ts'
import { writePreview } from './previews.ts'
import type { Reconstructor } from './reconstruction.ts'
import { learningRate } from './schedule.ts'
import { namedState, namedWeights } from './state.ts'
import { lossNames, type ReportName } from './step.ts'
import type { Report, StepSession } from './step-session.ts'
import { drawTransform } from './transform.ts'

/** Where a run stands; what a checkpoint restores, besides the state vectors. */
export interface Position {
  /** Steps done. */
  step: number
  /** Seconds of training before this sitting. */
  readonly elapsedBefore: number
  /** Sums of the reports since the last line of metrics. */
  window: Window
}

/** Running sums of what steps report. */
export interface Window {
  count: number
  readonly sums: Record<ReportName, number>
}

export const emptyWindow = (): Window => ({
  count: 0,
  sums: Object.fromEntries(lossNames.map((name) => [name, 0])) as Record<ReportName, number>,
})

export interface LoopParts {
  readonly run: Run<RunConfig>
  readonly cache: FrameCache
  readonly session: StepSession
  readonly reconstructor: Reconstructor
  readonly layouts: FlatLayouts
  readonly random: Random
  readonly position: Position
  /** When this sitting began, as performance.now() tells it. */
  readonly startedAt: number
  readonly signal: AbortSignal | undefined
  onStep(event: StepEvent): void
}

/** What is told after every step. */
export interface StepEvent {
  readonly step: number
  /** Steps of the whole run; undefined where its minutes decide. */
  readonly steps: number | undefined
  readonly elapsed: number
  /** Part of the run that is done, 0 to 1. */
  readonly progress: number
  readonly loss: number
}

/**
 * Trains to the end of the run, or until the signal aborts. However it ends, the run's last checkpoint is
 * that of a good step.
 *
 * @returns whether it reached the end.
 * @throws TrainingError where a loss or gradient is not finite: the state before that step is saved.
 */
export async function trainLoop(parts: LoopParts): Promise<boolean> {
  const { run, session, position, random, cache, signal } = parts
  const { training } = run.config
  const elapsed = () => position.elapsedBefore + (performance.now() - parts.startedAt) / 1000
  const progress = () =>
    training.steps !== undefined ? position.step / training.steps : elapsed() / (60 * training.minutes!)
  let [savedAt, previewedAt] = [elapsed(), elapsed()]

  while (progress() < 1) {
    if (signal?.aborted) break
    const randomState = random.state
    const batch = drawBatch(random, cache, training.batch, training.augment)
    const transform = drawTransform(random, training.batch, training.transform)
    const number = position.step + 1
    const rate = learningRate(training.learningRate, progress(), number)
    const { report, taken } = await session.run(number, rate, { ...batch, ...transform })
    if (!taken) {
      random.state = randomState
      await save(parts, elapsed())
      throw notFinite(run.path, number, report)
    }
    position.step = number
    record(parts, report, rate, elapsed())
    parts.onStep({
      step: number,
      steps: training.steps,
      elapsed: elapsed(),
      progress: Math.min(1, progress()),
      loss: report.loss,
    })
    if (elapsed() - savedAt >= training.checkpointSeconds) {
      await save(parts, elapsed())
      savedAt = elapsed()
    }
    if (elapsed() - previewedAt >= training.previewSeconds) {
      await preview(parts, elapsed())
      previewedAt = elapsed()
    }
  }
  await save(parts, elapsed())
  const finished = progress() >= 1
  if (finished) await preview(parts, elapsed())
  return finished
}

/** Adds a step's report, and writes a line of metrics when the window is full. */
function record({ run, position }: LoopParts, report: Report, rate: number, elapsed: number): void {
  const { window, step } = position
  window.count++
  for (const name of lossNames) window.sums[name] += report[name]
  if (step % run.config.training.logEvery !== 0) return
  const means = Object.fromEntries(lossNames.map((name) => [name, window.sums[name] / window.count]))
  const line: MetricsRecord = { step, elapsed: round(elapsed), learningRate: rate, ...means }
  run.appendMetrics(line)
  position.window = emptyWindow()
}

/** Checkpoint first: the weights file can be made again from it, not the other way round. */
async function save({ run, session, layouts, random, position }: LoopParts, elapsed: number): Promise<void> {
  await run.saveCheckpoint({
    step: position.step,
    elapsed,
    randomState: random.state,
    tensors: namedState(session.state, layouts),
    extra: new Map([['window', JSON.stringify(position.window)]]),
  })
  await run.saveWeights(namedWeights(session.state, layouts), new Map([['step', String(position.step)]]))
}

async function preview(parts: LoopParts, elapsed: number): Promise<void> {
  const { run, reconstructor, cache, session, position } = parts
  const path = run.previewPath(position.step)
  const { l1, still } = await writePreview(path, reconstructor, cache, session.state)
  run.appendMetrics({ step: position.step, elapsed: round(elapsed), preview: { l1, still } })
}

const round = (seconds: number) => Math.round(seconds * 1000) / 1000

function notFinite(path: string, step: number, report: Report): TrainingError {
  const bad = lossNames.filter((name) => !Number.isFinite(report[name]))
  return new TrainingError({
    what: `training stopped at step ${step}: a number is not finite`,
    where: path,
    got: bad.map((name) => `${name} ${report[name]}`).join(', '),
    expected: 'finite losses and gradients',
    remedy: `the weights of step ${step - 1} are saved; train again with a smaller learning rate`,
  })
}
