// The training loop: from fresh weights or the last checkpoint to the end of the run, with metrics and previews. What it is
// given comes first: a way of training (a task), and a place that keeps the run (a store).
import { z } from 'zod'
import type { ClipSquare } from '../faces/framing.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { Frame } from '../media/clip.ts'
import { type Checkpoint, notCheckpoint } from '../run/checkpoint.ts'
import { checkpointFile, type MetricsRecord } from '../run/run-files.ts'
import type { OpenSession, Tensors } from '../runtime/session.ts'
import { TrainingError } from '../util/errors.ts'
import { sleepBriefly } from '../util/event-loop.ts'
import { Random } from '../util/random.ts'
import { learningRate } from './adam.ts'
import type { Settings } from './config.ts'
import {
  atRest,
  copyOf,
  initialState,
  namedState,
  namedWeights,
  stateFrom,
  type TrainingState,
} from './state.ts'
import type { OpenStep, Report, StepEvent, StepRunner, TrainingStep } from './step.ts'

/** A picture of a run in training, and measures of it for metrics.jsonl. */
export interface Preview {
  readonly picture: Frame
  readonly measures: Readonly<Record<string, number>>
}

/** What one way of training brings to the shared loop. */
export interface Task {
  readonly step: TrainingStep
  /** The step's inputs for one batch, which with replicas is the part of one replica. All that is random comes from `random`, so that a run can be repeated. */
  draw(random: Random): Tensors
  /** Parts of the run before the last one, in order, with steps of their own over the same state (default: none). */
  readonly phases?: readonly Phase[]
  /** Shows what the weights can do at this step. */
  preview(state: TrainingState): Promise<Preview>
  /** What the run's weights.safetensors holds (default: all that is trained, under its names). */
  weights?(trained: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor>
  close(): Promise<void>
}

/** A part of a run. */
export interface Phase extends Pick<Task, 'step' | 'draw'> {
  /** Where it ends, as a part of the run, 0 to 1. */
  readonly until: number
}

/** How a task is made. */
export interface TaskOptions {
  /** Opens the session that makes previews. */
  readonly openSession: OpenSession
  /** The part of a batch that one step's graph has: the whole, or the part of one replica. */
  readonly batch: number
}

/** Where a run in training is kept: a folder on disk, or the browser's own storage. */
export interface RunStore {
  /** What the run is called in messages: its folder, where it has one. */
  readonly path: string
  /** Whether there is a checkpoint to resume from. @throws InputError if there are weights without one: they would be lost. */
  hasCheckpoint(): Promise<boolean>
  loadCheckpoint(): Promise<Required<Checkpoint>>
  /** Replaces the checkpoint. If the process is killed meanwhile, the old one or the new one is there. */
  saveCheckpoint(checkpoint: Checkpoint): Promise<void>
  /** Replaces the weights, as `saveCheckpoint`. */
  saveWeights(tensors: ReadonlyMap<string, Tensor>, step: number): Promise<void>
  appendMetrics(record: MetricsRecord): Promise<void> | void
  /** Drops the metrics after `step`. */
  truncateMetrics(step: number): Promise<void>
  savePreview(step: number, picture: Frame, measures: Readonly<Record<string, number>>): Promise<void>
}

/** A run that was trained; other functions take it as it is, or its path. */
export interface TrainedRun {
  /** The run folder. */
  readonly path: string
  /** Steps that the run has. */
  readonly steps: number
  /** Seconds that all steps of the run took. */
  readonly seconds: number
  /** Of the last step; NaN if no step was taken. */
  readonly loss: number
  /** The device that was really used. */
  readonly device: string
  /** Whether the signal stopped it before the end. */
  readonly interrupted: boolean
  /** Present if the run was resumed after its end, so that no step was taken. */
  readonly finishedBefore?: true
  /** The square of each clip, without puppets and heads; empty if a cache had the frames already. */
  readonly squares: readonly ClipSquare[]
  /** What a user should know about the clips' files, a sentence each with the clip's name before it. */
  readonly notices: readonly string[]
}

/** What the loop itself tells of a run. */
export type LoopResult = Omit<TrainedRun, 'squares' | 'notices'>

/** What a run is trained with. */
export interface LoopOptions {
  readonly task: Task
  readonly settings: Settings
  /** Weights that a new run begins with; fresh ones if undefined. A run with a checkpoint goes on from it. */
  readonly start: ReadonlyMap<string, Tensor> | undefined
  /** Makes what takes the steps. */
  readonly openStep: OpenStep
  readonly signal?: AbortSignal | undefined
  onStep?(event: StepEvent): void
}

/** Where a run stands; what a checkpoint restores, besides the state vectors. */
interface Position {
  /** Steps done. */
  step: number
  /** Sums of the reports since the last line of metrics. */
  window: Window
}

/** Running sums of what steps report. */
interface Window {
  count: number
  readonly sums: Record<string, number>
}

/** The loop's own parts, once it runs. */
interface Loop extends LoopOptions {
  readonly store: RunStore
  readonly runners: Runners
  readonly random: Random
  readonly position: Position
  readonly watch: Watch
}

/**
 * Trains a run from its beginning, or from its last checkpoint, until it ends or the signal aborts. However it ends,
 * the last checkpoint is that of a good step.
 *
 * @throws TrainingError if a loss or gradient is not finite: the state before that step is saved.
 */
export async function trainTask(store: RunStore, options: LoopOptions): Promise<LoopResult> {
  const { settings } = options
  const random = new Random(settings.seed)
  const { state, position, seconds } = await begin(store, options, random)
  const first = position.step
  await store.truncateMetrics(position.step)
  const watch = new Watch(seconds)
  const runners = new Runners(options)
  try {
    await watch.pause(() => runners.begin(state, partDone(settings, position.step, watch)))
    let last: StepEvent | undefined
    const onStep = (event: StepEvent) => {
      last = event
      options.onStep?.(event)
    }
    const finished = await loop({ ...options, onStep, store, runners, random, position, watch })
    return {
      path: store.path,
      steps: position.step,
      seconds: last?.seconds ?? seconds,
      loss: last?.loss ?? Number.NaN,
      device: runners.current.device,
      interrupted: !finished,
      ...(finished && first > 0 && position.step === first && { finishedBefore: true as const }),
    }
  } finally {
    await runners.close()
  }
}

/** The part of a run that is done, 0 to 1. */
const partDone = ({ steps, minutes }: Settings, step: number, watch: Watch): number =>
  Math.min(1, steps !== undefined ? step / steps : watch.seconds / (60 * minutes!))

/** What takes the steps of the phase that a run is in. */
class Runners {
  private phase: Pick<Task, 'step' | 'draw'> | undefined
  private runner: StepRunner | undefined

