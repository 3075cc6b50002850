// A training in the worker: from its beginning or its last checkpoint, to its end or until it is paused. On a GPU its state
// stays there between the steps.
import { scalar, tensor } from '../../graph/tensor.ts'
import type { Tensors } from '../../runtime/session.ts'
import type { WebRuntime } from '../../runtime/web.ts'
import { createResidentSession, type ResidentSession } from '../../runtime/web-resident.ts'
import { type AdamOptions, adamInputs, adamScalars } from '../../train/adam.ts'
import { type LoopResult, trainTask } from '../../train/loop.ts'
import { reconstructionTask, weightsBefore } from '../../train/reconstruction/task.ts'
import { type StateName, stateNames, stateOutputs, type TrainingState } from '../../train/state.ts'
import type { OpenStep, Report, StepRunner, TrainingStep } from '../../train/step.ts'
import { isPantinError, messageOf } from '../../util/errors.ts'
import type { SentPlace } from '../connection.ts'
import type { RunFiles } from '../run.ts'
import { withRunLock } from '../storage.ts'
import type { WebTrainEvent } from '../trainer.ts'
import { Processor, tell } from './device.ts'
import type { TrainingRun } from './training-run.ts'

/** A training in progress. */
export class TrainingWorker {
  private constructor(
    /** The run's files, once training has ended or is paused. */
    readonly ended: Promise<RunFiles>,
    private readonly stopping: AbortController,
  ) {
    // The page that asks for the result is told. If none asks, the failure is no error of the worker.
    ended.catch(() => {})
  }

  /**
   * Begins once the run is ready, and holds its lock until the end.
   *
   * @throws InputError if another tab trains the run; the errors of `ready`.
   */
  static begin(name: string, place: SentPlace, ready: () => Promise<TrainingRun>): Promise<TrainingWorker> {
    return new Promise((resolve, reject) => {
      const stop = new AbortController()
      const ended = withRunLock(name, async () => {
        const run = await ready()
        try {
          const processor = await Processor.open(place)
          resolve(new TrainingWorker(ended, stop))
          return await trainToEnd(run, processor, stop.signal)
        } finally {
          run.cache.close()
        }
      })
      // A failure before training has begun is the failure of this call.
      ended.catch(reject)
    })
  }

  /** Saves and stops; `ended` resolves then. */
  pause(): void {
    this.stopping.abort()
  }
}

async function trainToEnd(run: TrainingRun, processor: Processor, signal: AbortSignal): Promise<RunFiles> {
  try {
    const { steps, interrupted } = await trainOnWhatWorks(run, processor, signal)
    await run.store.finish()
    const files = await run.store.files()
    say({ kind: interrupted ? 'paused' : 'finished', step: steps })
    return files
  } catch (error) {
    const { what, remedy } = isPantinError(error) ? error.problem : { what: messageOf(error) }
    say({
      kind: 'failed',
      message: isPantinError(error) ? error.message : what,
      ...(remedy !== undefined && { remedy }),
    })
    throw error
  }
}

/** Trains; if the GPU is lost, goes on from the last checkpoint on the CPU. */
async function trainOnWhatWorks(
  run: TrainingRun,
  processor: Processor,
  signal: AbortSignal,
): Promise<LoopResult> {
  for (;;) {
    try {
      return await trainOnce(run, processor, signal)
    } catch (error) {
      if (!(await processor.leavesGpu(error))) throw error
    }
  }
}

async function trainOnce(
  { config, cache, store, start }: TrainingRun,
  processor: Processor,
  signal: AbortSignal,
): Promise<LoopResult> {
  const how = { openSession: processor.openSession, batch: config.training.batch }
  const task = await reconstructionTask(config, cache, how, { before: weightsBefore(config, start) })
  try {
    return await trainTask(store, {
      ...{ task, signal, settings: config.training, start },
      openStep: residentSteps(processor.current),
      onStep: (event) => say({ ...event, device: processor.computing.device }),
    })
  } finally {
    // On a lost device there is nothing to free.
    await task.close().catch(() => {})
  }
}

const say = (event: WebTrainEvent): void => tell({ kind: 'train', event })

/** Opens steps whose state stays on the device. */
export const residentSteps =
  (runtime: WebRuntime): OpenStep =>
  async (step, adam, state) => {
    const session = await createResidentSession(runtime, step.graph, {
      carried: stateOutputs,
      state: Object.fromEntries(
        stateNames.map((name) => [name, tensor('float32', [state[name].length], state[name])]),
      ),
      weights: step.fixed,
      optimise: 'fuse',
    })
    return new ResidentSteps(session, step, adam)
  }

class ResidentSteps implements StepRunner {
  readonly replicas = 1

  constructor(
    private readonly session: ResidentSession,
    private readonly step: TrainingStep,
    private readonly adam: AdamOptions,
  ) {}

  get device() {
    return this.session.device
  }

  async run(
    number: number,
    learningRate: number,
    [batch]: readonly Tensors[],
  ): Promise<{ report: Report; taken: boolean }> {
    const { rate, correction } = adamScalars(number, learningRate, this.adam)
    const { losses } = await this.session.run({
      ...batch,
      [adamInputs.rate]: scalar(rate),
      [adamInputs.correction]: scalar(correction),
    })
    const values = losses!.data as Float32Array
    const report = Object.fromEntries(this.step.reports.map((name, i) => [name, values[i]!]))
    const taken = values.every((value) => Number.isFinite(value))
    if (taken) this.session.accept()
    return { report, taken }
  }

  async read(): Promise<TrainingState> {
    const state = await this.session.read()
    const vector = (name: StateName) => state[name]!.data as Float32Array<ArrayBuffer>
    return {
      weights: vector('weights'),
      buffers: vector('buffers'),
      firstMoment: vector('firstMoment'),
      secondMoment: vector('secondMoment'),
    }
  }

  close(): Promise<void> {
    return this.session.close()
  }
}
