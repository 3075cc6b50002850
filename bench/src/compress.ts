// The part `compress`: detectors in float, in pantin's eight bits and in those of ONNX Runtime's own quantiser. Their files run
// in one process, in turn, and their keypoints are compared with those in float on frames that gave no range.
import { readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { listClips } from '../../src/clips/source.ts'
import {
  type CalibratedPart,
  calibrate,
  openPlanned,
  planOf,
  Ranges,
} from '../../src/compress/calibration.ts'
import { searchEightBits } from '../../src/compress/eight-bits.ts'
import {
  batchOf,
  type FrameSets,
  referenceOf,
  seeAll,
  takeFrames,
  withoutGenerator,
} from '../../src/compress/measure.ts'
import type { RangeMethod } from '../../src/compress/options.ts'
import { trainRounded } from '../../src/compress/rounded-training.ts'
import { keypointDistance, Mean } from '../../src/evaluate/keypoint-measures.ts'
import { assertWritableTarget, writeFileAtomic } from '../../src/files/atomic.ts'
import { makeFolder } from '../../src/files/folders.ts'
import type { Tensor } from '../../src/graph/tensor.ts'
import { toPlanes } from '../../src/model/keypoint-detector.ts'
import { loadRun } from '../../src/model/open-model.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { type EightBitPlan, eightBitCandidates, withEightBits } from '../../src/optimise/eight-bits.ts'
import type { Weighted } from '../../src/optimise/rewrite-with.ts'
import type { Latency } from '../../src/profile/latency.ts'
import { timeSessions } from '../../src/profile/time-graphs.ts'
import { describeMachine, type Machine } from '../../src/run/config-file.ts'
import { hasExactEightBitSums } from '../../src/runtime/devices.ts'
import { createSession } from '../../src/runtime/node.ts'
import type { Session } from '../../src/runtime/session.ts'
import { distil } from '../../src/train/train.ts'
import { findNet } from '../../src/zoo/registry.ts'
import type { Skipped } from './figure.ts'
import { quantiseByPeer } from './torch.ts'

/** The networks that are compressed if no run is named. */
export const compressNets = ['ficelle', 'lednet', 'erfnet', 'esnet', 'hourglass'] as const
/** The clips that are used if none is named. The end of each is only measured on. */
export const compressClips = ['puppet:1', 'puppet:2', 'puppet:3'] as const
/** The starter that teaches networks, and the number of steps if none is given. */
export const teacher = 'puppet'
export const defaultCompressSteps = 60
/** The most mean distance that one of the forms is planned for. */
const defaultMaxDistance = 0.003
/** The part at the end of each clip that is only measured on. */
const holdout = 0.3

/** One file of a detector. */
export interface CompressedForm {
  /** Whose it is. `float` is the rewritten network that the others come from. */
  readonly by: 'float' | 'pantin' | 'onnxruntime'
  /** How ranges were chosen, and what computes in eight bits; empty for `float`. */
  readonly how: string
  /** Bytes of the ONNX file. */
  readonly bytes: number
  /** Milliseconds of a frame, in turn with all forms of the network; of the process, if there is one thread. */
  readonly latency: Latency
  /** Median in float divided by this median. */
  readonly ratio: number
  /** Mean distance of keypoints to those of `float` on held-out frames, in units of [-1, 1]. */
  readonly distance: number
}

/** What was measured of one network or run. */
export interface CompressedNetwork {
  readonly name: string
  readonly size: number
  readonly frames: { readonly calibration: number; readonly measured: number }
  /** `float` first, then pantin's, then the peer's. */
  readonly forms: readonly CompressedForm[]
}

export interface CompressBench {
  readonly machine: Machine
  readonly threads: number
  /** Whether sums of eight bits are exact on this processor. If not, pantin's weights have seven bits. */
  readonly exactSums: boolean
  /** Steps that each network learned; null for runs. */
  readonly steps: number | null
  /** Version of the peer; null if it was not measured. */
  readonly peer: string | null
  readonly networks: readonly CompressedNetwork[]
  readonly leftOut: readonly Skipped[]
}

export interface CompressBenchOptions {
  /**
   * ONNX files, and runs of networks that learn, are written here, for each network in a folder of its own. What was measured of it
   * is in `measured.json`, so that a bench that is stopped loses nothing of the networks before.
   */
  readonly folder: string
  /** Replaces files (default false). */
  readonly force?: boolean
  /** Networks that are distilled from the starter `puppet`, if no run is named (default: five of the zoo). */
  readonly nets?: readonly string[]
  /** Steps of distillation of each (default 60). */
  readonly steps?: number
  /** Names of clips, as for `train` (default: three puppets). */
  readonly clips?: readonly string[]
  /** Frames that ranges are taken from; as many others are measured on (default 32). */
  readonly frames?: number
  readonly rounds?: number
  /** The most mean distance of keypoints that one of the forms is planned for, in units of [-1, 1] (default 0.003). */
  readonly maxDistance?: number
  /** Steps of training with rounding, after which one more form is made (default 0: no such form). */
  readonly roundedSteps?: number
  /** Threads within one op (default 1). */
  readonly threads?: number
  /** A Python with the packages `onnxruntime` and `onnx`. Without one, the peer is left out. */
  readonly python?: string
  readonly signal?: AbortSignal
  onNetwork?(done: number, total: number, now: string): void
}

/**
 * Measures the detectors of runs, or of networks that learn for some steps first.
 *
 * @param runs run folders or names of starters; none: `nets`
 * @throws InputError for a run, a network or a clip that cannot be used, or if a file exists already; EnvironmentError if the peer fails
 */
export async function benchCompress(
  runs: readonly string[],
  options: CompressBenchOptions,
): Promise<CompressBench> {
  const {
    folder,
    nets = compressNets,
    steps = defaultCompressSteps,
    force = false,
    threads = 1,
    signal,
    onNetwork,
  } = options
  const clips = await listClips(options.clips ?? compressClips)
  const exactSums = await hasExactEightBitSums()
  const named = runs.length > 0 ? runs : nets.map((net) => findNet(net).name)
  const folders = named.map((name, i) => join(folder, `${i + 1}-${basename(name)}`))
  for (const one of folders) {
    await makeFolder(one)
    await assertWritableTarget(join(one, 'float.onnx'), { force })
  }
  const networks: CompressedNetwork[] = []
  let peer: string | null = null
  for (const [i, name] of named.entries()) {
    signal?.throwIfAborted()
    const at = folders[i]!
    onNetwork?.(i, named.length, name)
    const run = runs.length > 0 ? name : await learned(name, at, { clips, steps, signal })
    const measured = await measureRun(name, run, at, { ...options, clips, threads, exactSums })
    networks.push(measured.network)
    await writeFileAtomic(join(at, 'measured.json'), `${JSON.stringify(measured.network, null, 2)}\n`)
    peer ??= measured.peer
  }
  return {
    ...{
      machine: describeMachine(),
      threads,
      exactSums,
      steps: runs.length > 0 ? null : steps,
      peer,
      networks,
    },
    leftOut: options.python === undefined ? [noPeer] : [],
  }
}

const noPeer: Skipped = {
  name: "compress: ONNX Runtime's own quantiser beside it",
  why: 'no Python with the packages onnxruntime and onnx was named (--python)',
}

/** A detector of the network that learned from the starter for a few steps. @returns its run */
async function learned(
  net: string,
  folder: string,
  {
    clips,
    steps,
    signal,
  }: { readonly clips: readonly string[]; readonly steps: number; readonly signal: AbortSignal | undefined },
): Promise<string> {
  const out = join(folder, 'run')
  await distil(clips, {
    ...{ teacher, net, out, steps, holdout, seed: 0, force: true },
    // The teacher's keypoints are the same for all networks.
    cache: join(folder, '../labels'),
    ...(signal && { signal }),
  })
  signal?.throwIfAborted()
  return out
}

interface MeasureOptions extends CompressBenchOptions {
  readonly clips: readonly string[]
  readonly threads: number
  readonly exactSums: boolean
}

async function measureRun(
  name: string,
  path: string,
  folder: string,
  {
    clips,
    frames = 32,
    maxDistance = defaultMaxDistance,
    roundedSteps = 0,
    exactSums,
    threads,
    rounds,
    python,
    signal,
  }: MeasureOptions,
): Promise<{ readonly network: CompressedNetwork; readonly peer: string | null }> {
  const run = { ...withoutGenerator(await loadRun(path, { signal })), eightBits: undefined }
  const sets = await takeFrames(clips, run, { frames, holdout, signal })
  const { float, ours } = await roundedByPantin(run, sets, { exactSums, maxDistance, roundedSteps, signal })
  const files: RoundedFile[] = [{ by: 'float', how: '', onnx: float }, ...ours]
  for (const [i, { by, onnx }] of files.entries()) {
    await writeFile(join(folder, i === 0 ? 'float.onnx' : `${by}-${i}.onnx`), onnx)
  }
  const theirs =
    python === undefined ? undefined : await roundedByPeer(folder, python, sets, run.config.size, signal)
  files.push(...(theirs?.files ?? []))

  const measured = framesOf(sets.measured).map((pixels) => toPlanes(pixels, run.config.size))
  const sessions: Session[] = []
  try {
    for (const { onnx } of files)
      sessions.push(await createSession(onnx, { device: 'cpu', threads, spin: false }))
    const distances = await distancesOf(sessions, measured, signal)
    const latencies = await timeSessions(
      sessions,
      { frame: measured[0]! },
      {
        ...{ threads, signal },
        ...(rounds !== undefined && { rounds }),
      },
    )
    const forms = files.map(({ by, how, onnx }, i) => ({
      ...{ by, how, bytes: onnx.byteLength, latency: latencies[i]! },
      ...{ ratio: latencies[0]!.median / latencies[i]!.median, distance: distances[i]! },
    }))
    const counts = { calibration: framesOf(sets.calibration).length, measured: measured.length }
    return {
      network: { name, size: run.config.size, frames: counts, forms },
      peer: theirs?.version ?? null,
    }
  } finally {
    for (const session of sessions) await session.close()
  }
}

const framesOf = (clips: FrameSets['measured']) => clips.flatMap(({ frames }) => [...frames])

interface RoundedFile {
  readonly by: CompressedForm['by']
  readonly how: string
  readonly onnx: Uint8Array
}

/**
 * The detector in float, and in eight bits: whole, with the ranges that are best and with those by min-max, which the peer
 * has, and with the layers in float that the most distance allowed asks for, as `compress` plans it.
 */
async function roundedByPantin(
  run: Awaited<ReturnType<typeof loadRun>>,
  { calibration, measured }: FrameSets,
  {
    exactSums,
    maxDistance,
    roundedSteps,
    signal,
  }: {
    readonly exactSums: boolean
    readonly maxDistance: number
    readonly roundedSteps: number
    readonly signal: AbortSignal | undefined
  },
): Promise<{ readonly float: Uint8Array; readonly ours: readonly RoundedFile[] }> {
  const [part] = await calibrate(run, (model) => seeAll(model, calibration, signal))
  const { network } = part!
  const largestWeight = exactSums ? 127 : 63
  await using model = await openPlanned(run, {}, [part!])
  const { plan, choice, floatLayers } = await searchEightBits(
    run,
    part!,
    [part!],
    await referenceOf(model, measured, signal),
    {
      ...{ largestWeight, threads: 1, signal, timed: false },
      allows: ({ distance }) => distance <= maxDistance,
      badness: ({ distance }) => distance,
    },
  )
  const float = onnxOf(network)
  if (choice === undefined) return { float, ours: [] }
  const rounded = (how: string, by: EightBitPlan, of = network): RoundedFile => ({
    by: 'pantin',
    how,
    onnx: onnxOf(withEightBits(of, by)),
  })
  const whole = ({ network, histograms }: CalibratedPart, method: RangeMethod) => {
    const ops = new Set(eightBitCandidates(network.graph, choice.kinds))
    return planOf({ network }, new Ranges(histograms), { ops, method, largestWeight })
  }
  const ours = [
    rounded(`best ranges, by ${choice.method}`, whole(part!, choice.method)),
    rounded('min-max', whole(part!, 'minmax')),
  ]
  if (plan !== undefined && floatLayers !== 0) {
    ours.push(rounded(`within ${maxDistance}, layers in float: ${floatLayers}`, plan))
  }
  if (roundedSteps > 0) {
    const trained = await trainRounded(run, calibration, { ...choice, steps: roundedSteps, signal })
    const [again] = await calibrate(trained, (model) => seeAll(model, calibration, signal))
    const how = `${choice.method}, ${roundedSteps} steps of rounded training`
    ours.push(rounded(how, whole(again!, choice.method), again!.network))
  }
  return { float, ours }
}

const onnxOf = ({ graph, weights }: Weighted) => toOnnx(graph, { weights })

async function roundedByPeer(
  folder: string,
  python: string,
  { calibration }: FrameSets,
  size: number,
  signal: AbortSignal | undefined,
): Promise<{ readonly version: string; readonly files: readonly RoundedFile[] }> {
  const { data } = batchOf(framesOf(calibration), size)
  await writeFile(join(folder, 'calibration.f32'), new Uint8Array(data.buffer))
  const { version, files } = await quantiseByPeer(python, folder, signal)
  const read: RoundedFile[] = []
  for (const { kinds, file } of files) {
    const onnx = await readFile(join(folder, basename(file)))
    read.push({ by: 'onnxruntime', how: `min-max, ${kinds.join(' ')}`, onnx })
  }
  return { version, files: read }
}

/** Mean distance of each session's keypoints to those of the first. */
async function distancesOf(
  sessions: readonly Session[],
  frames: readonly Tensor<'float32'>[],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const means = sessions.map(() => new Mean())
  for (const frame of frames) {
    let float: Float32Array | undefined
    for (const [i, session] of sessions.entries()) {
      signal?.throwIfAborted()
      const value = (await session.run({ frame })).value!.data as Float32Array
      float ??= value
      means[i]!.add(keypointDistance(value, float))
    }
  }
  return means.map(({ value }) => value)
}
