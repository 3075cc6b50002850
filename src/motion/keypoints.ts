// Keypoints from heatmaps, Gaussians from keypoints, and the algebra of local affine maps (Siarohin et al. 2019,
// section 3.1).
import type { Value } from '../graph/graph.ts'
import { div, mul, neg, sub } from '../graph/ops/arithmetic.ts'
import { constant } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { concat, reshape, sliceAxis } from '../graph/ops/shape.ts'
import { exp, softmax, square } from '../graph/ops/unary.ts'
import { floats } from '../graph/tensor.ts'
import { axisCoordinates, coordinateGrid } from '../layers/fomm.ts'

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
  const line = (axis: 0 | 1, size: number, shape: readonly number[]) => {
    const pixels = constant(value.graph, floats(axisCoordinates(size), [1, 1, size]))
    const distance = sub(pixels, sliceAxis(value, 2, axis, axis + 1))
    return reshape(exp(mul(square(distance), -0.5 / variance)), shape)
  }
  return mul(line(1, h, [n, k, h, 1]), line(0, w, [n, k, 1, w]))
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
