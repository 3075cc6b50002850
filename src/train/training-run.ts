// One training run from its clips to its end: the skeleton that train() and distil() share, and the session that takes its
// steps in Node.
import { openClips } from '../clips/source.ts'
import type { ClipSquare } from '../faces/framing.ts'
import { scalar, type Tensor, tensor } from '../graph/tensor.ts'
import type { Clip } from '../media/clip.ts'
import { writePicture } from '../media/picture.ts'
import type { Run } from '../run/run.ts'
import { coresHere, createSession, requireDevice, type SessionOptions, sessionsOn } from '../runtime/node.ts'
import type { Session, Tensors } from '../runtime/session.ts'
import { type AdamOptions, adamInputs, adamScalars } from './adam.ts'
import { chooseReplicas } from './choose-replicas.ts'
import type { RunOptions, Settings } from './config.ts'
import { assertUsable, noticesOf } from './frames.ts'
import { type RunStore, type Task, type TaskOptions, type TrainedRun, trainTask } from './loop.ts'
import { ReplicaSteps } from './replicas.ts'
import { type AnyConfig, readStart, settingsHere } from './setup.ts'
import { stateNames, stateOutputs, type TrainingState } from './state.ts'
import type {
  CropEvent,
  OpenStep,
  PrepareEvent,
  Report,
  StepRunner,
  StillEvent,
  TrainEvent,
  TrainingStep,
} from './step.ts'

/** What one way of training does at each stage of a run. `I` is what it reads, `D` the data that it trains on. */
export interface TrainingRun<C extends AnyConfig, I, D extends { close(): void }> {
  /** As it was asked for. A run that is resumed has its own. */
  readonly config: C
  readonly options: RunOptions & Partial<Pick<Settings, 'device' | 'threads'>>
  /** Whether a clip may be a single picture, and the frames to train on that each clip has to have. */
  readonly clips: { readonly pictures: boolean; readonly leastFrames: number }
  /** Makes the run folder, or opens it to resume the run. */
  open(config: C): Promise<Run<C>>
  /**
   * Reads what the configuration names besides clips and starting weights. For a new run this is done before its folder
   * is made, so that nothing is written if a file cannot be used.
   */
  read(config: C): I | Promise<I>
  /** A step of a part of the batch, for timing. */
  step(config: C, batch: number): TrainingStep
  /** Makes the data of the clips. */
  prepare(config: C, read: I, clips: readonly Clip[], hooks: PrepareHooks): Promise<D>
  task(config: C, read: I, data: D, how: TaskOptions): Promise<Task>
}

/** How the preparation of data is stopped and followed. */
export interface PrepareHooks {
  readonly signal: AbortSignal | undefined
  onEvent(event: PrepareEvent | CropEvent | StillEvent): void
}

/**
 * Trains a run, new or resumed, and closes all that was opened for it.
 *
 * @throws InputError for clips or files that cannot be used, before anything is written; TrainingError if numbers stop
 * being finite; EnvironmentError if the device or the disk fails.
 */
export async function trainRun<C extends AnyConfig, I, D extends { close(): void }>(
  way: TrainingRun<C, I, D>,
): Promise<TrainedRun> {
  const { options } = way
  const { signal, onEvent = () => {} } = options
  const { pictures, leastFrames } = way.clips
  const opened = await openClips(way.config.training.clips, { pictures })
  let run: Run<C> | undefined
  let data: D | undefined
  try {
    const { model, training } = way.config
    assertUsable(opened, { holdout: training.holdout, leastFrames })
    await requireDevice(training.device)
    const asked = options.resume ? way.config : await withReplicas(way)
    const before = options.resume ? undefined : await readAll(way, asked)
    run = await way.open(asked)
    const { config } = run
    // Before clips are decoded: a run that cannot go on says so at once.
    const isBegun = options.resume === true && (await run.hasCheckpoint())
    const read = before === undefined ? await way.read(config) : before.read
    const squares: ClipSquare[] = []
    const still: string[] = []
    data = await way.prepare(config, read, opened, {
      signal,
      onEvent: (event) => {
        if (event.kind === 'still') still.push(`${event.clip}: nothing moves in this clip`)
        if (event.kind === 'crop') squares.push({ clip: event.clip, ...event.framing })
        onEvent(event)
      },
    })
    const settings = settingsHere(config.training, options)
    // A run from before there were replicas has one.
    const replicas = typeof settings.replicas === 'number' ? settings.replicas : 1
    const batch = settings.batch / replicas
    const task = await way.task(config, read, data, { openSession: sessionsOn(settings.device), batch })
    try {
      const start = before?.start ?? (isBegun ? undefined : await readStart(config))
      const trained = await trainTask(folderStore(run, onEvent), {
        ...{ task, settings, start, signal },
        openStep: stepsBy(settings, replicas),
        onStep: onEvent,
      })
      onEvent({ kind: trained.interrupted ? 'paused' : 'finished', step: trained.steps })
      return { ...trained, squares, notices: [...noticesOf(opened, model.size), ...still] }
    } finally {
      await task.close()
    }
  } catch (error) {
    // Stopped before training: nothing is lost, and the run can be resumed from its beginning.
    if (run === undefined || data !== undefined || !signal?.aborted) throw error
    const reached = (await run.hasCheckpoint()) ? await run.loadCheckpoint() : { step: 0, elapsed: 0 }
    return {
      path: run.path,
      steps: reached.step,
      seconds: reached.elapsed,
      loss: Number.NaN,
      device: 'none yet',
      interrupted: true,
      squares: [],
      notices: noticesOf(opened, way.config.model.size),
    }
  } finally {
    data?.close()
    run?.close()
    await Promise.all(opened.map((clip) => clip.close()))
  }
}

