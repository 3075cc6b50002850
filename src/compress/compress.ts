// Compresses a run: tries what can help, measures it on the user's own clips and on the device, keeps what pays, and writes a
// run folder like any other.
import { listClips } from '../clips/source.ts'
import { assertNoInput } from '../files/folders.ts'
import type { EightBitPlans, LoadedRun, ModelPart } from '../model/loaded-run.ts'
import type { MotionModel } from '../model/motion-model.ts'
import { loadRun } from '../model/open-model.ts'
import type { EightBitPlan } from '../optimise/eight-bits.ts'
import { describeMachine, type Machine } from '../run/config-file.ts'
import { hasExactEightBitSums } from '../runtime/devices.ts'
import { type CalibratedPart, calibrate } from './calibration.ts'
import {
  type CompressionTrial,
  type FoundPlan,
  openPlanned,
  type Sensitivity,
  searchEightBits,
} from './eight-bits.ts'
import {
  type Difference,
  differenceOf,
  type FrameSets,
  halved,
  memoryOf,
  type PartTimes,
  type Reference,
  referenceOf,
  seeAll,
  takeFrames,
  timesOf,
  weightsBytes,
  withoutGenerator,
  writeRun,
} from './measure.ts'
import { frameOptions, noticesOf, type PlanOptions, type Settings, settingsOf } from './options.ts'
import { type PrunedNumbers, pruneRun } from './prune.ts'
import { trainRounded } from './rounded-training.ts'

/** How a run is compressed. */
export interface CompressOptions extends PlanOptions {
  /** The folder that is made. */
  readonly out: string
  /** Replaces a run that is in the folder (default false). */
  readonly force?: boolean
}

/** A state of the run between the original and the end. */
export interface CompressionStep {
  /** `original`, `pruned`, `fp16`, `fp16-graph` or `int8`. */
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
  /** What the user should know: a loss that is large, or a target that nothing serves. */
  readonly notices: readonly string[]
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
    ...{
      notices: found.notices,
      steps: found.steps,
      pruned: found.pruned,
      verdicts: found.verdicts,
      trials: found.trials,
    },
    sensitivities: found.sensitivities,
  }
}

const countOf = (clips: FrameSets['measured']) => clips.reduce((sum, { frames }) => sum + frames.length, 0)

interface Tried {
  readonly run: LoadedRun
  readonly halfKept: boolean
  readonly halves: boolean
  readonly plans: EightBitPlans
  readonly exactSums: boolean
  readonly notices: readonly string[]
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
  const seen = (run: LoadedRun) =>
    withModel(openPlanned(run, {}), (model) => referenceOf(model, sets.measured, signal))
  const reference = await seen(loaded)
  const compared = (
    to: Reference,
    run: LoadedRun,
    plans: EightBitPlans = {},
    known: readonly CalibratedPart[] = [],
    what: 'all' | 'keypoints' = 'all',
  ) =>
    withModel(openPlanned(run, plans, known), (model) =>
      differenceOf(model, to, what, Number.POSITIVE_INFINITY, signal),
    )

  const smaller =
    settings.prune === 0
      ? undefined
      : await pruneRun(
          loaded,
          { clips, frames: sets.calibration, holdout: settings.holdout },
          { ...options, part: settings.prune, by: options.pruneBy, steps: settings.pruneSteps },
        )
  const pruned = smaller && { ...smaller, difference: await compared(reference, smaller.run) }
  const prunedKept = pruned !== undefined && pruned.difference.distance <= settings.maxPrunedDistance
  const start = prunedKept ? pruned.run : loaded
  // What rounding may cost is counted from the run that is rounded.
  const goal = prunedKept ? await seen(start) : reference

  onProgress?.('fp16')
  const half = halved(start)
  const halfDifference = await compared(reference, half)
  const halfAllowed = allows(prunedKept ? await compared(goal, half) : halfDifference)
  const halfKept = halfAllowed && (settings.target !== 'latency' || options.precision === 'fp16')
  let base = halfKept ? half : start
  // Speed is what it is for, and there may be no GPU here to measure it on. What it costs is found on the CPU.
  const graphDifference =
    settings.device === 'webgpu' && settings.target !== 'size'
      ? await withModel(openPlanned(base, {}, [], true), (model) =>
          differenceOf(model, prunedKept ? goal : reference, 'all', Number.POSITIVE_INFINITY, signal),
        )
      : undefined
  const halves = graphDifference !== undefined && allows(graphDifference)
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
      return searchEightBits(run, one, goal, {
        ...{ calibration: settings.calibration, threads: settings.threads, signal },
        timed: settings.target !== 'size',
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
      const inFloat = await compared(goal, withoutGenerator(trained), {}, [], 'keypoints')
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
  const back = (part: ModelPart, why: string) => {
    delete plans[part]
    verdicts[part] = `${verdicts[part]}; ${why}`
  }
  for (const part of ['source', 'frame', 'detector'] as const) {
    if (plans[part] === undefined || allows(await compared(goal, base, plans, parts))) continue
    back(part, 'together with the others too far from the original')
  }
  const times = await timesOf(parts, plans, originalParts, { threads: settings.threads, signal })
  for (const part of slowerParts(settings.target, plans, times)) {
    back(part, `in the last measurement it took ${times.rounded[part]!.toFixed(2)} ms, and in float less`)
  }
  const difference = await compared(reference, base, plans, parts)
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
  if (graphDifference !== undefined) {
    states.push({
      ...{ name: 'fp16-graph', what: 'computed with in half precision on a GPU that can', kept: halves },
      ...{ fileBytes: weightsBytes(start, halfKept), memoryBytes: weightsBytes(start, true), times: {} },
      difference: graphDifference,
    })
  }
  if (settings.precision === 'int8' && settings.device === 'cpu') {
    states.push({
      name: 'int8',
      what:
        inEightBits.length === 0 ? 'nothing: see the verdicts' : `eight bits in ${inEightBits.join(', ')}`,
      kept: inEightBits.length > 0,
      fileBytes: weightsBytes(start, halfKept),
      memoryBytes: memoryOf(parts, plans),
      times: Object.fromEntries(
        parts.map(({ part }) => [part, (plans[part] ? times.rounded : times.float)[part]]),
      ),
      difference,
    })
  }
  const numbers = pruned && { macs: pruned.macs, parameters: pruned.parameters }
  return {
    ...{ run: base, halfKept, halves, plans, exactSums, steps: states, pruned: numbers ?? null },
    notices: noticesOf(
      pruned && { ...pruned, kept: prunedKept },
      [...inEightBits, ...(halves ? ['fp16-graph'] : [])],
      settings,
    ),
    ...{ verdicts, trials, sensitivities },
  }
}

/** Networks that go back to float because they are as slow or slower in eight bits: none, if only the size counts. */
export const slowerParts = (
  target: Settings['target'],
  plans: EightBitPlans,
  { float, rounded }: Readonly<Record<'float' | 'rounded', PartTimes>>,
): ModelPart[] =>
  target === 'size'
    ? []
    : (Object.keys(plans) as ModelPart[]).filter((part) => !((rounded[part] ?? 0) < (float[part] ?? 0)))

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
