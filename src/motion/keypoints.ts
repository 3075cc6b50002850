// Keypoints from heatmaps, Gaussians from keypoints, and the algebra of local affine maps (Siarohin et al. 2019, section
// 3.1); and the heads that make heatmaps and jacobians of a network's features.
import type { Value } from '../graph/graph.ts'
import { add, div, mul, neg, reduceMean, reduceSum, sub } from '../graph/ops/arithmetic.ts'
import { maximum, minimum } from '../graph/ops/compare.ts'
import { conv } from '../graph/ops/conv.ts'
import { constant } from '../graph/ops/leaf.ts'
import { matmul, transposeLast } from '../graph/ops/linear.ts'
import { concat, reshape, sliceAxis } from '../graph/ops/shape.ts'
import { exp, softmax, square, withoutTraces } from '../graph/ops/unary.ts'
import { floats, type Tensor } from '../graph/tensor.ts'
import { conv2d } from '../layers/conv2d.ts'
import { axisCoordinates, coordinateGrid } from '../layers/fomm.ts'
import type { Scope } from '../layers/scope.ts'
import type { OptionValue } from '../util/options.ts'
import type { detectorOptions } from './options.ts'

/** Keypoints of a batch of pictures, as values of a graph. */
export interface Keypoints {
  /** [N, K, 2], (x, y) in [-1, 1]. -1 and 1 are the centres of the first and last pixel. */
  readonly value: Value
  /** [N, K, 2, 2], the local affine map at each keypoint; undefined if only points are used. */
  readonly jacobian: Value | undefined
}

/**
 * Softmax over the pixels of each map.
 *
 * @param maps [N, K, h, w]
 * @param temperature the maps are divided by it: a temperature below 1 sharpens them
 * @returns [N, K, h, w], each map of sum 1
 */
export function spatialSoftmax(maps: Value, temperature: number): Value {
  const [n, k] = maps.shape as [number, number]
  return reshape(softmax(mul(reshape(maps, [n, k, -1]), 1 / temperature), 2), maps.shape)
}

/**
 * Soft-argmax: the mean coordinate of each heatmap, which is finer than a pixel and has a gradient.
 *
 * @param heatmap [N, K, h, w], each map of sum 1
 * @returns [N, K, 2], (x, y) in [-1, 1]
 */
export function softArgmax(heatmap: Value): Value {
  const [n, k, h, w] = heatmap.shape as [number, number, number, number]
  return matmul(reshape(heatmap, [n, k, h * w]), constant(heatmap.graph, coordinateGrid(h, w)))
}

/**
 * An unnormalised Gaussian around each keypoint, exp(-|z - value|² / (2 variance)). It is computed as the
 * product of one along x and one along y.
 *
 * @param value [N, K, 2]
 * @param variance in squared units of [-1, 1]; published: 0.01
 * @returns [N, K, h, w]
 */
export function kp2gaussian(value: Value, [h, w]: readonly [number, number], variance: number): Value {
  const [n, k] = value.shape as [number, number]
  const down = reshape(gaussianAlong(value, 1, h, variance), [n, k, h, 1])
  return mul(down, reshape(gaussianAlong(value, 0, w, variance), [n, k, 1, w]))
}

/**
 * The Gaussian of `kp2gaussian` along one axis, without traces.
 *
 * @param value [N, K, 2 or more], x and y first
 * @returns [N, K, size]
 */
export function gaussianAlong(value: Value, axis: 0 | 1, size: number, variance: number): Value {
  const pixels = constant(value.graph, floats(axisCoordinates(size), [1, 1, size]))
  const distance = sub(pixels, sliceAxis(value, 2, axis, axis + 1))
  return withoutTraces(exp(mul(square(distance), -0.5 / variance)))
}

/** Inverse of 2x2 matrices, [..., 2, 2], by the adjugate. A matrix of determinant 0 gives infinities. */
export function inverse2x2(m: Value): Value {
  const entries = reshape(m, [...m.shape.slice(0, -2), 4])
  const [a, b, c, d] = [0, 1, 2, 3].map((i) => sliceAxis(entries, -1, i, i + 1)) as [
    Value,
    Value,
    Value,
    Value,
  ]
  const determinant = sub(mul(a, d), mul(b, c))
  return reshape(div(concat([d, neg(b), neg(c), a], -1), determinant), m.shape)
}

/** Product of 2x2 matrices, [..., 2, 2]. */
export const product2x2 = (a: Value, b: Value): Value => matmul(a, b)

