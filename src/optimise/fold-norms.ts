import type { Graph, Value } from '../graph/graph.ts'
import { rewrite } from '../graph/rewrite.ts'
import { foldedInto, normAffine } from './norm-affine.ts'
import { madeBy } from './pattern.ts'

/**
 * A norm that follows a convolution becomes part of its kernel and bias (Jacob et al. 2018, section 3.2):
 * γ (conv(x) - μ) / σ + β is a convolution too, and one pass over memory less.
 */
export function foldNorms(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, target) => {
    const conv = node.op.name === 'normalise' ? madeBy(inputs[0], 'conv') : undefined
    if (conv === undefined) return undefined
    return target.within(node.scope, () => {
      const [x, kernel, bias] = conv.inputs as [Value, Value, Value | undefined]
      const folded = foldedInto(normAffine(inputs, node.attrs), kernel, bias)
      return target.apply(conv.op, [x, folded.kernel, folded.bias], conv.attrs)
    })
  })
}
