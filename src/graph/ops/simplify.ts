// The passes that every graph goes through before it runs: dead code falls away, constants are computed, reshapes in a
// row become one, and equal nodes are shared.

import type { Attrs, Graph, Value } from '../graph.ts'
import { interpretNode, rewrite } from '../rewrite.ts'
import { sizeOf } from '../tensor.ts'
import { constant, constantValue, fromPlain, isLeaf, toPlain } from './leaf.ts'
import { reshape, reshapeOp } from './shape.ts'

/** The same graph without dead code, with constants computed and common subexpressions shared. */
export function simplify(graph: Graph): Graph {
  return shareCommonSubexpressions(joinReshapes(foldConstants(graph)))
}

/** Of reshapes in a row only the last counts. */
function joinReshapes(graph: Graph): Graph {
  return rewrite(graph, ({ op, outputs: [y], scope }, [x], target) => {
    if (op !== reshapeOp || x!.node.op !== reshapeOp) return undefined
    return target.within(scope, () => [reshape(x!.node.inputs[0]!, y!.shape)])
  })
}

/** Makes one node of nodes that have the same op, inputs and attributes. */
function shareCommonSubexpressions(graph: Graph): Graph {
  const seen = new Map<string, readonly Value[]>()
  const tensors = new Map<unknown, string>()
  return rewrite(graph, (node, inputs, target) => {
    if (isLeaf(node)) return undefined
    const ids = inputs.map((input) => `${input.node.id}.${input.index}`)
    const key = `${node.op.name}(${ids.join(',')})${attrsKey(node.attrs, tensors)}`
    const found = seen.get(key)
    if (found !== undefined) return found
    const made = target.within(node.scope, () => target.apply(node.op, inputs, node.attrs))
    seen.set(key, made)
    return made
  })
}

/** A key that is equal for equal attributes; tensors are equal only to themselves. */
function attrsKey(attrs: Attrs, tensors: Map<unknown, string>): string {
  return JSON.stringify(attrs, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('data' in value)) return value
    const known = tensors.get(value) ?? `tensor ${tensors.size}`
    tensors.set(value, known)
    return known
  })
}

/** Computes nodes whose inputs are all constant, if their results have at most `limit` elements. */
function foldConstants(graph: Graph, limit = 1 << 16): Graph {
  return rewrite(graph, (node, inputs, target) => {
    const known = inputs.flatMap((input) => constantValue(input) ?? [])
    if (inputs.length === 0 || known.length < inputs.length) return undefined
    if (node.outputs.some((output) => sizeOf(output.shape) > limit)) return undefined
    const results = interpretNode(node, known.map(toPlain))
    return node.outputs.map((output, i) => constant(target, fromPlain(output, results[i]!)))
  })
}
