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

/** Losses on images [N, C, H, W] with values in [0, 1]. */

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
 * Reconstruction over a pyramid of halved images: at each scale the mean absolute difference, plus that of
 * the slopes. The published loss compares VGG features at these scales; this is what stands in for it where
 * no perceptual network is given. Halving is linear, so the difference is halved, not the two images.
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
