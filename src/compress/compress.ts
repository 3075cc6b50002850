// Compresses a run: tries what can help, measures it on the user's own clips and on the device, keeps what pays, and writes a
// run folder like any other.
import { listClips } from '../clips/source.ts'
import type { CropOptions } from '../faces/node.ts'
import { assertNoInput } from '../files/folders.ts'
import type { EightBitPlans, LoadedRun, ModelPart } from '../model/loaded-run.ts'
import type { MotionModel } from '../model/motion-model.ts'
import { loadRun } from '../model/open-model.ts'
import type { EightBitPlan } from '../optimise/eight-bits.ts'
import { describeMachine, type Machine } from '../run/config-file.ts'
import { hasExactEightBitSums } from '../runtime/devices.ts'
import { InputError } from '../util/errors.ts'
import { defined, type OptionValues } from '../util/options.ts'
import { type CalibratedPart, calibrate } from './calibration.ts'
import {
  type CompressionTrial,
  type FoundPlan,
  openPlanned,
  type PartTimes,
  type Sensitivity,
  searchEightBits,
  timesOf,
} from './eight-bits.ts'
import {
  type Difference,
  differenceOf,
  type FrameSets,
  halved,
  memoryOf,
  referenceOf,
  seeAll,
  takeFrames,
  weightsBytes,
  withoutGenerator,
  writeRun,
} from './measure.ts'
import { compressOptions } from './options.ts'
import { type PrunedNumbers, pruneRun } from './prune.ts'
import { trainRounded } from './rounded-training.ts'

/** How frames are taken and eight bits are chosen. */
export interface PlanOptions extends OptionValues<typeof compressOptions>, Omit<CropOptions, 'signal'> {
  /** Stops the work, which then fails with the signal's reason. Nothing is written then. */
  readonly signal?: AbortSignal | undefined
  /** Called when something else is tried. */
  onProgress?(what: string): void
}

/** How a run is compressed. */
export interface CompressOptions extends PlanOptions {
  /** The folder that is made. */
  readonly out: string
  /** Replaces a run that is in the folder (default false). */
  readonly force?: boolean
}

/** A state of the run between the original and the end. */
export interface CompressionStep {
  /** `original`, `pruned`, `fp16` or `int8`. */
  readonly name: string
  /** What was done, in words. */
  readonly what: string
  /** Whether the written run has it. */
  readonly kept: boolean
  /** Size of the run's files in bytes. */
  readonly fileBytes: number
  /** Size of all weights in memory when it works, in bytes. */
  readonly memoryBytes: number
  /** Milliseconds of each network; empty if it was not timed. */
  readonly times: PartTimes
  /** How far the run is from the original. */
  readonly difference: Difference
}

/** What `compress` did. */
export interface CompressionReport {
  /** The run that was compressed. */
  readonly run: string
  /** The folder that was written. */
  readonly path: string
  /** The device that was measured on. */
  readonly device: string
  /** Threads of each network that was timed. */
  readonly threads: number
  /** Whether sums of eight bits are exact on this processor. */
  readonly exactSums: boolean
  /** The machine that was measured on. */
  readonly machine: Machine
  /** Numbers of frames. */
  readonly frames: {
    /** Frames that gave the ranges. */
    readonly calibration: number
    /** Frames that were measured on. */
    readonly measured: number
  }
  /** The states that the run went through, the original first. */
  readonly steps: readonly CompressionStep[]
  /** Multiply-adds and trained numbers of the detector before and after pruning; null if it was not asked for. */
  readonly pruned: PrunedNumbers | null
  /** What was decided for each network, in words. */
  readonly verdicts: Readonly<Partial<Record<ModelPart, string>>>
  /** Sets of ops that were tried in eight bits. */
  readonly trials: readonly CompressionTrial[]
  /** How much each layer moves the result. */
  readonly sensitivities: readonly Sensitivity[]
}

