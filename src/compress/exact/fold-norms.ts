import type { Graph, Value } from '../../graph/graph.ts'
import { add, div, mul, sub } from '../../graph/ops/arithmetic.ts'
import { reshape } from '../../graph/ops/shape.ts'
import { sqrt } from '../../graph/ops/unary.ts'
import { rewrite } from '../../graph/rewrite.ts'
import { madeBy } from './pattern.ts'

/**
 * A norm that follows a convolution becomes part of its kernel and bias (Jacob et al. 2018, section 3.2):
 * γ (conv(x) - μ) / σ + β is a convolution too, and one pass over memory less.
 */
export function foldNorms(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, target) => {
    const conv = node.op.name === 'normalise' ? madeBy(inputs[0], 'conv') : undefined
    if (conv === undefined) return undefined
    const [, gamma, beta, mean, variance] = inputs as [Value, Value, Value, Value, Value]
    return target.within(node.scope, () => {
      const scale = div(gamma, sqrt(add(variance, Number(node.attrs.epsilon))))
      const [x, kernel, bias] = conv.inputs as [Value, Value, Value | undefined]
      const folded = mul(kernel, reshape(scale, [-1, 1, 1, 1]))
      const shift = bias === undefined ? sub(beta, mul(mean, scale)) : add(mul(sub(bias, mean), scale), beta)
      return target.apply(conv.op, [x, folded, shift], conv.attrs)
    })
  })
}
