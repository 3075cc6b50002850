import { gradients } from '../gradient.ts'
import type { Graph, Value } from '../graph.ts'
import { foldConstants, shareCommonSubexpressions } from '../passes.ts'
import { rewrite } from '../rewrite.ts'
import { add } from './arithmetic.ts'
import { constantMaker, isLeaf, like } from './leaf.ts'
import { reshape, reshapeOp } from './shape.ts'

/**
 * d(loss)/d(value) for each of `wrt`, as new nodes of the same graph.
 *
 * @param loss a float32 scalar
 * @throws GraphError if an op without a gradient lies on the way
 */
export function gradient(loss: Value, wrt: readonly Value[]): Value[] {
  return gradients(loss, wrt, { add, like })
}

/** The same graph without dead code, with constants computed and common subexpressions shared. */
export function simplify(graph: Graph): Graph {
  return shareCommonSubexpressions(joinReshapes(foldConstants(graph, constantMaker)), isLeaf)
}

/** Of reshapes in a row only the last counts. */
function joinReshapes(graph: Graph): Graph {
  return rewrite(graph, ({ op, outputs: [y], scope }, [x], target) => {
    if (op !== reshapeOp || x!.node.op !== reshapeOp) return undefined
    return target.within(scope, () => [reshape(x!.node.inputs[0]!, y!.shape)])
  })
}
