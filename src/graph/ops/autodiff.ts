import { gradients } from '../gradient.ts'
import type { Graph, Value } from '../graph.ts'
import { foldConstants, shareCommonSubexpressions } from '../passes.ts'
import { add } from './arithmetic.ts'
import { constantMaker, isLeaf, like } from './leaf.ts'

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
  return shareCommonSubexpressions(foldConstants(graph, constantMaker), isLeaf)
}
