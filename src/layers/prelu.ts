import type { Value } from '../graph/graph.ts'
import { reshape } from '../graph/ops/shape.ts'
import { leakyRelu } from '../graph/ops/unary.ts'
import type { Scope } from './scope.ts'

export interface PreluOptions {
  /** A slope for each channel (default: one for all). */
  readonly perChannel?: boolean
}

/**
 * Parametric ReLU (He et al. 2015, Delving Deep into Rectifiers, section 2.1): x where it is above 0, a · x
 * elsewhere. The slope a is trained: `weight` [1], or [C] with one slope a channel. It starts at 0.25, as in
 * the paper and in PyTorch.
 *
 * Parameters: 1, or C. Two calls with one scope share the slope.
 *
 * @param x [N, C, H, W]
 * @returns the same shape
 */
export function prelu(scope: Scope, x: Value, { perChannel = false }: PreluOptions = {}): Value {
  const slopes = perChannel ? x.shape[1]! : 1
  const weight = scope.weight('weight', [slopes], { kind: 'fill', value: 0.25 })
  return leakyRelu(x, reshape(weight, [1, slopes, 1, 1]))
}
