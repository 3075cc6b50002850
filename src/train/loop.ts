import { rest } from '../runtime/rest.ts'
import { TrainingError } from '../util/errors.ts'
import type { Random } from '../util/random.ts'
import type { Settings } from './config.ts'
import type { RunStore } from './run-store.ts'
import { learningRate } from './schedule.ts'
import { namedState, namedWeights } from './state.ts'
import type { Report, StepRunner } from './step-runner.ts'
import type { Task } from './task.ts'

/** Where a run stands; what a checkpoint restores, besides the state vectors. */
export interface Position {
  /** Steps done. */
  step: number
  /** Seconds that steps took before this sitting. */
  readonly elapsedBefore: number
  /** Sums of the reports since the last line of metrics. */
  window: Window
}

/** Running sums of what steps report. */
export interface Window {
  count: number
  readonly sums: Record<string, number>
}

export const emptyWindow = (reports: readonly string[]): Window => ({
  count: 0,
  sums: Object.fromEntries(reports.map((name) => [name, 0])),
})

export interface LoopParts {
  readonly store: RunStore
  readonly task: Task
  readonly settings: Settings
  readonly runner: StepRunner
  readonly random: Random
  readonly position: Position
  readonly signal: AbortSignal | undefined
  onStep(event: StepEvent): void
}

/** What is told after every step. */
export interface StepEvent {
  readonly step: number
  /** Steps of the whole run; undefined where its minutes decide. */
  readonly steps: number | undefined
  /** Seconds that steps took, over all sittings. */
  readonly elapsed: number
  /** Part of the run that is done, 0 to 1. */
  readonly progress: number
  readonly loss: number
  /** All that the step reports, the loss among it. */
  readonly report: Report
}

/**
 * Trains to the end of the run, or until the signal aborts. However it ends, the run's last checkpoint is
 * that of a good step. A run by minutes has at least one step, and checkpoints and previews do not count: they
 * take a large network the longest, and its steps are to have as long as those of others.
 *
 * @returns whether it reached the end.
 * @throws TrainingError where a loss or gradient is not finite: the state before that step is saved.
 */
export async function trainLoop(parts: LoopParts): Promise<boolean> {
  const { store, task, settings, runner, position, random, signal } = parts
  const watch = new Watch(position.elapsedBefore)
  const elapsed = () => watch.seconds
  const progress = () =>
    settings.steps !== undefined ? position.step / settings.steps : elapsed() / (60 * settings.minutes!)
  let [savedAt, previewedAt] = [elapsed(), elapsed()]

  while (progress() < 1 || position.step === 0) {
    if (signal?.aborted) break
    const randomState = random.state
    const batch = task.draw(random)
    const number = position.step + 1
    const rate = learningRate(settings.learningRate, progress(), number)
    const { report, taken } = await runner.run(number, rate, batch)
    await rest()
    if (!taken) {
      random.state = randomState
      await save(parts, elapsed())
      throw notFinite(store.path, number, report)
    }
    position.step = number
    await record(parts, report, rate, elapsed())
    parts.onStep({
      step: number,
      steps: settings.steps,
      elapsed: elapsed(),
      progress: Math.min(1, progress()),
      loss: report.loss!,
      report,
    })
    if (elapsed() - savedAt >= settings.checkpointSeconds) {
      await watch.aside(() => save(parts, elapsed()))
      savedAt = elapsed()
    }
    if (elapsed() - previewedAt >= settings.previewSeconds) {
      await watch.aside(() => preview(parts, elapsed()))
      previewedAt = elapsed()
    }
  }
  await watch.aside(() => save(parts, elapsed()))
  const finished = progress() >= 1
  if (finished) await preview(parts, elapsed())
  return finished
}

/** Tells the time that steps took. */
class Watch {
  private startedAt = performance.now()

  /** @param before seconds that it begins with */
  constructor(private readonly before: number) {}

  get seconds(): number {
    return this.before + (performance.now() - this.startedAt) / 1000
  }

  /** Does what is not to count. */
  async aside(work: () => Promise<void>): Promise<void> {
    const from = performance.now()
    await work()
    this.startedAt += performance.now() - from
  }
}

/** Adds a step's report, and writes a line of metrics when the window is full. */
async function record(
  { store, task, settings, position }: LoopParts,
  report: Report,
  rate: number,
  elapsed: number,
): Promise<void> {
  const { window, step } = position
  const { reports } = task.step
  window.count++
  for (const name of reports) window.sums[name]! += report[name]!
  if (step % settings.logEvery !== 0) return
  const means = Object.fromEntries(reports.map((name) => [name, window.sums[name]! / window.count]))
  await store.appendMetrics({ step, elapsed: round(elapsed), learningRate: rate, ...means })
  position.window = emptyWindow(reports)
}

/** Checkpoint first: the weights file can be made again from it, not the other way round. */
async function save({ store, task, runner, random, position }: LoopParts, elapsed: number): Promise<void> {
  const layouts = task.step
  const state = await runner.read()
  await store.saveCheckpoint({
    step: position.step,
    elapsed,
    randomState: random.state,
    tensors: namedState(state, layouts),
    extra: new Map([['window', JSON.stringify(position.window)]]),
  })
  const trained = namedWeights(state, layouts)
  await store.saveWeights(task.weights?.(trained) ?? trained, new Map([['step', String(position.step)]]))
}

async function preview(parts: LoopParts, elapsed: number): Promise<void> {
  const { store, task, runner, position } = parts
  const { picture, measures } = await task.preview(await runner.read())
  await store.savePreview(position.step, picture, measures)
  await store.appendMetrics({ step: position.step, elapsed: round(elapsed), preview: measures })
}

const round = (seconds: number) => Math.round(seconds * 1000) / 1000

function notFinite(path: string, step: number, report: Report): TrainingError {
  const bad = Object.keys(report).filter((name) => !Number.isFinite(report[name]))
  return new TrainingError({
    what: `training stopped at step ${step}: a number is not finite`,
    where: path,
    got: bad.map((name) => `${name} ${report[name]}`).join(', '),
    expected: 'finite losses and gradients',
    remedy: `the weights of step ${step - 1} are saved; train again with a smaller learning rate`,
  })
}
