// The training step without labels as one graph: what a batch becomes on its way to the losses.
import type { WarpOptions } from '../../evaluate/warp.ts'
import { Graph, type Value } from '../../graph/graph.ts'
import {
  add,
  addAll,
  cast,
  clip,
  concat,
  constant,
  gridSample,
  input,
  matmul,
  mul,
  reshape,
  sliceAxis,
  transpose,
} from '../../graph/ops/index.ts'
import { floats, type Tensor } from '../../graph/tensor.ts'
import { coordinateGrid } from '../../layers/fomm.ts'
import { Scope } from '../../layers/scope.ts'
import type { MotionConfig } from '../../motion/config.ts'
import { reduced, seenIn } from '../../motion/generator.ts'
import type { Keypoints } from '../../motion/keypoints.ts'
import { animateFrame, detect } from '../../motion/model.ts'
import type { AdamOptions } from '../adam.ts'
import { type TrainLosses, trainLosses } from '../losses.ts'
import { type TrainingStep, withState } from '../step.ts'
import { discriminatorLoss, discriminatorPrefix, judge, type PerceptualLoss } from './judges.ts'
import { knownMotion, type Tie } from './label-losses.ts'
import { type Transform, warp } from './losses.ts'
import {
  needsBefore,
  needsDiscriminator,
  needsKeypointsAlone,
  needsWarps,
  type StepPart,
  weightsIn,
  wholeStep,
} from './parts.ts'

/** What a training step is built with. */
export interface StepOptions {
  readonly batch: number
  readonly scales: number
  /** Weights of the losses by name. */
  readonly weights: TrainLosses
  readonly transform: WarpOptions
  readonly adam: AdamOptions
  /** Whether batches bring colour changes. */
  readonly colour: boolean
  /** If batches bring labels: points of the flow's grid along each axis, and what keypoints are tied to. */
  readonly labels?: { readonly side: number; readonly tie: Tie } | undefined
  readonly perceptual?: PerceptualLoss
  /** Weights of the detector that training began with, for losses that keep what it finds. */
  readonly before?: ReadonlyMap<string, Tensor> | undefined
  /** What is painted and what rests, in this part of the run (default: whole frames, and nothing rests). */
  readonly part?: StepPart | undefined
}

const isOfDetector = (name: string) => name.startsWith('kp_detector.')

const isOfGenerator = (name: string) => name.startsWith('generator.')

/** Whether a weight belongs to detector or dense motion. */
const isOfMotion = (name: string) => isOfDetector(name) || name.startsWith('generator.dense_motion_network.')

/**
 * One step of unsupervised training (Siarohin et al. 2019, section 3.3): keypoints of source and driving frame,
 * reconstruction of the driving frame from the source, equivariance of the keypoints under a random warp of the driving
 * frame, gradients, running statistics and Adam.
 *
 * @returns a step with the inputs `frames` uint8 [2 batch, size, size, 3], if a loss needs warps `theta` and `spline`, if batches bring colour
 * changes, `colour`, if they bring labels, those of `knownMotion`, and if a patch is painted, its `corner` [batch, 2]; it
 * reports the loss and its weighted terms
 */
