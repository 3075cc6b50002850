// Frames of the user's clips, and measures of a compressed model: how far its keypoints, jacobians and pictures are from those
// of the original on these frames, how many bytes it has, and how long its networks take.
import { openClip } from '../clips/source.ts'
import { jacobianDifference, keypointDistance, Mean } from '../evaluate/keypoint-measures.ts'
import { formatCrop } from '../faces/box.ts'
import { frameClip } from '../faces/framing.ts'
import { type CropOptions, framingOf } from '../faces/node.ts'
import { type ParameterInfo, parameterInfo, parametersOf } from '../graph/ops/leaf.ts'
import { liveNodes } from '../graph/rewrite.ts'
import {
  bytesPerElement,
  floats,
  halfToNumber,
  numberToHalf,
  sizeOf,
  type Tensor,
  tensor,
} from '../graph/tensor.ts'
import { framePsnr } from '../media/clip.ts'
import { type Keypoints, squareFrame, toPlanes } from '../model/keypoint-detector.ts'
import type { EightBitPlans, LoadedRun, ModelPart } from '../model/loaded-run.ts'
import type { MotionModel } from '../model/motion-model.ts'
import { detectorGraph, generatorGraph } from '../motion/model.ts'
import { withEightBits } from '../optimise/eight-bits.ts'
import type { Weighted } from '../optimise/rewrite-with.ts'
import { type TimingOptions, timeSessions } from '../profile/time-graphs.ts'
import { createRun } from '../run/run.ts'
import { createSession } from '../runtime/node.ts'
import type { Session } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import { version } from '../util/version.ts'
import { type CalibratedPart, calibrate, openPlanned } from './calibration.ts'
import type { Settings } from './options.ts'

/** Frames of one clip as the model sees them, RGB [size, size, 3]. */
export interface ClipFrames {
  /** The first frame, which the others move. */
  readonly source: Uint8Array
  readonly frames: readonly Uint8Array[]
}

/** Frames to calibrate on and, apart from them, frames to measure on. */
export interface FrameSets {
  readonly calibration: readonly ClipFrames[]
  readonly measured: readonly ClipFrames[]
}

/** How frames are taken. */
export interface FrameSetOptions extends CropOptions {
  /** Frames of each set, over all clips. */
  readonly frames: number
  /** Part of each clip, at its end, that is measured on. */
  readonly holdout: number
}

/**
 * Takes frames from clips, evenly spread. The first frame of a clip is in both sets, as what the others move.
 *
 * @throws InputError for a clip that is too small or too short. The signal's reason, if it is aborted.
 */
export async function takeFrames(
  clips: readonly string[],
  run: Pick<LoadedRun, 'config' | 'fit' | 'crop'>,
  { frames, holdout, ...options }: FrameSetOptions,
): Promise<FrameSets> {
  if (clips.length === 0) throw new InputError({ what: 'there is no clip to calibrate on' })
  const each = Math.max(1, Math.ceil(frames / clips.length))
  const sets: { calibration: ClipFrames[]; measured: ClipFrames[] } = { calibration: [], measured: [] }
  for (const name of clips) {
    options.signal?.throwIfAborted()
    await using clip = await openClip(name, { signal: options.signal })
    const { size } = run.config
    if (clip.frameCount < 3) throw tooShort(clip.name, clip.frameCount)
    const { fitter } = await frameClip(clip, size, framingOf(run, options))
    const split = Math.min(
      clip.frameCount - 1,
      Math.max(2, Math.floor(clip.frameCount * (1 - holdout) + 1e-9)),
    )
    const wanted = {
      calibration: spread(1, split, each),
      measured: holdout === 0 ? spread(1, clip.frameCount, each) : spread(split, clip.frameCount, each),
    }
    let source: Uint8Array | undefined
    const kept: { calibration: Uint8Array[]; measured: Uint8Array[] } = { calibration: [], measured: [] }
    let number = 0
    for await (const frame of clip.frames()) {
      options.signal?.throwIfAborted()
      const sees = (['calibration', 'measured'] as const).filter((set) => wanted[set].has(number))
      if (number === 0 || sees.length > 0) {
        const pixels = fitter(frame).slice()
        source ??= pixels
        for (const set of sees) kept[set].push(pixels)
      }
      number++
    }
    for (const set of ['calibration', 'measured'] as const) {
      if (source !== undefined && kept[set].length > 0) sets[set].push({ source, frames: kept[set] })
    }
  }
  return sets
}

