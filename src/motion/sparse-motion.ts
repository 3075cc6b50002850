import type { Value } from '../graph/graph.ts'
import { expand, mul, reduceSum, sub } from '../graph/ops/arithmetic.ts'
import { constant } from '../graph/ops/leaf.ts'
import { matmul, transposeLast } from '../graph/ops/linear.ts'
import { gridSample } from '../graph/ops/sampling.ts'
import { concat, reshape, transpose } from '../graph/ops/shape.ts'
import { floats } from '../graph/tensor.ts'
import { coordinateGrid } from '../layers/fomm.ts'
import type { Keypoints } from './keypoints.ts'
import { inverse2x2, product2x2 } from './matrix2x2.ts'

/**
 * The K + 1 motions of a frame pair, each an affine map from the driving picture's coordinates to the
 * source's (Siarohin et al. 2019, equation 4): around each keypoint, and the identity for the background.
 *
 * Row vectors (x, y, 1) times a 3x2 matrix give the point: rows 0 and 1 are the transposed linear part
 * J = J_source J_driving⁻¹, row 2 is the shift value_source - J value_driving.
 *
 * @returns [N, K + 1, 3, 2], the background first
 */
export function affineMotions(source: Keypoints, driving: Keypoints): Value {
  const [n, k] = source.value.shape as [number, number]
  const { graph } = source.value
  const identity = constant(graph, floats([1, 0, 0, 1], [1, 1, 2, 2]))
  const background = constant(graph, floats([1, 0, 0, 1, 0, 0], [1, 1, 3, 2]))
  const linear =
    source.jacobian === undefined || driving.jacobian === undefined
      ? expand(identity, [n, k, 2, 2])
      : product2x2(source.jacobian, inverse2x2(driving.jacobian))
  const turned = transposeLast(linear)
  const rows = (value: Value) => reshape(value, [n, k, 1, 2])
  const shift = sub(rows(source.value), matmul(rows(driving.value), turned))
  return concat([expand(background, [n, 1, 3, 2]), concat([turned, shift], 2)], 1)
}

/** (x, y, 1) of every pixel, [h * w, 3]. */
function homogeneousGrid(graph: Value['graph'], [h, w]: readonly [number, number]): Value {
  const points = coordinateGrid(h, w).data
  const rows = Array.from({ length: h * w }, (_, i) => [points[2 * i]!, points[2 * i + 1]!, 1])
  return constant(graph, floats(rows.flat(), [h * w, 3]))
}

/**
 * The source picture moved by each motion (equation 7). The K + 1 results are one tall sample of the one
 * source, so the picture is not copied K + 1 times.
 *
 * @param source [N, C, h, w]
 * @param motions [N, K + 1, 3, 2]
 * @returns [N, K + 1, C, h, w]
 */
export function sparseDeformations(source: Value, motions: Value, alignCorners: boolean): Value {
  const [n, c, h, w] = source.shape as [number, number, number, number]
  const k = motions.shape[1]!
  const points = matmul(homogeneousGrid(source.graph, [h, w]), motions)
  const tall = gridSample(source, reshape(points, [n, k * h, w, 2]), { alignCorners })
  return transpose(reshape(tall, [n, c, k, h, w]), [0, 2, 1, 3, 4])
}

/**
 * The dense motion: at each pixel the mean of the motions under the mask. Motions are linear in the
 * coordinates, so their matrices are averaged, and each pixel is mapped once in place of K + 1 times.
 *
 * @param mask [N, K + 1, h, w], of sum 1 at each pixel
 * @param motions [N, K + 1, 3, 2]
 * @returns [N, h, w, 2], in [-1, 1]
 */
export function meanDeformation(mask: Value, motions: Value): Value {
  const [n, k, h, w] = mask.shape as [number, number, number, number]
  // Pixels last: sums over few numbers that lie side by side are slow.
  const byNumber = transposeLast(reshape(motions, [n, k, 6]))
  const matrices = reshape(matmul(byNumber, reshape(mask, [n, k, h * w])), [n, 3, 2, h * w])
  const points = transposeLast(reshape(homogeneousGrid(mask.graph, [h, w]), [1, 1, h * w, 3]))
  const moved = reduceSum(mul(matrices, reshape(points, [1, 3, 1, h * w])), [1])
  return reshape(transposeLast(moved), [n, h, w, 2])
}
