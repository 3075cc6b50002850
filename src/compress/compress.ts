// Compresses a run: tries what can help, measures it on the user's own clips and on the device, keeps what pays, and writes a
// run folder like any other.
import { listClips } from '../clips/source.ts'
import { assertNoInput } from '../files/folders.ts'
import type { LoadedRun, ModelPart } from '../model/loaded-run.ts'
import { hasHalves, loadRun } from '../model/open-model.ts'
import type { EightBitPlan } from '../optimise/eight-bits.ts'
import { describeMachine, type Machine } from '../run/config-file.ts'
import { hasExactEightBitSums } from '../runtime/devices.ts'
import type { CalibratedPart } from './calibration.ts'
import {
  type CompressionTrial,
  type FoundPlan,
  isBetter,
  type Sensitivity,
  searchEightBits,
  slowerParts,
} from './eight-bits.ts'
import {
  type Difference,
  type FrameSets,
  halved,
  Judge,
  memoryOf,
  type PartTimes,
  type Reference,
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
 * @param videos clips, folders of them, or series such as `puppet:1..3`; at least one
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
  const judge = new Judge(sets, settings, signal)
  const start = await pruneFirst(judge, loaded, clips, options)
  onProgress?.('fp16')
  const half = await halveWeights(judge, start, await hasHalves(loaded), options)
  onProgress?.('calibration')
  const parts = await judge.calibrated(half.base)
  const originalParts = start.run === loaded ? parts : await judge.calibrated(loaded)
  const exactSums = await hasExactEightBitSums()
  const found: Found = {
    ...{ run: half.base, halfKept: half.kept, halves: half.graph?.kept ?? false, parts, exactSums },
    ...{ plans: {}, verdicts: {}, trials: [], sensitivities: [] },
  }
  if (triesEightBits(settings)) await roundParts(judge, start.goal, found, onProgress)
  onProgress?.('the whole')
  await withdrawFarParts(judge, start.goal, found)
  const { threads } = settings
  const times = await timesOf(found.parts, found.plans, originalParts, { threads, signal })
  for (const part of slowerParts(settings.target, found.plans, times)) {
    withdraw(
      found,
      part,
      `in the last measurement it took ${times.rounded[part]!.toFixed(2)} ms, and in float less`,
    )
  }
  const difference = await judge.difference(start.original, found.run, found)
  const steps = stepsOf({ loaded, originalParts, start, half, found, times, difference }, settings)
  signal?.throwIfAborted()
  onProgress?.('writing')
  const { pruned } = start
  const kept = [...Object.keys(found.plans), ...(found.halves ? ['fp16-graph'] : [])]
  return {
    run: loaded.path,
    path: await writeRun(found, settings.device, { out, force }),
    ...{ device: settings.device, threads, exactSums, machine: describeMachine() },
    frames: { calibration: countOf(sets.calibration), measured: countOf(sets.measured) },
    notices: noticesOf(pruned, kept, settings),
    ...{ steps, pruned: (pruned && { macs: pruned.macs, parameters: pruned.parameters }) ?? null },
    ...{ verdicts: found.verdicts, trials: found.trials, sensitivities: found.sensitivities },
  }
}

const countOf = (clips: FrameSets['measured']) => clips.reduce((sum, { frames }) => sum + frames.length, 0)

const triesEightBits = ({ precision, device }: Settings) => precision === 'int8' && device === 'cpu'

/** What is rounded, and what it is compared with. */
interface Start {
  /** The pruned run if it is kept, else the original. */
  readonly run: LoadedRun
  readonly original: Reference
  /** What `run` finds: the loss by rounding is counted from here. */
  readonly goal: Reference
  readonly pruned:
    | (PrunedNumbers & { readonly run: LoadedRun; readonly difference: Difference; readonly kept: boolean })
    | undefined
}

/** Takes channels away, if that is asked for. The pruned run is kept if it is near enough. */
async function pruneFirst(
  judge: Judge,
  loaded: LoadedRun,
  clips: readonly string[],
  options: CompressOptions,
): Promise<Start> {
  const { prune, pruneSteps: steps, holdout, maxPrunedDistance } = judge.settings
  options.onProgress?.('original')
  const original = await judge.reference(loaded)
  if (prune === 0) return { run: loaded, original, goal: original, pruned: undefined }
  const frames = judge.sets.calibration
  const smaller = await pruneRun(
    loaded,
    { clips, frames, holdout },
    { ...options, part: prune, by: options.pruneBy, steps },
  )
  const difference = await judge.difference(original, smaller.run)
  const kept = difference.distance <= maxPrunedDistance
  const run = kept ? smaller.run : loaded
  const goal = kept ? await judge.reference(run) : original
  return { run, original, goal, pruned: { ...smaller, difference, kept } }
}