/** How maps of the encoder join on the way to the head. */
export type SkipChoice = OptionValue<typeof detectorOptions.skip>

/**
 * Which head stands on the backbone.
 *
 * `fomm`: as published, 7x7 convolutions without padding at the (scaled) picture's resolution. Features of a
 * coarser stride are resized to it first, bilinearly, as such networks resize their logits.
 *
 * `light`: learned doublings up to `stride`, then small kernels.
 */
export type Head =
  | { readonly kind: 'fomm'; readonly skip: SkipChoice }
  | {
      readonly kind: 'light'
      /** Width of the features that the head reads. */
      readonly channels: number
      /** Of the heatmaps, in pixels of the scaled picture. */
      readonly stride: number
      readonly skip: SkipChoice
    }

export interface HeadOptions {
  readonly keypoints: number
  readonly temperature: number
  readonly jacobian: boolean
}

export interface HeadResult {
  /** [N, K, h, w], each map of sum 1. */
  readonly heatmap: Value
  /** The maps before softmax, [N, K, h, w]. */
  readonly kpMap: Value
  /** [N, K, 2, 2] */
  readonly jacobian: Value | undefined
  /** [N, 4 K, h, w]; only the published head makes them. */
  readonly jacobianMap: Value | undefined
}

/**
 * The published head: 7x7 convolutions without padding make K maps and 4 K jacobian maps, whose mean under
 * the heatmap is the jacobian (Siarohin et al. 2019; their keypoint_detector.py).
 *
 * @param features [N, F, H, W], H and W 7 or more; the heatmaps are 6 pixels smaller
 */
export function fommHead(scope: Scope, features: Value, options: HeadOptions): HeadResult {
  const { keypoints: k, temperature } = options
  const n = features.shape[0]!
  const kpMap = conv2d(scope.child('kp'), features, k, { kernel: 7, padding: 0 })
  const heatmap = spatialSoftmax(kpMap, temperature)
  if (!options.jacobian) return { heatmap, kpMap, jacobian: undefined, jacobianMap: undefined }

  const { weight, bias } = jacobianParameters(scope, [4 * k, features.shape[1]!, 7, 7])
  const jacobianMap = conv(features, weight, bias)
  const [h, w] = kpMap.shape.slice(2) as [number, number]
  const weighted = mul(reshape(heatmap, [n, k, 1, h * w]), reshape(jacobianMap, [n, k, 4, h * w]))
  return { heatmap, kpMap, jacobianMap, jacobian: reshape(reduceSum(weighted, [3]), [n, k, 2, 2]) }
}

/**
 * The light head: a 3x3 convolution to K maps (without a bias, which softmax would cancel), each with its own
 * region of the picture to look at first, and a 1x1 convolution to jacobians. Since a 1x1 convolution and a weighted mean commute, and heatmaps have sum 1,
 * the features are pooled under each heatmap first: 4 F products per keypoint instead of 4 F per pixel.
 *
 * @param features [N, F, h, w]
 */
export function lightHead(scope: Scope, features: Value, options: HeadOptions): HeadResult {
  const { keypoints: k, temperature } = options
  const [n, f, h, w] = features.shape as [number, number, number, number]
  const raw = conv2d(scope.child('kp'), features, k, { kernel: 3, bias: false })
  const kpMap = add(raw, mul(anchorPrior(scope.child('kp'), k, [h, w]), temperature))
  const heatmap = spatialSoftmax(kpMap, temperature)
  if (!options.jacobian) return { heatmap, kpMap, jacobian: undefined, jacobianMap: undefined }

  const { weight, bias } = jacobianParameters(scope, [4 * k, f, 1, 1])
  const pooled = matmul(reshape(heatmap, [n, k, h * w]), transposeLast(reshape(features, [n, f, h * w])))
  const perKeypoint = matmul(reshape(weight, [1, k, 4, f]), reshape(pooled, [n, k, f, 1]))
  const jacobian = reshape(add(perKeypoint, reshape(bias, [1, k, 4, 1])), [n, k, 2, 2])
  return { heatmap, kpMap, jacobian, jacobianMap: undefined }
}

/** Deviation of a keypoint's search region around its anchor, in units of [-1, 1]. */
const anchorDeviation = 0.35

