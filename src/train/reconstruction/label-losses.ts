// Losses on what is known of synthetic clips: true motion, true occlusion, and true places of the points that keypoints are
// tied to.
import type { Builder, Graph, Value } from '../../graph/graph.ts'
import {
  abs,
  add,
  addAll,
  clip,
  concat,
  constant,
  div,
  input,
  like,
  log,
  matmul,
  maximum,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
  sliceAxis,
  sub,
} from '../../graph/ops/index.ts'
import { transposeLast } from '../../graph/ops/linear.ts'
import { floats } from '../../graph/tensor.ts'
import { gaussianAlong, type Keypoints } from '../../motion/keypoints.ts'
import type { Tensors } from '../../runtime/session.ts'
import { type Tie, tiedPairs, tiedPoints } from '../../synthetic/made-clips.ts'
import type { BatchLabels } from '../frames.ts'
import { labelPoints } from '../motion-labels.ts'

export type { Tie } from '../../synthetic/made-clips.ts'

/** What is known of N pairs, as values of the step's graph. Where nothing is known, all is 0. */
export interface KnownMotion {
  /** Points of the source frames, then of the driving frames: [2 N, P, 3] as x, y in [-1, 1] and a weight. */
  readonly points: Value
  /** Where points of the driving frames are in the sources: [N, side, side, 2] as x, y in [-1, 1]. */
  readonly flow: Value
  /** 1 where the point is in sight in the source, [N, side, side]. */
  readonly visible: Value
  /** 1 for pairs of which the motion is known, [N]. */
  readonly known: Value
  /** What the first keypoints are tied to. */
  readonly tie: Tie
}

/** The inputs of a step for what is known: `points`, `flow`, `visible` and `known`. */
export function knownMotion(graph: Graph, batch: number, side: number, tie: Tie): KnownMotion {
  const named = (name: string, shape: readonly number[]) => input(graph, name, 'float32', [...shape])
  return {
    points: named('points', [2 * batch, labelPoints, 3]),
    flow: named('flow', [batch, side, side, 2]),
    visible: named('visible', [batch, side, side]),
    known: named('known', [batch]),
    tie,
  }
}

/** What is known of a batch, for the inputs of `knownMotion`. */
export const labelTensors = (
  { points, flow, visible, known }: BatchLabels,
  n: number,
  side: number,
): Tensors => ({
  points: floats(points, [2 * n, labelPoints, 3]),
  flow: floats(flow, [n, side, side, 2]),
  visible: floats(visible, [n, side, side]),
  known: floats(known, [n]),
})

/** Weight of a place near a known point over that of the rest of the picture. */
const focus = 10
/** Squared deviation of a known point's neighbourhood, in units of [-1, 1]. */
const focusVariance = 0.003

/** The same of a place next to what keypoints are tied to, such as a lid, and how near that is. */
const tiedFocus = 40
const tiedVariance = 0.002

/**
 * Mean distance, as |x| + |y| in units of [-1, 1], of the motion from the true one, where the driving frame's points are
 * in sight in the source. Places near known points weigh more: lids and lips are a small part of a picture.
 *
 * @param deformation [N, side, side, 2]
 */
export function flowLoss(deformation: Value, { flow, visible, points, known, tie }: KnownMotion): Value {
  const [n, side] = flow.shape as [number, number]
  let attention = add(mul(attentionMap(points, n, [side, side]), focus), 1)
  // What turns with the head is no small part of a picture.
  const moving = tie === 'head' || tie === 'gaze' ? 'face' : tie
  if (tiedPoints[moving].length > 0) {
    const near = attentionMap(tiedPlaces(points, moving), n, [side, side], tiedVariance)
    attention = add(attention, mul(near, tiedFocus))
  }
  const weight = mul(mul(visible, attention), reshape(known, [n, 1, 1]))
  const distance = reduceSum(abs(sub(deformation, flow)), [3])
  return weightedMean(distance, weight)
}

/**
 * Mean absolute difference of pictures near known points of the driving frame. Eyes and mouth are a small part of a
 * picture, and what they do is most of what people look at.
 *
 * @param prediction [N, 3, H, W] in [0, 1]
 * @param driving [N, 3, H, W] in [0, 1]
 */
export function nearPointsDifference(
  prediction: Value,
  driving: Value,
  { points, known }: KnownMotion,
): Value {
  const [n, , h, w] = prediction.shape as [number, number, number, number]
  const near = mul(attentionMap(points, n, [h, w]), reshape(known, [n, 1, 1]))
  const difference = mul(reduceSum(abs(sub(prediction, driving)), [1]), 1 / 3)
  return weightedMean(difference, near)
}

/** How near each place is to a known point of the driving frames, [N, h, w] in [0, 1]. */
function attentionMap(
  points: Value,
  n: number,
  [h, w]: readonly [number, number],
  variance = focusVariance,
): Value {
  const driving = sliceAxis(points, 0, n, 2 * n)
  const weights = reshape(sliceAxis(driving, 2, 2, 3), [n, points.shape[1]!, 1])
  // A product of Gaussians along y and along x, summed over points.
  const down = mul(gaussianAlong(driving, 1, h, variance), weights)
  const sum = matmul(transposeLast(down), gaussianAlong(driving, 0, w, variance))
  return clip(sum, 0, 1)
}

/**
 * Mean cross-entropy of the occlusion map and the true one, in nats.
 *
 * @param occlusionMap [N, 1, side, side] in [0, 1]
 */