/**
 * Compresses a run and writes it to a folder of its own, which is opened, animated with, exported and trained further as
 * any run. Weights become half-precision numbers. For a CPU, networks that are faster so compute in eight bits.
 *
 * @param run a run folder, or the name of a starter
 * @param videos names of clips, as for `train`; at least one
 * @throws InputError if the run or a clip cannot serve, or if something is in the folder; FormatError if weights do not
 * fit. The signal's reason, if it is aborted.
 */
export async function compress(
  run: string,
  videos: readonly string[],
  options: CompressOptions,
): Promise<CompressionReport> {
  const { out, force = false, signal, onProgress } = options
  const settings = settingsOf(options)
  await assertNoInput([out], [run, ...videos])
  const loaded = { ...(await loadRun(run, { signal })), eightBits: undefined }
  onProgress?.('frames')
  const clips = await listClips(videos)
  const sets = await takeFrames(clips, loaded, frameOptions(settings, options))
  const found = await tryAll(loaded, clips, sets, settings, options)
  signal?.throwIfAborted()
  onProgress?.('writing')
  const written = await writeRun(found, settings.device, { out, force })
  return {
    run: loaded.path,
    path: written,
    ...{ device: settings.device, threads: settings.threads, exactSums: found.exactSums },
    machine: describeMachine(),
    frames: { calibration: countOf(sets.calibration), measured: countOf(sets.measured) },
    ...{ steps: found.steps, pruned: found.pruned, verdicts: found.verdicts, trials: found.trials },
    sensitivities: found.sensitivities,
  }
}

/**
 * Chooses what of a run's detector computes in eight bits, for `exportFolder`. Ranges come from the videos. Nothing is
 * timed, for the file may be for another machine.
 *
 * @throws InputError as `compress`, or if no part of the detector stays near enough to the original
 */
export async function planDetector(
  run: string,
  videos: readonly string[],
  options: PlanOptions = {},
): Promise<EightBitPlan> {
  const { signal, onProgress } = options
  const settings = settingsOf(options)
  const found = await loadRun(run, { signal })
  // The detector alone: the generator's ranges are of no use here.
  const loaded = { ...withoutGenerator(found), eightBits: undefined }
  const sets = await takeFrames(await listClips(videos), loaded, frameOptions(settings, options))
  const reference = await withModel(openPlanned(loaded, {}), (model) =>
    referenceOf(model, sets.measured, signal),
  )
  const parts = await calibrate(loaded, (model) => seeAll(model, sets.calibration, signal))
  const { plan, verdict } = await searchEightBits(loaded, parts[0]!, reference, {
    ...{ calibration: settings.calibration, threads: settings.threads, signal, timed: false },
    largestWeight: (await hasExactEightBitSums()) ? 127 : 63,
    allows: ({ distance }) => distance <= settings.maxDistance,
    badness: ({ distance }) => distance,
    ...(onProgress && { onTried: onProgress }),
  })
  if (plan !== undefined) return plan
  throw new InputError({
    what: 'the detector does not work in eight bits',
    where: run,
    got: verdict,
    remedy: 'export it in fp16, or allow more: maxDistance',
  })
}

const frameOptions = ({ frames, holdout }: Settings, { fit, crop, face, signal }: PlanOptions) => ({
  ...defined({ fit, crop, face }),
  ...{ frames, holdout, signal },
})

function settingsOf(options: PlanOptions) {
  const of = <Name extends Exclude<keyof typeof compressOptions, 'precision' | 'calibration'>>(name: Name) =>
    options[name] ?? compressOptions[name].default
  const device = (options.device ?? compressOptions.device.default) as 'cpu' | 'wasm' | 'webgpu'
  return {
    device,
    precision: options.precision ?? (device === 'cpu' ? 'int8' : 'fp16'),
    maxDistance: Number(of('maxDistance')),
    maxPsnrLoss: Number(of('maxPsnrLoss')),
    frames: Number(of('frames')),
    holdout: Number(of('holdout')),
    threads: Number(of('threads')),
    roundedSteps: Number(of('roundedSteps')),
    prune: Number(of('prune')),
    pruneSteps: Number(of('pruneSteps')),
    calibration: options.calibration,
  }
}