/** What half precision costs, of weights in files and of graphs on a GPU. */
interface Half {
  /** The run with weights in half precision if they are kept, else as it was. */
  readonly base: LoadedRun
  readonly difference: Difference
  readonly kept: boolean
  /** Whether the weights of the original's file are in half precision already. */
  readonly isHalf: boolean
  /** The graph of half precision, if there was a reason to try it. */
  readonly graph: { readonly difference: Difference; readonly kept: boolean } | undefined
}

async function halveWeights(
  judge: Judge,
  { run, original, goal }: Start,
  isHalf: boolean,
  { precision }: CompressOptions,
): Promise<Half> {
  const { target, device } = judge.settings
  const half = halved(run)
  const difference = await judge.difference(original, half)
  const isNear = judge.allows(goal === original ? difference : await judge.difference(goal, half))
  const kept = isNear && (target !== 'latency' || precision === 'fp16' || isHalf)
  const base = kept ? half : run
  if (device !== 'webgpu' || target === 'size') return { base, difference, kept, isHalf, graph: undefined }
  // Speed is what it is for, and there may be no GPU here to measure it on. The loss is found on the CPU.
  const ofGraph = await judge.difference(goal, base, {}, { halves: true })
  return { base, difference, kept, isHalf, graph: { difference: ofGraph, kept: judge.allows(ofGraph) } }
}

/** A run, and what of it computes in eight bits. */
interface Planned {
  readonly run: LoadedRun
  readonly parts: readonly CalibratedPart[]
  readonly plans: { -readonly [Part in ModelPart]?: EightBitPlan }
  readonly verdicts: Partial<Record<ModelPart, string>>
}

/** What was found so far. Stages write into it. */
interface Found extends Planned {
  run: LoadedRun
  readonly halfKept: boolean
  readonly halves: boolean
  readonly exactSums: boolean
  parts: readonly CalibratedPart[]
  readonly trials: CompressionTrial[]
  readonly sensitivities: Sensitivity[]
}

/** Looks for a plan of eight bits for each network. The detector may learn with rounding for a while. */
async function roundParts(
  judge: Judge,
  goal: Reference,
  found: Found,
  onProgress: CompressOptions['onProgress'],
): Promise<void> {
  const { roundedSteps: steps, calibration, target, threads } = judge.settings
  const { signal } = judge
  const search = (run: LoadedRun, one: CalibratedPart, parts: readonly CalibratedPart[]) =>
    searchEightBits(run, one, parts, goal, {
      ...{ calibration, threads, signal, timed: target !== 'size' },
      largestWeight: found.exactSums ? 127 : 63,
      // Errors of several networks add up.
      allows: (difference) => judge.allows(difference, one.part === 'detector' ? 0.9 : 0.5),
      badness: ({ distance, psnrLoss, l1 }) =>
        one.part === 'detector' ? distance : Math.max(0, psnrLoss ?? 0) + (l1 ?? 0),
      ...(onProgress && { onTried: onProgress }),
    })
  for (const one of found.parts) {
    const { part } = one
    const first = await search(found.run, one, found.parts)
    settle(found, part, first)
    if (part !== 'detector' || steps === 0 || first.choice === undefined) continue
    const trained = halved(
      await trainRounded(found.run, judge.sets.calibration, {
        ...{ ...first.choice, steps, signal },
        onStep: (step, loss) => onProgress?.(`rounded training: step ${step}, loss ${loss.toPrecision(3)}`),
      }),
    )
    const detector = withoutGenerator(trained)
    const [again] = await judge.calibrated(detector)
    const second = await search(trained, again!, [again!])
    const inFloat = await judge.difference(goal, detector, {}, { what: 'keypoints' })
    const after = `after ${steps} steps of rounded training`
    found.trials.push({ part, what: `float, ${after}`, speed: null, difference: inFloat })
    if (!judge.allows(inFloat) || !isBetter(second, first)) {
      found.verdicts[part] = `${first.verdict}; not better ${after}`
      continue
    }
    found.run = trained
    found.parts = found.parts.map((each) => (each.part === 'detector' ? again! : each))
    settle(found, part, { ...second, verdict: `${second.verdict}, ${after}` })
  }
}