/** Numbers from `from` to before `to`, evenly spread. */
function spread(from: number, to: number, count: number): Set<number> {
  const all = to - from
  const taken = Math.min(all, count)
  return new Set(Array.from({ length: taken }, (_, i) => from + Math.floor(((i + 0.5) * all) / taken)))
}

function tooShort(where: string, frames: number): InputError {
  return new InputError({
    what: 'the clip has too few frames to compress with',
    where,
    got: `${frames} frames`,
    expected: 'at least 3',
    remedy: 'use a longer clip',
  })
}

/** Pictures RGB [size, size, 3] as [N, 3, size, size] in [0, 1]. */
export function batchOf(pictures: readonly Uint8Array[], size: number): Tensor<'float32'> {
  const data = new Float32Array(pictures.length * 3 * size * size)
  pictures.forEach((picture, i) => {
    data.set(toPlanes(picture, size).data, i * 3 * size * size)
  })
  return tensor('float32', [pictures.length, 3, size, size], data)
}

type Model = Pick<MotionModel, 'hasGenerator' | 'detect' | 'encode' | 'generate'>

/** Lets a model see all frames, as `calibrate` wants it. */
export async function seeAll(model: Model, clips: readonly ClipFrames[], signal?: AbortSignal) {
  for (const { source, frames } of clips) {
    const kpSource = await model.detect(source)
    const encoded = model.hasGenerator ? await model.encode(source) : undefined
    for (const frame of frames) {
      signal?.throwIfAborted()
      const keypoints = await model.detect(frame)
      if (encoded !== undefined) await model.generate(encoded, kpSource, keypoints)
    }
  }
}

/** What the original makes of the frames. */
export interface Reference {
  readonly clips: readonly {
    readonly source: Uint8Array
    readonly kpSource: Keypoints
    readonly frames: readonly {
      readonly pixels: Uint8Array
      readonly keypoints: Keypoints
      /** Undefined without a generator. */
      readonly picture: Uint8Array | undefined
    }[]
  }[]
}

/** Runs the original on the frames. */
export async function referenceOf(
  model: Model,
  clips: readonly ClipFrames[],
  signal?: AbortSignal,
): Promise<Reference> {
  const done: Reference['clips'][number][] = []
  for (const { source, frames } of clips) {
    const kpSource = await model.detect(source)
    const encoded = model.hasGenerator ? await model.encode(source) : undefined
    const found: Reference['clips'][number]['frames'][number][] = []
    for (const pixels of frames) {
      signal?.throwIfAborted()
      const keypoints = await model.detect(pixels)
      const picture = encoded && (await model.generate(encoded, kpSource, keypoints))
      found.push({ pixels, keypoints, picture })
    }
    done.push({ source, kpSource, frames: found })
  }
  return { clips: done }
}

/** How far a model is from the original. All are means over frames; 0 is the same. */
export interface Difference {
  /** Mean distance of keypoints, in units of [-1, 1]. */
  readonly distance: number
  /** Mean absolute difference of the entries of jacobians; null if the model has none. */
  readonly jacobian: number | null
  /** Loss of PSNR of pictures to the true frames, in dB; null without a generator, or if pictures were not made. */
  readonly psnrLoss: number | null
  /** Mean absolute difference of pictures to those of the original, 0 to 1; null as `psnrLoss`. */
  readonly l1: number | null
}

/**
 * Measures a model against the original.
 *
 * @param what `keypoints`: no picture is made. `pictures`: pictures are made of the original's keypoints, so that they show
 * what the generator does alone. `all`: pictures are made of the model's own keypoints.
 * @param most frames of each clip that are looked at (default: all)
 */