  constructor(private readonly options: LoopOptions) {}

  get current(): StepRunner {
    return this.runner!
  }

  draw(random: Random): Tensors[] {
    return Array.from({ length: this.current.replicas }, () => this.phase!.draw(random))
  }

  /** Opens the steps of the phase at this part of the run. The state is theirs to write to. */
  async begin(state: TrainingState, part: number): Promise<void> {
    this.phase = this.phaseAt(part)
    const { step } = this.phase
    this.runner = await this.options.openStep(step, this.options.settings.adam, atRest(state, step))
  }

  isOver(part: number): boolean {
    return this.phaseAt(part) !== this.phase
  }

  /** Goes on with the phase at this part of the run. */
  async change(part: number): Promise<void> {
    const state = copyOf(await this.current.read())
    await this.close()
    await this.begin(state, part)
  }

  async close(): Promise<void> {
    const { runner } = this
    this.runner = undefined
    await runner?.close()
  }

  private phaseAt(part: number): Pick<Task, 'step' | 'draw'> {
    const { task } = this.options
    return task.phases?.find(({ until }) => part < until) ?? task
  }
}

/** The state that training begins with. `random` is brought to where the checkpoint has it. */
async function begin(
  store: RunStore,
  { task: { step }, start }: LoopOptions,
  random: Random,
): Promise<{ state: TrainingState; position: Position; seconds: number }> {
  const forWeights = random.fork()
  if (!(await store.hasCheckpoint())) {
    const position = { step: 0, window: emptyWindow(step.reports) }
    return { state: initialState(step, forWeights, start), position, seconds: 0 }
  }
  const checkpoint = await store.loadCheckpoint()
  random.state = checkpoint.randomState
  const window = windowOf(checkpoint, step.reports, `${store.path}/${checkpointFile}`)
  return {
    state: stateFrom(checkpoint.tensors, step),
    position: { step: checkpoint.step, window },
    seconds: checkpoint.elapsed,
  }
}

/**
 * Takes steps. A run by minutes has at least one step. Checkpoints and previews do not count in its time: they take
 * longest for large networks, and the steps of all networks are to have the same time.
 *
 * @returns whether the run has reached its end.
 */
async function loop(parts: Loop): Promise<boolean> {
  const { settings, runners, position, random, signal, watch } = parts
  const progress = () => partDone(settings, position.step, watch)
  const [first, began] = [position.step, performance.now()]
  let [savedAt, previewedAt] = [watch.seconds, watch.seconds]

  while (progress() < 1 || position.step === 0) {
    if (signal?.aborted) break
    const part = progress()
    if (runners.isOver(part)) await watch.pause(() => runners.change(part))
    const randomState = random.state
    const batches = runners.draw(random)
    const number = position.step + 1
    const learning = learningRate(settings.learningRate, part, number)
    const { report, taken } = await runners.current.run(number, learning, batches)
    await sleepBriefly()
    if (!taken) {
      random.state = randomState
      await save(parts)
      throw notFinite(parts.store.path, number, report)
    }
    position.step = number
    await record(parts, report, learning)
    const rate = (number - first) / ((performance.now() - began) / 1000)
    parts.onStep?.({ ...stepEvent(parts, report, rate), progress: progress() })
    if (watch.seconds - savedAt >= settings.checkpointSeconds) {
      await watch.pause(() => save(parts))
      savedAt = watch.seconds
    }
    if (watch.seconds - previewedAt >= settings.previewSeconds) {
      await watch.pause(() => preview(parts))
      previewedAt = watch.seconds
    }
  }
  await watch.pause(() => save(parts))
  const finished = progress() >= 1
  if (finished) await preview(parts)
  return finished
}

function stepEvent(
  { position: { step }, settings: { steps, minutes }, watch: { seconds }, runners }: Loop,
  { loss, ...terms }: Report,
  rate: number,
): Omit<StepEvent, 'progress'> {
  const etaSeconds = steps === undefined ? Math.max(0, 60 * minutes! - seconds) : (steps - step) / rate
  const { device } = runners.current
  return { kind: 'step', step, steps, rate, etaSeconds, seconds, loss: loss!, terms, device }
}

/** Tells the time that steps took. */
class Watch {
  private startedAt = performance.now()