function settle(found: Found, part: ModelPart, { verdict, trials, sensitivities, plan }: FoundPlan): void {
  found.verdicts[part] = verdict
  found.trials.push(...trials)
  found.sensitivities.push(...sensitivities)
  if (plan !== undefined) found.plans[part] = plan
}

/** A network goes back to float. */
function withdraw({ plans, verdicts }: Planned, part: ModelPart, why: string): void {
  delete plans[part]
  verdicts[part] = `${verdicts[part]}; ${why}`
}

/** Together, errors of several networks may be more than is allowed: those go back to float without which the rest is nearest. */
export async function withdrawFarParts(judge: Judge, goal: Reference, found: Planned): Promise<void> {
  for (;;) {
    const planned = Object.keys(found.plans) as ModelPart[]
    const far = judge.share(await judge.difference(goal, found.run, found))
    if (planned.length === 0 || far <= 1) return
    let [worst, least] = [planned[0]!, Number.POSITIVE_INFINITY]
    for (const part of planned.slice(planned.length === 1 ? 1 : 0)) {
      const { [part]: _, ...plans } = found.plans
      const share = judge.share(await judge.difference(goal, found.run, { ...found, plans }))
      if (share < least) [worst, least] = [part, share]
    }
    const who = planned.length === 1 ? 'keypoints or pictures are' : 'together with the others it is'
    withdraw(found, worst, `${who} ${far.toFixed(1)} times as far from the original as is allowed`)
  }
}

/** The states that the run went through, for the report. */
function stepsOf(
  {
    loaded,
    originalParts,
    start,
    half,
    found,
    times,
    difference,
  }: {
    readonly loaded: LoadedRun
    readonly originalParts: readonly CalibratedPart[]
    readonly start: Start
    readonly half: Half
    readonly found: Found
    readonly times: Awaited<ReturnType<typeof timesOf>>
    readonly difference: Difference
  },
  settings: Settings,
): CompressionStep[] {
  const { parts, plans } = found
  const { pruned, run } = start
  const memory = memoryOf(parts, {})
  const zeroOr = (value: number | null) => (value === null ? null : 0)
  const { jacobian, psnrLoss, l1 } = half.difference
  const zero = { distance: 0, jacobian: zeroOr(jacobian), psnrLoss: zeroOr(psnrLoss), l1: zeroOr(l1) }
  const steps: CompressionStep[] = [
    {
      ...{ name: 'original', what: 'as it was trained, rewritten', kept: true },
      ...{ fileBytes: weightsBytes(loaded, half.isHalf), memoryBytes: memoryOf(originalParts, {}) },
      ...{ times: times.original, difference: zero },
    },
  ]
  if (pruned !== undefined) {
    const fileBytes = weightsBytes(pruned.run, false)
    const { kept } = pruned
    steps.push({
      ...{ name: 'pruned', what: 'without the channels of the detector that matter least', kept },
      ...{ fileBytes, memoryBytes: kept ? memory : fileBytes },
      ...{ times: kept ? times.float : {}, difference: pruned.difference },
    })
  }
  steps.push({
    ...{
      name: 'fp16',
      what: `weights in half precision in the file${half.isHalf ? ', as before' : ''}`,
      kept: half.kept,
    },
    ...{ fileBytes: weightsBytes(run, true), memoryBytes: memory, times: {}, difference: half.difference },
  })
  const fileBytes = weightsBytes(run, half.kept)
  if (half.graph !== undefined) {
    steps.push({
      ...{ name: 'fp16-graph', what: 'computed with in half precision on a GPU that can', ...half.graph },
      ...{ fileBytes, memoryBytes: weightsBytes(run, true), times: {} },
    })
  }
  if (triesEightBits(settings)) {
    const names = Object.keys(plans)
    steps.push({
      name: 'int8',
      what: names.length === 0 ? 'nothing: see the verdicts' : `eight bits in ${names.join(', ')}`,
      kept: names.length > 0,
      ...{ fileBytes, memoryBytes: memoryOf(parts, plans), difference },
      times: Object.fromEntries(
        parts.map(({ part }) => [part, (plans[part] ? times.rounded : times.float)[part]]),
      ),
    })
  }
  return steps
}
