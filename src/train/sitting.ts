import type { Tensor } from '../graph/tensor.ts'
import { Random } from '../util/random.ts'
import type { Settings } from './config.ts'
import { emptyWindow, type Position, type StepEvent, trainLoop, type Window } from './loop.ts'
import type { TrainProgress } from './run-options.ts'
import type { RunStore } from './run-store.ts'
import { initialState, stateFrom } from './state.ts'
import type { OpenStep, TrainingState } from './step-runner.ts'
import type { Task } from './task.ts'

/** A run that was trained; other functions take it as it is, or its path. */
export interface TrainedRun {
  readonly path: string
  readonly steps: number
  /** Seconds that steps took, over all sittings. */
  readonly seconds: number
  /** Of the last step; NaN where none was taken. */
  readonly loss: number
  /** The device that was really used. */
  readonly device: string
  readonly interrupted: boolean
}

export interface SittingOptions {
  readonly settings: Settings
  /** Weights to begin a new run with in place of fresh ones. */
  readonly start: ReadonlyMap<string, Tensor> | undefined
  readonly signal?: AbortSignal
  onProgress?(event: TrainProgress): void
  readonly task: Task
  /** Makes what takes the steps. */
  readonly openStep: OpenStep
}

/** Trains a run from its beginning, or from its last checkpoint, until it ends or the signal aborts. */
export async function sit(store: RunStore, options: SittingOptions): Promise<TrainedRun> {
  const { task, settings, signal, onProgress } = options
  const { step } = task
  const random = new Random(settings.seed)
  const forWeights = random.fork()
  let state: TrainingState
  let position: Position = { step: 0, elapsedBefore: 0, window: emptyWindow(step.reports) }
  if (await store.hasCheckpoint()) {
    const checkpoint = await store.loadCheckpoint()
    state = stateFrom(checkpoint.tensors, step)
    random.state = checkpoint.randomState
    const window = JSON.parse(checkpoint.extra.get('window') ?? 'null') as Window | null
    position = {
      step: checkpoint.step,
      elapsedBefore: checkpoint.elapsed,
      window: window ?? emptyWindow(step.reports),
    }
  } else {
    state = initialState(step, forWeights, options.start)
  }
  await store.truncateMetrics(position.step)

  const runner = await options.openStep(step, settings.adam, state)
  const [first, began] = [position.step, performance.now()]
  let last: StepEvent | undefined
  try {
    const finished = await trainLoop({
      ...{ store, task, settings, runner, random, position, signal },
      onStep(event) {
        last = event
        const rate = (event.step - first) / ((performance.now() - began) / 1000)
        onProgress?.({
          phase: 'train',
          done: event.step,
          total: event.steps,
          progress: event.progress,
          rate,
          etaSeconds:
            event.steps === undefined
              ? Math.max(0, 60 * settings.minutes! - event.elapsed)
              : (event.steps - event.step) / rate,
          loss: event.loss,
          report: event.report,
          device: runner.device,
        })
      },
    })
    return {
      path: store.path,
      steps: position.step,
      seconds: last?.elapsed ?? position.elapsedBefore,
      loss: last?.loss ?? Number.NaN,
      device: runner.device,
      interrupted: !finished,
    }
  } finally {
    await runner.close()
  }
}
