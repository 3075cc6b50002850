// Random warps in a training step's graph: affine maps and thin-plate splines, under which keypoints must move along
// (equivariance; Siarohin et al. 2019, section 3.1 and supplementary B). `evaluate/warp.ts` has the same on numbers.
import { logGuard } from '../../evaluate/warp.ts'
import type { Value } from '../../graph/graph.ts'
import {
  abs,
  add,
  concat,
  constant,
  div,
  greater,
  log,
  matmul,
  mul,
  reshape,
  sliceAxis,
  sub,
  where,
} from '../../graph/ops/index.ts'
import { transposeLast } from '../../graph/ops/linear.ts'
import { floats } from '../../graph/tensor.ts'
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
  const affine = sliceAxis(transform.theta, 2, 0, 2)
  const shift = transposeLast(sliceAxis(transform.theta, 2, 2, 3))
  const moved = add(matmul(points, transposeLast(affine)), shift)
  const [dx, dy] = offsets(points, transform)
  const distance = add(abs(dx), abs(dy))
  const basis = mul(mul(distance, distance), log(add(distance, logGuard)))
  return add(moved, matmul(basis, transform.spline))
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
