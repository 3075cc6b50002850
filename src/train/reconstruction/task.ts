// Training without labels: each step drives frames by other frames of their clip. Batches and previews.
import { drawKeypoints } from '../../animate/preview.ts'
import type { Value } from '../../graph/graph.ts'
import { add, cast, clip, mul, sliceAxis, transpose } from '../../graph/ops/index.ts'
import { floats, type Tensor, tensor } from '../../graph/tensor.ts'
import type { Scope } from '../../layers/scope.ts'
import type { Clip, Frame } from '../../media/clip.ts'
import { contactSheet } from '../../media/draw.ts'
import { resized } from '../../model/keypoint-detector.ts'
import type { MotionConfig } from '../../motion/config.ts'
import { animateFrame, detect } from '../../motion/model.ts'
import type { Tensors } from '../../runtime/session.ts'
import { hasFlow } from '../../synthetic/made-clips.ts'
import { InputError } from '../../util/errors.ts'
import type { Random } from '../../util/random.ts'
import { drawTransform, recolours } from '../augment.ts'
import type { RunConfig } from '../config.ts'
import { drawBatch, type FrameCache } from '../frames.ts'
import type { Preview, Task, TaskOptions } from '../loop.ts'
import { labelLosses } from '../losses.ts'
import { EvaluationModel, keypointsOfFrame, type TrainingState } from '../state.ts'
import type { TrainingStep } from '../step.ts'
import { discriminatorPrefix, type PerceptualLoss } from './judges.ts'
import { labelTensors } from './label-losses.ts'
import { needsBefore, needsKeypointsAlone, partsOf, type StepPart } from './parts.ts'
import { buildTrainingStep } from './step.ts'

/** @throws InputError if pictures are compared, and each is to change by itself. */
export function assertVaried({ training: { augment, losses } }: RunConfig): void {
  const { vary = 0 } = augment
  if (vary === 0 || needsKeypointsAlone(losses)) return
  throw new InputError({
    what: 'pictures that change by themselves cannot be compared',
    where: 'vary',
    got: `${vary}, with losses on more than keypoints`,
    expected: 'losses on keypoints alone, such as landmarks, openings and kept',
    remedy: 'set the weights of all other losses to 0 (--losses), or leave vary out',
  })
}

/** Points of the grid on which known motion is kept, one for each pixel of the model's motion; undefined if none is used. */
export function labelSide(clips: readonly Clip[], { model, training }: RunConfig): number | undefined {
  const used = clips.some(hasFlow) && labelLosses.some((name) => (training.losses[name] ?? 0) > 0)
  return used ? Math.round(model.size * model.denseMotion.scaleFactor) : undefined
}

/** The task of training without labels. */
export async function reconstructionTask(
  { model, training }: RunConfig,
  cache: FrameCache,
  { openSession, batch }: TaskOptions,
  reads: StepReads = {},
): Promise<Task> {
  const { augment, transform } = training
  const { labels } = cache
  const stepIn = (part?: StepPart) =>
    stepOf({ model, training }, batch, { side: labels?.side, part, ...reads })
  const parts = partsOf(model, training)
  const last = parts.pop()!.part
  const step = stepIn(last)
  const evaluation = await EvaluationModel.create({
    ...{ frames: 2, size: model.size, layouts: step, openSession },
    build: (scope, pixels) => animated(scope, pixels, model),
  })
  const warpTensors = (random: Random) => {
    const { theta, spline } = drawTransform(random, batch, transform)
    return {
      theta: floats(theta, [batch, 2, 3]),
      spline: floats(spline, [batch, transform.points ** 2, 1]),
    }
  }
  const drawFor = ({ feeds }: TrainingStep, { reduction, patch }: StepPart, random: Random): Tensors => {
    const drawn = drawBatch(random, cache, batch, augment)
    const brought = {
      frames: tensor('uint8', [2 * batch, model.size, model.size, 3], drawn.frames),
      colour: floats(drawn.colour, [batch, 3, 4]),
      ...(drawn.labels && labelTensors(drawn.labels, batch, labels!.side)),
      ...(feeds.has('theta') && warpTensors(random)),
      ...(patch < 1 && { corner: cornersOf(random, batch, patch, model.size / reduction / coarsest(model)) }),
    }
    return Object.fromEntries(Object.entries(brought).filter(([name]) => feeds.has(name)))
  }
  return {
    step,
    draw: (random) => drawFor(step, last, random),
    phases: parts.map(({ until, part }) => {
      let made: TrainingStep | undefined
      return {
        until,
        // Most runs have one part, and a step takes a while to build.
        get step() {
          made ??= stepIn(part)
          return made
        },
        draw(random) {
          return drawFor(this.step, part, random)
        },
      }
    }),
    weights: (trained) => new Map([...trained].filter(([name]) => !name.startsWith(discriminatorPrefix))),
    preview: (state) => makePreview(evaluation, cache, state),
    close: () => evaluation.close(),
  }
}

/** Networks besides the model that a step's losses read. */
export interface StepReads {
  /** The network that compares pictures by features. */
  readonly perceptual?: PerceptualLoss | undefined
  /** Weights that training began with: see `weightsBefore`. */
  readonly before?: ReadonlyMap<string, Tensor> | undefined
}