/**
 * Where each keypoint looks first: the logarithm of a Gaussian around its anchor, a trained point `anchor`
 * [K, 2]. Anchors start spread over the picture (a sunflower's seeds, Vogel 1979). Without them all heatmaps
 * start flat, every soft-argmax in the middle, and the model may stay with one motion for the whole picture:
 * so it did, on faces and puppets alike.
 *
 * @returns [1, K, h, w]
 */
function anchorPrior(scope: Scope, k: number, [h, w]: readonly [number, number]): Value {
  const seeds = Array.from({ length: k }, (_, i) => {
    const radius = 0.75 * Math.sqrt((i + 0.5) / k)
    const angle = i * Math.PI * (3 - Math.sqrt(5))
    return [radius * Math.cos(angle), radius * Math.sin(angle)]
  })
  const anchor = scope.weight('anchor', [k, 2], { kind: 'values', values: floats(seeds.flat(), [k, 2]) })
  const squared = (axis: 0 | 1, size: number, shape: readonly number[]) => {
    const pixels = constant(scope.graph, floats(axisCoordinates(size), [1, 1, size]))
    const distance = sub(pixels, reshape(sliceAxis(anchor, 1, axis, axis + 1), [1, k, 1]))
    return reshape(square(distance), shape)
  }
  const distance = add(squared(1, h, [1, k, h, 1]), squared(0, w, [1, k, 1, w]))
  return mul(distance, -0.5 / anchorDeviation ** 2)
}

/** Weights start at 0 and biases at the identity matrix, so that every jacobian starts as the identity. */
function jacobianParameters(scope: Scope, shape: readonly [number, number, number, number]) {
  const inner = scope.child('jacobian')
  const identities: Tensor<'float32'> = floats(
    Array.from({ length: shape[0] }, (_, i) => (i % 4 === 0 || i % 4 === 3 ? 1 : 0)),
  )
  return {
    weight: inner.weight('weight', shape, { kind: 'fill', value: 0 }),
    bias: inner.weight('bias', [shape[0]], { kind: 'values', values: identities }),
  }
}

/** Squared distance, in units of [-1, 1], at which a neighbour's place counts half as much as one that is next to the keypoint. */
const nearby = 0.03
/** How much the mean linear part counts beside neighbours' places. A keypoint's neighbours have a mean square distance of about 0.1. */
const meanShare = 0.005
/** How far an element of a linear part that counts in the mean is from the identity's. */
const mostTurned = 0.7

/**
 * Linear parts [N, K, 2, 2], of which the first ones are fitted: the map that takes places around the keypoint from the driving
 * picture to the source, in least squares, where near places count more (Schaefer et al. 2006, "Image deformation using moving
 * least squares", section 2.1). A motion that prevails at its keypoint shows there what its linear part says alone, and a
 * detector tells the jacobian of a small part badly: a turned face had the ends of its brows twice, and a hole beside them. Places
 * are found far better. What they do not tell is filled up with the mean of all linear parts.
 *
 * @param source places in the source, [N, K, 2]
 * @param driving places in the driving picture, [N, K, 2]
 * @param linear linear parts by jacobians
 * @param count how many are fitted, to the places of each other
 */
export function fitted(source: Value, driving: Value, linear: Value, count: number): Value {
  const [n, k] = linear.shape as [number, number]
  const first = Math.min(count, k)
  if (first === 0) return linear
  const { graph } = linear
  const identity = constant(graph, floats([1, 0, 0, 1], [1, 1, 2, 2]))
  // Where a jacobian is nearly singular, its inverse is huge, and would decide the mean alone.
  const turned = minimum(maximum(sub(linear, identity), -mostTurned), mostTurned)
  const mean = add(identity, reduceMean(turned, [1], { keep: true }))
  const places = (value: Value) => sliceAxis(value, 1, 0, first)
  // From each keypoint to each other one.
  const offsets = (value: Value) =>
    sub(reshape(places(value), [n, 1, first, 2]), reshape(places(value), [n, first, 1, 2]))
  const [from, to] = [offsets(source), offsets(driving)]
  const nearness = div(1, add(reduceSum(square(to), [3], { keep: true }), nearby))
  const weighted = mul(to, div(nearness, reduceSum(nearness, [2], { keep: true })))
  const products = (of: Value) => matmul(transposeLast(of), weighted)
  const map = product2x2(
    add(products(from), mul(mean, meanShare)),
    inverse2x2(add(products(to), mul(identity, meanShare))),
  )
  return first === k ? map : concat([map, sliceAxis(linear, 1, first, k)], 1)
}
