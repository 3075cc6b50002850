import { readFile } from 'node:fs/promises'
import { startingWeights } from '../convert/starting-weights.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { Clip } from '../media/clip.ts'
import { openClip } from '../media/source.ts'
import { fileError } from '../store/file-errors.ts'
import type { Run } from '../store/run.ts'
import { Random } from '../util/random.ts'
import { makeRun, resolveConfig, type TrainOptions } from './begin.ts'
import type { RunConfig, TrainingConfig } from './config.ts'
import { assertUsable, cacheClips, type FrameCache } from './frame-cache.ts'
import { emptyWindow, type Position, type StepEvent, trainLoop, type Window } from './loop.ts'
import { type PerceptualLoss, perceptualLoss } from './perceptual.ts'
import { Reconstructor } from './reconstruction.ts'
import { initialState, stateFrom } from './state.ts'
import { buildTrainingStep } from './step.ts'
import { StepSession, type TrainingState } from './step-session.ts'

export type { TrainOptions, TrainProgress } from './begin.ts'

/** A run that was trained; other functions take it as it is, or its path. */
export interface TrainedRun {
  readonly path: string
  readonly steps: number
  /** Seconds of training, over all sittings. */
  readonly seconds: number
  /** Mean loss of the last steps; NaN where none was taken. */
  readonly loss: number
  /** The device that was really used. */
  readonly device: string
  readonly interrupted: boolean
}

/**
 * Trains a motion model without labels on clips, and writes a run folder.
 *
 * @param clips paths of videos, or puppet specs (`puppet:7`).
 * @throws InputError for options or clips that cannot be used, before anything is written; TrainingError
 * where numbers stop being finite; EnvironmentError where the device or the disk fails.
 */
export async function train(clips: string | readonly string[], options: TrainOptions): Promise<TrainedRun> {
  const startedAt = performance.now()
  const specs = typeof clips === 'string' ? [clips] : clips
  const config = resolveConfig(specs, options)
  const opened = await openAll(specs)
  let run: Run<RunConfig> | undefined
  let cache: FrameCache | undefined
  try {
    assertUsable(opened, { size: config.model.size, holdout: config.training.holdout })
    if (!options.resume) await readStart(config)
    // Read here too, so that a file that cannot be used is refused before the run folder is made.
    await readPerceptual(config.training)
    run = await makeRun(config, options)
    const { model, training } = run.config
    cache = await cacheClips(opened, {
      size: model.size,
      fit: training.fit,
      holdout: training.holdout,
      ...(options.signal && { signal: options.signal }),
      onFrame: (done, total) => options.onProgress?.({ phase: 'decode', done, total }),
    })
    return await trainOn(run, cache, options, startedAt)
  } catch (error) {
    // Stopped while frames were decoded: nothing is lost, and the run can be resumed from its beginning.
    if (run === undefined || cache !== undefined || !options.signal?.aborted) throw error
    return { path: run.path, steps: 0, seconds: 0, loss: Number.NaN, device: 'none yet', interrupted: true }
  } finally {
    cache?.close()
    run?.close()
    await Promise.all(opened.map((clip) => clip.close()))
  }
}

async function trainOn(
  run: Run<RunConfig>,
  cache: FrameCache,
  options: TrainOptions,
  startedAt: number,
): Promise<TrainedRun> {
  const { model, training } = run.config
  const perceptual = await readPerceptual(training)
  const step = buildTrainingStep(model, {
    batch: training.batch,
    scales: training.scales,
    weights: training.losses,
    transform: training.transform,
    adam: training.adam,
    colour: training.augment.colour > 0,
    ...(perceptual && { perceptual }),
  })
  const random = new Random(training.seed)
  const forWeights = random.fork()
  let state: TrainingState
  let position: Position = { step: 0, elapsedBefore: 0, window: emptyWindow() }
  if (await run.hasCheckpoint()) {
    const checkpoint = await run.loadCheckpoint()
    state = stateFrom(checkpoint.tensors, step)
    random.state = checkpoint.randomState
    const window = JSON.parse(checkpoint.extra.get('window') ?? 'null') as Window | null
    position = { step: checkpoint.step, elapsedBefore: checkpoint.elapsed, window: window ?? emptyWindow() }
  } else {
    state = initialState(step, forWeights, await readStart(run.config))
  }
  await run.truncateMetrics(position.step)

  const session = await StepSession.create(step, training, model.size, state)
  const reconstructor = await Reconstructor.create(model, step, session.device)
  const [first, began] = [position.step, performance.now()]
  let last: StepEvent | undefined
  try {
    const finished = await trainLoop({
      run,
      cache,
      session,
      reconstructor,
      layouts: step,
      random,
      position,
      startedAt,
      signal: options.signal,
      onStep(event) {
        last = event
        const rate = (event.step - first) / ((performance.now() - began) / 1000)
        options.onProgress?.({
          phase: 'train',
          done: event.step,
          total: event.steps,
          progress: event.progress,
          rate,
          etaSeconds:
            event.steps === undefined
              ? Math.max(0, 60 * training.minutes! - event.elapsed)
              : (event.steps - event.step) / rate,
          loss: event.loss,
          device: session.device,
        })
      },
    })
    return {
      path: run.path,
      steps: position.step,
      seconds: last?.elapsed ?? position.elapsedBefore,
      loss: last?.loss ?? Number.NaN,
      device: session.device,
      interrupted: !finished,
    }
  } finally {
    await reconstructor.close()
    await session.close()
  }
}

/** Weights that a run begins with in place of fresh ones. @throws InputError, FormatError where they cannot be. */
async function readStart({ model, training }: RunConfig): Promise<ReadonlyMap<string, Tensor> | undefined> {
  return training.init === undefined ? undefined : startingWeights(training.init, model)
}

/** The perceptual network that a run names. @throws InputError, FormatError for a file that cannot be used. */
async function readPerceptual({ perceptual, scales }: TrainingConfig): Promise<PerceptualLoss | undefined> {
  if (perceptual === undefined) return undefined
  const bytes = await readFile(perceptual).catch((error: unknown) => {
    throw fileError(error, perceptual, 'read')
  })
  return perceptualLoss(bytes, perceptual, scales)
}

async function openAll(specs: readonly string[]): Promise<Clip[]> {
  const opened: Clip[] = []
  try {
    for (const spec of specs) opened.push(await openClip(spec))
    return opened
  } catch (error) {
    await Promise.all(opened.map((clip) => clip.close()))
    throw error
  }
}