/** What else a step is made of. */
interface StepParts extends StepReads {
  /** Points of the grid of known motion along each axis, if there are labels. */
  readonly side?: number | undefined
  readonly part?: StepPart | undefined
}

/**
 * The weights that training began with, if a loss keeps what they find.
 *
 * @throws InputError if training begins with random weights
 */
export function weightsBefore(
  { training: { losses } }: RunConfig,
  start: ReadonlyMap<string, Tensor> | undefined,
): ReadonlyMap<string, Tensor> | undefined {
  if (!needsBefore(losses)) return undefined
  if (start !== undefined) return start
  throw new InputError({
    what: 'nothing is there to be kept: training begins with random weights',
    where: 'losses.kept',
    got: String(losses.kept),
    remedy: 'name the run to begin with (from or init), or leave the loss out',
  })
}

/** The step of a run, on a batch or on the part of one replica. */
export function stepOf(
  { model, training }: RunConfig,
  batch: number,
  { side, perceptual, before, part }: StepParts = {},
): TrainingStep {
  const { scales, losses: weights, adam, tie, transform, augment } = training
  return buildTrainingStep(model, {
    ...{ batch, scales, weights, adam, transform, colour: recolours(augment), part },
    labels: side === undefined ? undefined : { side, tie },
    ...(perceptual && { perceptual }),
    before,
  })
}

/** Pixels of a picture for one of the coarsest map that the decoder sees. */
const coarsest = ({ generator, denseMotion }: MotionConfig) =>
  Math.max(2 ** generator.downBlocks, Math.round(1 / denseMotion.scaleFactor))

/**
 * Random places of patches, on whole pixels of the coarsest map.
 *
 * @param side of that map, in pixels
 * @returns the first corners as parts of the picture's side, [batch, 2]
 */
function cornersOf(random: Random, batch: number, patch: number, side: number): Tensor {
  const places = Math.floor(side * (1 - patch)) + 1
  const corners = Float32Array.from({ length: 2 * batch }, () => random.integer(places) / side)
  return floats(corners, [batch, 2])
}

/** The first of two frames driven by the second, with absolute keypoints; and the keypoints of both. */
export function animated(scope: Scope, pixels: Value, model: MotionConfig): Record<string, Value> {
  const { value, jacobian } = detect(scope, pixels, model).keypoints
  const pick = (row: number) => ({
    value: sliceAxis(value, 0, row, row + 1),
    jacobian: jacobian && sliceAxis(jacobian, 0, row, row + 1),
  })
  const { prediction } = animateFrame(scope, sliceAxis(pixels, 0, 0, 1), pick(0), pick(1), model)
  const bytes = cast(clip(add(mul(transpose(prediction, [0, 2, 3, 1]), 255), 0.5), 0, 255), 'uint8')
  return { prediction: bytes, value, ...(jacobian && { jacobian }) }
}

/** Rows of a preview at most, and the least side that frames are shown at, in pixels. */
const rows = 6
const shownSide = 128

/** One pair of frames that a preview shows: indices into the cache. */
interface Pair {
  readonly source: number
  readonly driving: number
}

/**
 * Pairs that are the same all through a run: the first frame of each clip, driven by its held-out frames (by its last
 * ones, if none are held out).
 */
function previewPairs(cache: FrameCache): Pair[] {
  const perClip = Math.max(1, Math.floor(rows / cache.clips.length))
  return cache.clips.slice(0, rows).flatMap(({ first, training, count }) => {
    const from = training < count ? training : Math.floor(count / 2)
    return Array.from({ length: perClip }, (_, i) => ({
      source: first,
      driving: first + from + Math.floor(((i + 0.5) * (count - from)) / perClip),
    }))
  })
}

/**
 * One picture: a row a pair, with source, driving frame, result, and the driving frame's keypoints. Its measures are
 * `l1`, the mean absolute difference of the results to their driving frames, values in [0, 1], and `still`, that of the
 * sources themselves.
 */
async function makePreview(
  evaluation: EvaluationModel,
  cache: FrameCache,
  state: TrainingState,
): Promise<Preview> {
  const { size, frameBytes } = cache
  const cells: Frame[] = []
  let [l1, still] = [0, 0]
  const pairs = previewPairs(cache)
  for (const pair of pairs) {
    const frames = new Uint8Array(2 * frameBytes)
    cache.read(pair.source, frames)
    cache.read(pair.driving, frames, frameBytes)
    const [source, driving] = [frames.slice(0, frameBytes), frames.slice(frameBytes)]
    const outputs = await evaluation.run(state, frames)
    const prediction = outputs.prediction!.data as Uint8Array
    l1 += meanDifference(prediction, driving) / pairs.length
    still += meanDifference(source, driving) / pairs.length
    const shown = [source, driving, prediction].map((data) => enlarged(data, size))
    cells.push(...shown, drawKeypoints(enlarged(driving, size), keypointsOfFrame(outputs, 1)))
  }
  return { picture: contactSheet(cells, 4), measures: { l1, still } }
}

/** A frame [size, size, 3] as previews show it: no smaller than is seen well. */
export function enlarged(data: Uint8Array, size: number): Frame {
  return resized({ width: size, height: size, data, time: 0, duration: 0 }, Math.max(size, shownSide))
}

/** Mean absolute difference of two pictures of 8 bits, in [0, 1]. */
export function meanDifference(a: Uint8Array, b: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!)
  return sum / a.length / 255
}
