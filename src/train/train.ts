import { readFile } from 'node:fs/promises'
import type { Clip } from '../media/clip.ts'
import { openClip } from '../media/source.ts'
import { type MotionConfig, smallConfig } from '../motion/config.ts'
import { describeDevices } from '../runtime/node.ts'
import { fileError } from '../store/file-errors.ts'
import { createRun, openRun, type Run } from '../store/run.ts'
import { InputError } from '../util/errors.ts'
import { Random } from '../util/random.ts'
import { version } from '../util/version.ts'
import { type RunConfig, runConfigSchema, type TrainingConfig, trainingConfigSchema } from './config.ts'
import { assertUsable, cacheClips, type FrameCache } from './frame-cache.ts'
import { emptyWindow, type Position, type StepEvent, trainLoop, type Window } from './loop.ts'
import { type PerceptualLoss, perceptualLoss } from './perceptual.ts'
import { Reconstructor } from './reconstruction.ts'
import { initialState, stateFrom } from './state.ts'
import { buildTrainingStep } from './step.ts'
import { StepSession, type TrainingState } from './step-session.ts'

export interface TrainOptions extends Partial<Omit<TrainingConfig, 'clips'>> {
  /** The run folder to make, or to continue with `resume`. */
  readonly out: string
  /** Backbone of the detector, a name of the zoo (default lednet). */
  readonly net?: string
  /** Side of the square frames in pixels (default 64). */
  readonly size?: number
  /** Number of keypoints (default 10). */
  readonly keypoints?: number
  /** The whole model, in place of `net`, `size` and `keypoints`. */
  readonly model?: MotionConfig
  /** Continue the run in `out` from its last checkpoint, by its own configuration. */
  readonly resume?: boolean
  /** Replace a run that is in `out`. */
  readonly force?: boolean
  /** Ends training early: the state is saved, and `interrupted` says so. */
  readonly signal?: AbortSignal
  onProgress?(event: TrainProgress): void
}

/** What `onProgress` is told: frames decoded, then steps. */
export type TrainProgress =
  | { readonly phase: 'decode'; readonly done: number; readonly total: number }
  | {
      readonly phase: 'train'
      readonly done: number
      /** Undefined where minutes decide. */
      readonly total: number | undefined
      /** Part of the run that is done, 0 to 1. */
      readonly progress: number
      /** Steps a second, over this sitting. */
      readonly rate: number
      readonly etaSeconds: number
      readonly loss: number
      readonly device: string
    }

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

/** How long a run takes where nothing is said. */
const defaultMinutes = 8

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
  let state: TrainingState = initialState(step, random.fork())
  let position: Position = { step: 0, elapsedBefore: 0, window: emptyWindow() }
  if (await run.hasCheckpoint()) {
    const checkpoint = await run.loadCheckpoint()
    state = stateFrom(checkpoint.tensors, step)
    random.state = checkpoint.randomState
    const window = JSON.parse(checkpoint.extra.get('window') ?? 'null') as Window | null
    position = { step: checkpoint.step, elapsedBefore: checkpoint.elapsed, window: window ?? emptyWindow() }
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

/** The perceptual network that a run names. @throws InputError, FormatError for a file that cannot be used. */
async function readPerceptual({ perceptual, scales }: TrainingConfig): Promise<PerceptualLoss | undefined> {
  if (perceptual === undefined) return undefined
  const bytes = await readFile(perceptual).catch((error: unknown) => {
    throw fileError(error, perceptual, 'read')
  })
  return perceptualLoss(bytes, perceptual, scales)
}

/** Options with their defaults. @throws InputError that names the option. */
function resolveConfig(clips: readonly string[], options: TrainOptions): RunConfig {
  const { out, net = 'lednet', size, keypoints = 10, resume, force, signal, onProgress, ...others } = options
  const { model: given, ...rest } = others
  if (!Number.isInteger(keypoints) || keypoints < 1 || keypoints > 100) {
    throw new InputError({
      what: 'keypoints must be a whole number',
      got: String(keypoints),
      expected: '1 to 100',
      remedy: '10 is what the published model has',
    })
  }
  if (rest.steps !== undefined && rest.minutes !== undefined) {
    throw new InputError({ what: 'a run ends after steps or after minutes, not both', remedy: 'give one' })
  }
  const model = given ?? smallConfig({ net, keypoints, ...(size !== undefined && { size }) })
  const length = rest.steps === undefined && rest.minutes === undefined ? { minutes: defaultMinutes } : {}
  const parsed = trainingConfigSchema.safeParse({ ...rest, ...length, clips: [...clips] })
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new InputError({
      what: `the option ${issue!.path.join('.') || 'list'} is not usable`,
      expected: issue!.message,
    })
  }
  return { model, training: parsed.data }
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

async function makeRun(
  config: RunConfig,
  { out, resume, force, ...given }: TrainOptions,
): Promise<Run<RunConfig>> {
  if (!resume) {
    const devices = await describeDevices()
    return createRun(out, { config, version, force: force ?? false, environment: { devices } })
  }
  const run = await openRun(out, runConfigSchema, { write: true })
  const conflict = firstConflict(run.config, config, given)
  if (conflict === undefined) return run
  run.close()
  throw new InputError({
    what: `the run was begun with another ${conflict.name}`,
    where: run.path,
    got: conflict.got,
    expected: conflict.expected,
    remedy: 'resume it as it was begun, or train another run',
  })
}

/** An option that was given and is not what the run was begun with. */
function firstConflict(begun: RunConfig, asked: RunConfig, given: Partial<TrainOptions>) {
  const pairs: [string, unknown, unknown][] = [
    ['clips', begun.training.clips, asked.training.clips],
    ...(['net', 'size', 'keypoints'] as const).flatMap((name): [string, unknown, unknown][] =>
      given[name] === undefined ? [] : [[name, begun.model[name], asked.model[name]]],
    ),
    ...(['steps', 'minutes', 'batch', 'seed', 'holdout', 'fit'] as const).flatMap(
      (name): [string, unknown, unknown][] =>
        given[name] === undefined ? [] : [[name, begun.training[name], asked.training[name]]],
    ),
  ]
  for (const [name, before, now] of pairs) {
    if (JSON.stringify(before) !== JSON.stringify(now)) {
      return { name, got: JSON.stringify(now), expected: JSON.stringify(before) }
    }
  }
  return undefined
}
