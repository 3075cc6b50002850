import type { Value } from '../graph/graph.ts'
import { add, mul, sub } from '../graph/ops/arithmetic.ts'
import { concat } from '../graph/ops/shape.ts'
import { sigmoid } from '../graph/ops/unary.ts'
import { conv2d } from './conv2d.ts'
import type { Scope } from './scope.ts'

/** How a map of the encoder joins one of the decoder: not at all, as a sum, or weighed by a gate. */
export type Skip = 'none' | 'sum' | 'gated'

/**
 * Joins an encoder's map to a decoder's of the same size. The encoder's goes through a 1x1 convolution to
 * the decoder's channels. `sum` adds it. `gated` lets a gate choose between the two at every pixel: one
 * weight from a 1x1 convolution over both and a sigmoid, so g · decoder + (1 - g) · encoder; that is the
 * unified attention fusion of PP-LiteSeg (Peng et al. 2022, section 3.3), whose gate is made of the maps'
 * means and maxima over channels, with a learned projection in their place.
 *
 * Parameters, from S channels to C: C S + C for `sum`; 2 C + 1 more for `gated`.
 *
 * @param x [N, C, H, W], the decoder's
 * @param side [N, S, H, W], the encoder's
 * @returns [N, C, H, W]
 */
export function joinSkip(scope: Scope, x: Value, side: Value, skip: Skip): Value {
  if (skip === 'none') return x
  const inner = scope.child('skip')
  const projected = conv2d(inner, side, x.shape[1]!, { kernel: 1 })
  if (skip === 'sum') return add(x, projected)
  const gate = sigmoid(conv2d(inner.child('gate'), concat([x, projected], 1), 1, { kernel: 1 }))
  return add(projected, mul(gate, sub(x, projected)))
}