/** The configuration of a new run, with the number of its replicas. */
async function withReplicas<C extends AnyConfig, I, D extends { close(): void }>(
  way: TrainingRun<C, I, D>,
): Promise<C> {
  const { config } = way
  const { training } = config
  const replicas = await chooseReplicas(training, {
    step: (batch) => way.step(config, batch),
    openStep: (count) => stepsBy(training, count),
  })
  return { ...config, training: { ...training, replicas } }
}

/** All files that a new run begins with. */
async function readAll<C extends AnyConfig, I, D extends { close(): void }>(
  way: TrainingRun<C, I, D>,
  config: C,
) {
  return { read: await way.read(config), start: await readStart(config) }
}

/** A run folder as the place that keeps a run. `onEvent` is told what was saved. */
function folderStore(run: Run, onEvent: (event: TrainEvent) => void): RunStore {
  return {
    path: run.path,
    hasCheckpoint: () => run.hasCheckpoint(),
    loadCheckpoint: () => run.loadCheckpoint(),
    saveCheckpoint: (checkpoint) => run.saveCheckpoint(checkpoint),
    async saveWeights(tensors, step) {
      await run.saveWeights(tensors, new Map([['step', String(step)]]))
      // A caller may look at the files before training goes on.
      await onEvent({ kind: 'saved', step, inMemory: false })
    },
    appendMetrics: (record) => run.appendMetrics(record),
    truncateMetrics: (step) => run.truncateMetrics(step),
    async savePreview(step, picture, measures) {
      await writePicture(run.previewPath(step), picture)
      onEvent({ kind: 'preview', step, picture, measures })
    },
  }
}

export interface StepSettings {
  readonly device: NonNullable<SessionOptions['device']>
  readonly adam: AdamOptions
  /** Within one op on the CPU (default: one for each core). */
  readonly threads?: number | undefined
}

/**
 * A session on the training step's graph, with the state that it works on. A step writes the new state beside the old
 * one. The new state counts only if all numbers of the step are finite, so that the state is good at any time.
 */
export class StepSession implements StepRunner {
  readonly replicas = 1

  private constructor(
    private readonly session: Session,
    private readonly reports: readonly string[],
    private readonly adam: AdamOptions,
    private current: TrainingState,
    private spare: TrainingState,
  ) {}

  static async create(
    step: TrainingStep,
    { device, adam, threads }: StepSettings,
    state: TrainingState,
  ): Promise<StepSession> {
    const session = await createSession(step.graph, {
      ...{ device, weights: step.fixed, optimise: 'fuse' },
      ...(threads !== undefined && { threads }),
    })
    const spare = {
      weights: new Float32Array(state.weights.length),
      buffers: new Float32Array(state.buffers.length),
      firstMoment: new Float32Array(state.firstMoment.length),
      secondMoment: new Float32Array(state.secondMoment.length),
    }
    return new StepSession(session, step.reports, adam, state, spare)
  }

  /** The device that is really used. */
  get device(): Session['device'] {
    return this.session.device
  }

  /** The state after the last good step. The step after next overwrites it: use it at once, or copy it. */
  get state(): TrainingState {
    return this.current
  }

  async read(): Promise<TrainingState> {
    return this.current
  }

  async run(
    number: number,
    rate: number,
    [batch]: readonly Tensors[],
  ): Promise<{ report: Report; taken: boolean }> {
    const into = Object.fromEntries(
      stateNames.map((name) => [stateOutputs[name], floats1d(this.spare[name])]),
    )
    const results = await this.session.run(this.feeds(number, rate, batch!), into)
    const values = results.losses!.data as Float32Array
    const report = Object.fromEntries(this.reports.map((name, i) => [name, values[i]!]))
    const taken = values.every((value) => Number.isFinite(value))
    if (taken) {
      const written = this.spare
      this.spare = this.current
      this.current = written
    }
    return { report, taken }
  }

  async close(): Promise<void> {
    await this.session.close()
  }

  private feeds(number: number, rate: number, batch: Tensors): Record<string, Tensor> {
    const scalars = adamScalars(number, rate, this.adam)
    return {
      ...Object.fromEntries(stateNames.map((name) => [name, floats1d(this.current[name])])),
      ...batch,
      [adamInputs.rate]: scalar(scalars.rate),
      [adamInputs.correction]: scalar(scalars.correction),
    }
  }
}

/** Opens steps by replicas. Each has the threads that are asked for, or its part of the cores. */
const replicaSteps =
  (replicas: number, threads = Math.max(1, Math.floor(coresHere() / replicas))): OpenStep =>
  (step, adam, state) =>
    ReplicaSteps.create(step, { adam, replicas, threads }, state)

/** Opens step sessions on the device of a run's settings. */
export const stepsOn =
  ({ device, threads }: Pick<StepSettings, 'device' | 'threads'>): OpenStep =>
  (step, adam, state) =>
    StepSession.create(step, { device, adam, threads }, state)

/** Opens the steps of a run with these settings, by a number of replicas. */
const stepsBy = (settings: Settings, replicas: number): OpenStep =>
  replicas > 1 ? replicaSteps(replicas, settings.threads) : stepsOn(settings)

const floats1d = (data: Float32Array<ArrayBuffer>): Tensor => tensor('float32', [data.length], data)