type Settings = ReturnType<typeof settingsOf>

const countOf = (clips: FrameSets['measured']) => clips.reduce((sum, { frames }) => sum + frames.length, 0)

interface Tried {
  readonly run: LoadedRun
  readonly halfKept: boolean
  readonly plans: EightBitPlans
  readonly exactSums: boolean
  readonly steps: readonly CompressionStep[]
  readonly pruned: PrunedNumbers | null
  readonly verdicts: Partial<Record<ModelPart, string>>
  readonly trials: readonly CompressionTrial[]
  readonly sensitivities: readonly Sensitivity[]
}

async function tryAll(
  loaded: LoadedRun,
  clips: readonly string[],
  sets: FrameSets,
  settings: Settings,
  options: CompressOptions,
): Promise<Tried> {
  const { signal, onProgress } = options
  const exactSums = await hasExactEightBitSums()
  const allows = ({ distance, psnrLoss }: Difference, part = 1) =>
    distance <= part * settings.maxDistance && (psnrLoss ?? 0) <= part * settings.maxPsnrLoss
  onProgress?.('original')
  const reference = await withModel(openPlanned(loaded, {}), (model) =>
    referenceOf(model, sets.measured, signal),
  )
  const whole = (run: LoadedRun, plans: EightBitPlans, known: readonly CalibratedPart[] = []) =>
    withModel(openPlanned(run, plans, known), (model) =>
      differenceOf(model, reference, 'all', Number.POSITIVE_INFINITY, signal),
    )

  const smaller =
    settings.prune === 0
      ? undefined
      : await pruneRun(
          loaded,
          { clips, frames: sets.calibration, holdout: settings.holdout },
          { ...options, part: settings.prune, by: options.pruneBy, steps: settings.pruneSteps },
        )
  const pruned = smaller && { ...smaller, difference: await whole(smaller.run, {}) }
  const prunedKept = pruned !== undefined && allows(pruned.difference)
  const start = prunedKept ? pruned.run : loaded

  onProgress?.('fp16')
  const half = halved(start)
  const halfDifference = await whole(half, {})
  const halfKept = allows(halfDifference)
  let base = halfKept ? half : start
  const zeroOr = (value: number | null) => (value === null ? null : 0)
  const zero: Difference = {
    distance: 0,
    jacobian: zeroOr(halfDifference.jacobian),
    psnrLoss: zeroOr(halfDifference.psnrLoss),
    l1: zeroOr(halfDifference.l1),
  }
  const states: CompressionStep[] = []

  onProgress?.('calibration')
  const calibrated = (run: LoadedRun) => calibrate(run, (model) => seeAll(model, sets.calibration, signal))
  let parts = await calibrated(base)
  const originalParts = prunedKept ? await calibrated(loaded) : parts
  const plans: { -readonly [Part in ModelPart]?: EightBitPlan } = {}
  const verdicts: Partial<Record<ModelPart, string>> = {}
  const trials: CompressionTrial[] = []
  const sensitivities: Sensitivity[] = []
  if (settings.precision === 'int8' && settings.device === 'cpu') {
    const search = (run: LoadedRun, one: CalibratedPart) => {
      const { part } = one
      return searchEightBits(run, one, reference, {
        ...{ calibration: settings.calibration, threads: settings.threads, signal },
        largestWeight: exactSums ? 127 : 63,
        // Errors of several networks add up.
        allows: (difference) => allows(difference, part === 'detector' ? 0.9 : 0.5),
        badness: ({ distance, psnrLoss, l1 }) =>
          part === 'detector' ? distance : Math.max(0, psnrLoss ?? 0) + (l1 ?? 0),
        ...(onProgress && { onTried: onProgress }),
      })
    }
    const settle = (part: ModelPart, found: FoundPlan) => {
      verdicts[part] = found.verdict
      trials.push(...found.trials)
      sensitivities.push(...found.sensitivities)
      if (found.plan !== undefined) plans[part] = found.plan
    }
    for (const one of parts) {
      const { part } = one
      const found = await search(base, one)
      settle(part, found)
      if (part !== 'detector' || settings.roundedSteps === 0 || found.choice === undefined) continue
      const trained = halved(
        await trainRounded(base, sets.calibration, {
          ...{ ...found.choice, steps: settings.roundedSteps, signal },
          onStep: (step, loss) => onProgress?.(`rounded training: step ${step}, loss ${loss.toPrecision(3)}`),
        }),
      )
      const [again] = await calibrated(withoutGenerator(trained))
      const second = await search(trained, again!)
      const inFloat = await withModel(openPlanned(withoutGenerator(trained), {}), (model) =>
        differenceOf(model, reference, 'keypoints', Number.POSITIVE_INFINITY, signal),
      )
      const after = `after ${settings.roundedSteps} steps of rounded training`
      trials.push({ part, what: `float, ${after}`, speed: null, difference: inFloat })
      if (!allows(inFloat) || !isBetter(second, found)) {
        verdicts[part] = `${found.verdict}; not better ${after}`
        continue
      }
      base = trained
      parts = parts.map((one) => (one.part === 'detector' ? again! : one))
      settle(part, { ...second, verdict: `${second.verdict}, ${after}` })
    }
  }

  // Together, errors of several networks may be more than is allowed: the least fast network goes back to float.
  onProgress?.('the whole')
  let difference = await whole(base, plans, parts)
  for (const part of ['source', 'frame', 'detector'] as const) {
    if (allows(difference) || plans[part] === undefined) continue
    delete plans[part]
    verdicts[part] = `${verdicts[part]}; together with the others too far from the original`
    difference = await whole(base, plans, parts)
  }

  const times = await timesOf(parts, plans, originalParts, { threads: settings.threads, signal })
  const memory = memoryOf(parts, {})
  const inEightBits = Object.keys(plans) as ModelPart[]
  states.push({
    ...{ name: 'original', what: 'as it was trained, rewritten', kept: true },
    ...{ fileBytes: weightsBytes(loaded, false), memoryBytes: memoryOf(originalParts, {}) },
    ...{ times: times.original, difference: zero },
  })
  if (pruned !== undefined) {
    const fileBytes = weightsBytes(pruned.run, false)
    states.push({
      ...{ name: 'pruned', what: 'without the channels of the detector that matter least', kept: prunedKept },
      ...{ fileBytes, memoryBytes: prunedKept ? memory : fileBytes },
      ...{ times: prunedKept ? times.float : {}, difference: pruned.difference },
    })
  }
  states.push({
    ...{ name: 'fp16', what: 'weights in half precision in the file', kept: halfKept },
    ...{ fileBytes: weightsBytes(start, true), memoryBytes: memory, times: {}, difference: halfDifference },
  })
  if (settings.precision === 'int8' && settings.device === 'cpu') {
    states.push({
      name: 'int8',
      what:
        inEightBits.length === 0 ? 'nothing: see the verdicts' : `eight bits in ${inEightBits.join(', ')}`,
      kept: inEightBits.length > 0,
      fileBytes: weightsBytes(start, halfKept),
      memoryBytes: memoryOf(parts, plans),
      times: times.rounded,
      difference,
    })
  }
  const numbers = pruned && { macs: pruned.macs, parameters: pruned.parameters }
  return {
    ...{ run: base, halfKept, plans, exactSums, steps: states, pruned: numbers ?? null },
    ...{ verdicts, trials, sensitivities },
  }
}

/** More in eight bits, or nearer to the original. */
function isBetter(second: FoundPlan, first: FoundPlan): boolean {
  if (second.plan === undefined || second.difference === undefined) return false
  if (first.plan === undefined || first.difference === undefined) return true
  const [more, less] = [first.floatLayers ?? 0, second.floatLayers ?? 0]
  return less < more || (less === more && second.difference.distance < first.difference.distance)
}

async function withModel<T>(
  opening: Promise<MotionModel>,
  use: (model: MotionModel) => Promise<T>,
): Promise<T> {
  const model = await opening
  try {
    return await use(model)
  } finally {
    await model.close()
  }
}