export async function differenceOf(
  model: Model,
  reference: Reference,
  what: 'keypoints' | 'pictures' | 'all',
  most = Number.POSITIVE_INFINITY,
  signal?: AbortSignal,
): Promise<Difference> {
  const [distance, jacobian, loss, l1] = [new Mean(), new Mean(), new Mean(), new Mean()]
  for (const { source, kpSource, frames } of reference.clips) {
    const makes = what !== 'keypoints' && model.hasGenerator
    const own = what === 'all' ? await model.detect(source) : kpSource
    const encoded = makes ? await model.encode(source) : undefined
    for (const { pixels, keypoints, picture } of frames.slice(0, most)) {
      signal?.throwIfAborted()
      const found = what === 'pictures' ? keypoints : await model.detect(pixels)
      distance.add(keypointDistance(found.value, keypoints.value))
      if (found.jacobian !== undefined && keypoints.jacobian !== undefined) {
        jacobian.add(jacobianDifference(found.jacobian, keypoints.jacobian))
      }
      if (encoded === undefined || picture === undefined) continue
      const made = await model.generate(encoded, own, found)
      loss.add(psnr(picture, pixels) - psnr(made, pixels))
      l1.add(absoluteDifference(made, picture))
    }
  }
  const orNull = (mean: Mean) => (mean.count === 0 ? null : mean.value)
  return { distance: distance.value, jacobian: orNull(jacobian), psnrLoss: orNull(loss), l1: orNull(l1) }
}

/** At most 100 dB, so that means stay finite. */
const psnr = (a: Uint8Array, b: Uint8Array) => Math.min(100, framePsnr(squareFrame(a), squareFrame(b)))

function absoluteDifference(a: Uint8Array, b: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!)
  return sum / a.length / 255
}

/** Compares runs on the frames that are measured on, and knows what may be lost. */
export class Judge {
  constructor(
    readonly sets: FrameSets,
    readonly settings: Settings,
    readonly signal: AbortSignal | undefined,
  ) {}

  /** What a run finds and paints: others are compared with it. */
  async reference(run: LoadedRun): Promise<Reference> {
    await using model = await openPlanned(run, {})
    return await referenceOf(model, this.sets.measured, this.signal)
  }

  /** How far a run is from a reference. @param plans and parts of what computes in eight bits */
  async difference(
    to: Reference,
    run: LoadedRun,
    {
      plans = {},
      parts = [],
    }: { readonly plans?: EightBitPlans; readonly parts?: readonly CalibratedPart[] } = {},
    { what = 'all', halves = false }: { readonly what?: 'all' | 'keypoints'; readonly halves?: boolean } = {},
  ): Promise<Difference> {
    await using model = await openPlanned(run, plans, parts, halves)
    return await differenceOf(model, to, what, Number.POSITIVE_INFINITY, this.signal)
  }

  /** A difference as a multiple of what the settings allow. */
  share({ distance, psnrLoss }: Difference): number {
    const [loss, { maxDistance, maxPsnrLoss }] = [psnrLoss ?? 0, this.settings]
    return Math.max(distance && distance / maxDistance, loss && loss / maxPsnrLoss)
  }

  /** Whether it is within a part of that. */
  allows = (difference: Difference, part = 1): boolean => this.share(difference) <= part

  /** The networks of a run, with the ranges of their values on the frames to calibrate on. */
  calibrated(run: LoadedRun): Promise<CalibratedPart[]> {
    return calibrate(run, (model) => seeAll(model, this.sets.calibration, this.signal))
  }
}

/** The run with its detector alone. */
export const withoutGenerator = (run: LoadedRun): LoadedRun => ({
  ...run,
  weights: new Map(Array.from(run.weights).filter(([name]) => !name.startsWith('generator.'))),
})

/** Trained numbers are halved. Buffers stay: they are few, and filters among them are exact products of two lines. */
const isHalved = ({ role }: ParameterInfo): boolean => role === 'weight'

/** The run with weights that half precision can hold. */
export function halved(run: LoadedRun): LoadedRun {
  const weights = new Map(run.weights)
  for (const info of usedParameters(run.config, run.weights).filter(isHalved)) {
    const value = weights.get(info.name)
    if (value?.dtype !== 'float32') continue
    const data = value.data.map((x) => halfToNumber(numberToHalf(x)))
    weights.set(info.name, floats(data, value.shape))
  }
  return { ...run, weights }
}

