// Formulas of the losses of training without labels, on images [N, C, H, W] in [0, 1] and on keypoints.
import type { Value } from '../../graph/graph.ts'
import {
  abs,
  add,
  addAll,
  averagePool,
  constant,
  mul,
  reduceMean,
  sliceAxis,
  sub,
} from '../../graph/ops/index.ts'
import { floats } from '../../graph/tensor.ts'
import type { Keypoints } from '../../motion/keypoints.ts'
import { inverse2x2, product2x2 } from '../../motion/keypoints.ts'
import { type Transform, warp, warpJacobian } from './transform.ts'

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
