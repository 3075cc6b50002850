import type { Value } from '../graph/graph.ts'
import { div, mul, neg, sub } from '../graph/ops/arithmetic.ts'
import { matmul } from '../graph/ops/linear.ts'
import { concat, reshape, sliceAxis } from '../graph/ops/shape.ts'

/** Algebra of the local affine maps: 2x2 matrices in the last two axes. */

/**
 * Inverse of 2x2 matrices, [..., 2, 2], by the adjugate. A matrix of determinant 0 gives infinities.
 */
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