  /** @param before seconds that it begins with */
  constructor(private readonly before: number) {}

  get seconds(): number {
    return this.before + (performance.now() - this.startedAt) / 1000
  }

  /** Does work whose time does not count. */
  async pause(work: () => Promise<void>): Promise<void> {
    const from = performance.now()
    await work()
    this.startedAt += performance.now() - from
  }
}

const emptyWindow = (reports: readonly string[]): Window => ({
  count: 0,
  sums: Object.fromEntries(reports.map((name) => [name, 0])),
})

/** The sums of a checkpoint. @throws FormatError if they cannot be read, or lack a report of the step. */
function windowOf({ extra }: Required<Checkpoint>, reports: readonly string[], path: string): Window {
  const text = extra.get('window')
  if (text === undefined) return emptyWindow(reports)
  try {
    const names = Object.fromEntries(reports.map((name) => [name, z.number()]))
    return z.object({ count: z.int().nonnegative(), sums: z.object(names) }).parse(JSON.parse(text))
  } catch {
    throw notCheckpoint(path, `window ${text.slice(0, 200)}`, `a count, and sums of ${reports.join(', ')}`)
  }
}

/** Adds a step's report, and writes a line of metrics when the window is full. */
async function record(
  { store, task, settings, position, watch }: Loop,
  report: Report,
  rate: number,
): Promise<void> {
  const { window, step } = position
  const { reports } = task.step
  window.count++
  for (const name of reports) window.sums[name]! += report[name]!
  if (step % settings.logEvery !== 0) return
  const means = Object.fromEntries(reports.map((name) => [name, window.sums[name]! / window.count]))
  await store.appendMetrics({ step, elapsed: round(watch.seconds), learningRate: rate, ...means })
  position.window = emptyWindow(reports)
}

/** The checkpoint first: the weights file can be made again from it, and not the other way round. */
async function save({ store, task, runners, random, position, watch }: Loop): Promise<void> {
  const layouts = task.step
  const elapsed = watch.seconds
  const state = await runners.current.read()
  await store.saveCheckpoint({
    step: position.step,
    elapsed,
    randomState: random.state,
    tensors: namedState(state, layouts),
    extra: new Map([['window', JSON.stringify(position.window)]]),
  })
  const trained = namedWeights(state, layouts)
  await store.saveWeights(task.weights?.(trained) ?? trained, position.step)
}

async function preview({ store, task, runners, position, watch }: Loop): Promise<void> {
  const elapsed = round(watch.seconds)
  const { picture, measures } = await task.preview(await runners.current.read())
  await store.savePreview(position.step, picture, measures)
  await store.appendMetrics({ step: position.step, elapsed, preview: measures })
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