export function buildTrainingStep(model: MotionConfig, options: StepOptions): TrainingStep {
  const { batch, part = wholeStep } = options
  const weights = weightsIn(part, options.weights)
  const graph = new Graph()
  const scope = Scope.root(graph, { training: true })
  const { source, driving } = images(graph, model.size, options)

  const { points } = options.transform
  const transform: Transform = {
    theta: input(graph, 'theta', 'float32', [batch, 2, 3]),
    spline: input(graph, 'spline', 'float32', [batch, points * points, 1]),
  }
  const losses = trainLosses.all.filter(({ name }) => weights[name] !== undefined)
  const frames = [source, driving, ...(needsWarps(weights) ? [transformFrame(driving, transform)] : [])]

  // One batch of all: the detector's statistics are those of all frames, and its kernels run once.
  const { reduction, motionRests } = part
  const all = detect(motionRests ? scope.inEvaluation() : scope, concat(frames, 0), model).keypoints
  const [kpSource, kpDriving, kpTransformed = kpDriving] = splitKeypoints(all, frames.length) as [
    Keypoints,
    Keypoints,
    Keypoints?,
  ]
  const patch =
    part.patch < 1 ? { part: part.patch, corner: input(graph, 'corner', 'float32', [batch, 2]) } : undefined
  const painting = { reduction, ...(patch && { patch }), motionRests }
  const generatorRests = needsKeypointsAlone(weights)
  // In evaluation its statistics rest too, so that nothing of it is computed.
  const generatorScope = generatorRests ? scope.inEvaluation() : scope
  const generation = animateFrame(generatorScope, source, kpSource, kpDriving, model, painting)
  const shown = (frame: Value) => seenIn(patch, reduced(frame, reduction))
  const wanted = shown(driving)

  const { scales, perceptual, labels } = options
  const { prediction, deformation, occlusionMap } = generation
  const judgement = needsDiscriminator(weights)
    ? scope.within('discriminator', (inner) => judge(inner, wanted, prediction))
    : undefined
  const before = needsBefore(weights) ? options.before : undefined
  const compared = {
    ...{ graph, source: shown(source), driving: wanted, prediction, deformation, occlusionMap },
    ...{ kpSource, kpDriving, kpTransformed, transform, scales, perceptual },
    judgement,
    kpBefore: before && detectedBefore(graph, [source, driving], model),
    known: labels && knownMotion(graph, batch, labels.side, labels.tie),
  }
  const terms = Object.fromEntries(
    losses.map((loss) => {
      const term = weights[loss.name] === 0 ? undefined : loss.build(compared)
      const weighted = term && mul(term, weights[loss.name]!)
      return [loss.name, weighted ?? constant(graph, floats([0], []))]
    }),
  )
  const loss = addAll(Object.values(terms))
  const adversary = judgement && {
    ...{ prefix: discriminatorPrefix, name: 'discriminator' },
    loss: discriminatorLoss(judgement),
  }
  return withState(scope, { loss, ...terms }, options.adam, {
    fixed: new Map([...(options.perceptual?.weights ?? []), ...withPrefix(before)]),
    ...(adversary && { adversary }),
    rests: (name) => (motionRests && isOfMotion(name)) || (generatorRests && isOfGenerator(name)),
  })
}

const beforePrefix = 'before.'

/** Keypoints as the detector found them when training began: a second one, whose weights stay as they are. */
function detectedBefore(graph: Graph, frames: readonly [Value, Value], model: MotionConfig) {
  const scope = Scope.root(graph, { training: false })
  const all = scope.within('before', (inner) => detect(inner, concat(frames, 0), model).keypoints)
  return splitKeypoints(all, 2) as [Keypoints, Keypoints]
}

const withPrefix = (weights: ReadonlyMap<string, Tensor> | undefined): [string, Tensor][] =>
  Array.from(weights ?? []).flatMap(([name, tensor]) =>
    isOfDetector(name) ? [[`${beforePrefix}${name}`, tensor]] : [],
  )

/** Frames as fed, as images [N, 3, H, W] in [0, 1], with the batch's colour changes. */
function images(
  graph: Graph,
  size: number,
  { batch, colour }: StepOptions,
): { source: Value; driving: Value } {
  const frames = input(graph, 'frames', 'uint8', [2 * batch, size, size, 3])
  const pixels = mul(transpose(cast(frames, 'float32'), [0, 3, 1, 2]), 1 / 255)
  const [source, driving] = [sliceAxis(pixels, 0, 0, batch), sliceAxis(pixels, 0, batch, 2 * batch)]
  if (!colour) return { source, driving }
  const change = input(graph, 'colour', 'float32', [batch, 3, 4])
  const matrix = sliceAxis(change, 2, 0, 3)
  const offset = sliceAxis(change, 2, 3, 4)
  const recolour = (image: Value) =>
    reshape(clip(add(matmul(matrix, reshape(image, [batch, 3, -1])), offset), 0, 1), image.shape)
  return { source: recolour(source), driving: recolour(driving) }
}

/** The frame seen through the warp, mirrored at its border, as in the published code. */
function transformFrame(frame: Value, transform: Transform): Value {
  const [n, , height, width] = frame.shape as [number, number, number, number]
  const grid = constant(frame.graph, coordinateGrid(height, width))
  const points = warp(reshape(grid, [1, height * width, 2]), transform)
  return gridSample(frame, reshape(points, [n, height, width, 2]), {
    alignCorners: true,
    padding: 'reflection',
  })
}

/** Cuts keypoints of a joined batch into equal parts. */
export function splitKeypoints({ value, jacobian }: Keypoints, parts: number): Keypoints[] {
  const n = value.shape[0]! / parts
  return Array.from({ length: parts }, (_, i) => ({
    value: sliceAxis(value, 0, i * n, (i + 1) * n),
    jacobian: jacobian && sliceAxis(jacobian, 0, i * n, (i + 1) * n),
  }))
}