export function occlusionLoss(occlusionMap: Value, { visible, known }: KnownMotion): Value {
  const [n, side] = visible.shape as [number, number]
  const found = clip(reshape(occlusionMap, [n, side, side]), 1e-4, 1 - 1e-4)
  const likelihood = add(mul(visible, log(found)), mul(sub(1, visible), log(sub(1, found))))
  return weightedMean(neg(likelihood), mul(reshape(known, [n, 1, 1]), like(visible, 1)))
}

/**
 * Mean distance, as |x| + |y| in units of [-1, 1], of tied keypoints from what they are tied to, in source and driving
 * frames. Undefined if none is tied.
 */
export function tiedDistance(
  source: Keypoints,
  driving: Keypoints,
  { points, tie }: KnownMotion,
): Value | undefined {
  const tied = tiedKeypoints(source, driving, points, tie)
  if (tied === undefined) return undefined
  return weightedMean(reduceSum(abs(sub(tied.found, tied.wanted)), [2]), tied.weight)
}

/**
 * Mean difference, as |x| + |y| in units of [-1, 1], of what lies between pairs of tied keypoints, such as both lids of an
 * eye, from what is known of it. An opening is a small difference of two places, and both places may be wrong alike.
 * Undefined if no pair is tied.
 */
export function openingDifference(
  source: Keypoints,
  driving: Keypoints,
  { points, tie }: KnownMotion,
): Value | undefined {
  const tied = tiedKeypoints(source, driving, points, tie)
  if (tied === undefined || tiedPairs[tie].length === 0) return undefined
  const { found, wanted, weight } = tied
  const [n, count] = weight.shape as [number, number]
  const pairs = tiedPairs[tie].filter((pair) => Math.max(...pair) < count)
  const signs = product(points.graph, pairs, count, ([one, other]) => [
    [one, 1],
    [other, -1],
  ])
  const halves = product(points.graph, pairs, count, ([one, other]) => [
    [one, 0.5],
    [other, 0.5],
  ])
  const difference = matmul(signs, sub(found, wanted))
  const known = reshape(matmul(halves, reshape(weight, [n, count, 1])), [n, pairs.length])
  return weightedMean(reduceSum(abs(difference), [2]), known)
}

/**
 * What training on labels alone would forget (Li and Hoiem 2016, "Learning without forgetting"): the mean absolute difference
 * of jacobians, and of keypoints in units of [-1, 1], from those of the detector that training began with. Keypoints count
 * where they are not tied, and everywhere in pairs of which nothing is known.
 *
 * @param now keypoints of source and driving frames
 * @param before as `now`, of the detector as it was
 */
export function keptDifference(
  now: readonly Keypoints[],
  before: readonly Keypoints[],
  known: KnownMotion | undefined,
): Value {
  const all = (of: readonly Keypoints[]) =>
    concat(
      of.map(({ value }) => value),
      0,
    )
  const difference = abs(sub(all(now), all(before)))
  const [n2, k] = difference.shape as [number, number]
  const values = weightedMean(reduceSum(difference, [2]), counted(known, n2, k, difference.graph))
  const jacobians = now.map(({ jacobian }, i) => {
    const was = before[i]!.jacobian
    return jacobian && was && reduceMean(abs(sub(jacobian, was)))
  })
  return addAll([
    values,
    ...jacobians.flatMap((one) => (one === undefined ? [] : [mul(one, 1 / now.length)])),
  ])
}

/** 1 for each keypoint [n2, k] that no label says where it is. */
function counted(known: KnownMotion | undefined, n2: number, k: number, graph: Builder): Value {
  const tied = known === undefined ? 0 : Math.min(tiedPoints[known.tie].length, k)
  const free = constant(
    graph,
    floats(
      Float32Array.from({ length: n2 * k }, (_, i) => (i % k < tied ? 0 : 1)),
      [n2, k],
    ),
  )
  if (known === undefined) return free
  const unknown = reshape(sub(1, concat([known.known, known.known], 0)), [n2, 1])
  return maximum(free, mul(like(free, 1), unknown))
}

/** Tied keypoints of source and driving frames, [2 N, T, 2], where they should be, and how much each counts, [2 N, T]. */
function tiedKeypoints(source: Keypoints, driving: Keypoints, points: Value, tie: Tie) {
  const count = Math.min(tiedPoints[tie].length, source.value.shape[1]!)
  if (count === 0) return undefined
  const known = sliceAxis(tiedPlaces(points, tie), 1, 0, count)
  return {
    found: sliceAxis(concat([source.value, driving.value], 0), 1, 0, count),
    wanted: sliceAxis(known, 2, 0, 2),
    weight: reshape(sliceAxis(known, 2, 2, 3), known.shape.slice(0, 2)),
  }
}

/** What keypoints are tied to, [2 N, T, 3] as `KnownMotion.points`. */
function tiedPlaces(points: Value, tie: Tie): Value {
  const shares = product(points.graph, tiedPoints[tie], labelPoints, (members) =>
    members.map((member) => [member, 1 / members.length]),
  )
  return matmul(shares, points)
}

/** A matrix [1, items, columns] with few entries, to multiply by: for each item, pairs of a column and its number. */
function product<T>(
  graph: Builder,
  items: readonly T[],
  columns: number,
  entries: (item: T) => readonly (readonly [column: number, value: number])[],
): Value {
  const matrix = new Float32Array(items.length * columns)
  items.forEach((item, row) => {
    for (const [column, value] of entries(item)) matrix[row * columns + column] = value
  })
  return constant(graph, floats(matrix, [1, items.length, columns]))
}

/** Mean under weights; 0 if all weights are 0. */
const weightedMean = (values: Value, weights: Value): Value =>
  div(reduceSum(mul(values, weights)), add(reduceSum(weights), 1e-6))
