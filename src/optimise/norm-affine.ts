import type { Node, Value } from '../graph/graph.ts'
import { add, div, mul, sub } from '../graph/ops/arithmetic.ts'
import { reshape } from '../graph/ops/shape.ts'
import { sqrt } from '../graph/ops/unary.ts'

/** Channel by channel, x times `scale` plus `shift`: vectors of one number a channel. */
export interface ChannelAffine {
  readonly scale: Value
  readonly shift: Value
}

/** What a trained norm does: γ (x - μ) / σ + β. */
export function normAffine(inputs: readonly Value[], attrs: Node['attrs']): ChannelAffine {
  const [, gamma, beta, mean, variance] = inputs as [Value, Value, Value, Value, Value]
  const scale = div(gamma, sqrt(add(variance, Number(attrs.epsilon))))
  return { scale, shift: sub(beta, mul(mean, scale)) }
}

/** The kernel and the bias of a convolution and of what is done to its channels, as one. */
export function foldedInto(
  { scale, shift }: ChannelAffine,
  kernel: Value,
  bias: Value | undefined,
): { readonly kernel: Value; readonly bias: Value } {
  return {
    kernel: mul(kernel, reshape(scale, [-1, 1, 1, 1])),
    bias: bias === undefined ? shift : add(mul(bias, scale), shift),
  }
}
