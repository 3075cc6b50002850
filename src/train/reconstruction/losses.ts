// Formulas of the losses of training without labels, on images [N, C, H, W] in [0, 1] and on keypoints, and the random
// warps under which keypoints must move along.

import { logGuard } from '../../evaluate/warp.ts'
import type { Value } from '../../graph/graph.ts'
import {
  abs,
  add,
  addAll,
  averagePool,
  concat,
  constant,
  div,
  greater,
  log,
  matmul,
  mul,
  reduceMean,
  reshape,
  sliceAxis,
  sub,
  where,
} from '../../graph/ops/index.ts'
import { like } from '../../graph/ops/leaf.ts'
import { transposeLast } from '../../graph/ops/linear.ts'
import { floats } from '../../graph/tensor.ts'
import { inverse2x2, type Keypoints, product2x2 } from '../../motion/keypoints.ts'

/** Mean absolute difference. */
export function l1(a: Value, b: Value): Value {
  return reduceMean(abs(sub(a, b)))
}

/** Mean absolute difference of the slopes along both axes: holds edges in place. */
export function slopeL1(a: Value, b: Value): Value {
  const difference = sub(a, b)
  return addAll(
    [2, 3].map((axis) => {
      const n = difference.shape[axis]!
      const slope = sub(sliceAxis(difference, axis, 1, n), sliceAxis(difference, axis, 0, n - 1))
      return reduceMean(abs(slope))
    }),
  )
}

/**
 * Difference of images over a pyramid of halved images: at each scale the mean absolute difference, plus that of the
 * slopes. The published loss compares VGG features at these scales; this one stands in for it if no perceptual network
 * is given. Halving is linear, so the difference is halved instead of the two images.
 */
export function pyramidLoss(prediction: Value, target: Value, scales: number): Value {
  let difference = sub(prediction, target)
  const zero = constant(difference.graph, floats([0], [1, 1, 1, 1]))
  const terms: Value[] = []
  for (let scale = 0; scale < scales; scale++) {
    if (scale > 0) difference = averagePool(difference, [2, 2])
    terms.push(add(reduceMean(abs(difference)), slopeL1(difference, zero)))
  }
  return mul(addAll(terms), 1 / scales)
}

/** |kp(D) - T(kp(T⁻¹ D))|: keypoints move along with the picture. */
export function valueEquivariance(driving: Keypoints, transformed: Keypoints, transform: Transform): Value {
  return reduceMean(abs(sub(driving.value, warp(transformed.value, transform))))
}

/** |1 - J(D)⁻¹ T' J(T⁻¹ D)|: and so do their jacobians. */
export function jacobianEquivariance(
  driving: Keypoints,
  transformed: Keypoints,
  transform: Transform,
): Value | undefined {
  const { graph } = driving.value
  if (driving.jacobian === undefined || transformed.jacobian === undefined) return undefined
  const moved = product2x2(warpJacobian(transformed.value, transform), transformed.jacobian)
  const identity = constant(graph, floats([1, 0, 0, 1], [1, 1, 2, 2]))
  return reduceMean(abs(sub(identity, product2x2(inverse2x2(driving.jacobian), moved))))
}

/** The parameters of N warps. */
export interface Transform {
  /** Affine maps [N, 2, 3]. */
  readonly theta: Value
  /** Spline coefficients [N, points², 1]. */
  readonly spline: Value
}

/** Distances of points [N, P, 2] to the control points, per coordinate: two of [N, P, points²]. */
function offsets(points: Value, { spline }: Transform): readonly [Value, Value] {
  const side = Math.round(Math.sqrt(spline.shape[1]!))
  const along = (axis: 0 | 1) => {
    const at = Float32Array.from({ length: side * side }, (_, i) => {
      const step = axis === 0 ? i % side : Math.floor(i / side)
      return (2 * step) / (side - 1) - 1
    })
    const controls = constant(points.graph, floats(at, [1, 1, side * side]))
    return sub(sliceAxis(points, 2, axis, axis + 1), controls)
  }
  return [along(0), along(1)]
}

/**
 * Where the warps take points: A p + b + Σₖ cₖ r² log r.
 *
 * @param points [N, P, 2], (x, y) in [-1, 1]; N may be 1 and stretches
 * @returns [N, P, 2]
 */
export function warp(points: Value, transform: Transform): Value {
  const [dx, dy] = offsets(points, transform)
  const distance = add(abs(dx), abs(dy))
  const basis = mul(mul(distance, distance), log(add(distance, logGuard)))
  // All three parts as one product: sums over two numbers at each of many points would take longer.
  const parts = concat([points, like(sliceAxis(points, 2, 0, 1), 1), basis], 2)
  const { theta, spline } = transform
  return matmul(parts, concat([transposeLast(theta), concat([spline, spline], 2)], 1))
}

/**
 * Jacobian of the warps at points, in closed form: A + [1 1]ᵀ ∇s, with s the spline and
 * ds/dx = Σₖ cₖ (2 r log r + r² / r) sign(x - xₖ).
 *
 * @param points [N, P, 2]
 * @returns [N, P, 2, 2]; row i is the gradient of coordinate i
 */
export function warpJacobian(points: Value, transform: Transform): Value {
  const n = transform.theta.shape[0]!
  const p = points.shape[1]!
  const [dx, dy] = offsets(points, transform)
  const distance = add(abs(dx), abs(dy))
  const safe = add(distance, logGuard)
  const slope = add(mul(mul(distance, 2), log(safe)), div(mul(distance, distance), safe))
  const signed = (offset: Value) => matmul(where(greater(offset, 0), slope, mul(slope, -1)), transform.spline)
  const spline = reshape(concat([signed(dx), signed(dy)], 2), [n, p, 1, 2])
  const affine = reshape(sliceAxis(transform.theta, 2, 0, 2), [n, 1, 2, 2])
  return add(affine, spline)
}