/** Bytes of the run's weights in its file. */
export function weightsBytes({ config, weights }: LoadedRun, half: boolean): number {
  return usedParameters(config, weights).reduce(
    (sum, info) => sum + (half && isHalved(info) ? 2 : 4) * sizeOf(info.shape),
    0,
  )
}

function usedParameters(config: LoadedRun['config'], weights: LoadedRun['weights']) {
  const hasGenerator = Array.from(weights.keys()).some((name) => name.startsWith('generator.'))
  const graphs = hasGenerator ? [detectorGraph(config), generatorGraph(config)] : [detectorGraph(config)]
  const all = new Map(graphs.flatMap(parametersOf).map((info) => [info.name, info]))
  return [...all.values()]
}

/** Bytes of all weights and constants of networks when they work. */
export function memoryOf(parts: readonly CalibratedPart[], plans: EightBitPlans): number {
  return parts.reduce((sum, { part, network }) => {
    const plan = plans[part]
    return sum + weightBytes(plan === undefined ? network : withEightBits(network, plan))
  }, 0)
}

const weightBytes = ({ graph }: Weighted): number =>
  liveNodes(graph).reduce((sum, node) => {
    if (parameterInfo(node) === undefined && node.op.name !== 'constant') return sum
    const { dtype, shape } = node.outputs[0]!
    return sum + bytesPerElement[dtype] * sizeOf(shape)
  }, 0)

/** A run as it is written. */
export interface Compressed {
  readonly run: LoadedRun
  readonly plans: EightBitPlans
  /** Whether weights are halved. */
  readonly halfKept: boolean
  /** Whether networks compute in half precision on a GPU that can. */
  readonly halves: boolean
}

/** Writes a run that every command reads as any other. @returns its folder, absolute */
export async function writeRun(
  { run: { config: model, fit, crop, tie, weights }, plans: eightBits, halfKept, halves }: Compressed,
  device: string,
  { out, force }: { readonly out: string; readonly force: boolean },
): Promise<string> {
  const used = usedParameters(model, weights)
  const run = await createRun(out, {
    config: {
      model,
      training: { fit, crop: formatCrop(crop), ...(tie !== 'none' && { tie }) },
      compression: { device, eightBits, ...(halves && { halves }) },
    },
    ...{ version, force },
  })
  try {
    const halves = new Set(halfKept ? used.filter(isHalved).map(({ name }) => name) : [])
    await run.saveWeights(new Map(used.map(({ name }) => [name, weights.get(name)!])), new Map(), {
      floats: (name) => (halves.has(name) ? 'F16' : 'F32'),
    })
    return run.path
  } finally {
    run.close()
  }
}

/** Times of the networks of a run, in milliseconds, medians of runs in turn. */
export type PartTimes = { readonly [Part in ModelPart]?: number }

/** Times of all networks as they were, in float and, where there is a plan, in eight bits, each set in turn. */
export async function timesOf(
  parts: readonly CalibratedPart[],
  plans: EightBitPlans,
  originals: readonly CalibratedPart[],
  { threads, signal }: TimingOptions,
): Promise<Record<'original' | 'float' | 'rounded', PartTimes>> {
  type Times = Partial<Record<ModelPart, number>>
  const [original, float, rounded]: [Times, Times, Times] = [{}, {}, {}]
  for (const { part, network, feeds } of parts) {
    const plan = plans[part]
    const first = originals.find((one) => one.part === part)!.network
    const networks = [first, network, plan === undefined ? network : withEightBits(network, plan)]
    const sessions = new Map<Weighted, Session>()
    try {
      for (const one of new Set(networks)) {
        const { graph, weights } = one
        sessions.set(one, await createSession(graph, { device: 'cpu', weights, threads, spin: false }))
      }
      const timed = [...sessions.values()]
      const own = Object.fromEntries(Array.from(timed[0]!.inputs.keys(), (name) => [name, feeds[name]!]))
      const found = await timeSessions(timed, own, { threads, signal })
      const medians = networks.map((one) => found[[...sessions.keys()].indexOf(one)]!.median)
      ;[original[part], float[part], rounded[part]] = medians as [number, number, number]
    } finally {
      for (const session of sessions.values()) await session.close()
    }
  }
  return { original, float, rounded }
}
