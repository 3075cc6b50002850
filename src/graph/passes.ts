import type { Attrs, Builder, Graph, Node, TensorType, Value } from './graph.ts'
import { interpretNode } from './interpret.ts'
import type { Plain } from './op.ts'
import { rewrite } from './rewrite.ts'
import { sizeOf, type Tensor } from './tensor.ts'

/** How constants are made; the leaf ops stand above this file, so a pass is told. */
export interface ConstantMaker {
  isConstant(node: Node): boolean
  valueOf(node: Node): Tensor
  make(graph: Builder, type: TensorType, data: Float64Array): Value
}

/** Ops of the same kind on the same inputs with the same attributes become one. */
export function shareCommonSubexpressions(graph: Graph, isLeaf: (node: Node) => boolean): Graph {
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

/** Nodes whose inputs are all constant are computed now, where the result has at most `limit` elements. */
export function foldConstants(graph: Graph, constants: ConstantMaker, limit = 1 << 16): Graph {
  return rewrite(graph, (node, inputs, target) => {
    if (inputs.length === 0 || !inputs.every((input) => constants.isConstant(input.node))) return undefined
    if (node.outputs.some((output) => sizeOf(output.shape) > limit)) return undefined
    const plain: Plain[] = inputs.map((input) => toPlain(constants.valueOf(input.node)))
    const results = interpretNode(node, plain)
    return node.outputs.map((output, i) => constants.make(target, output, results[i]!))
  })
}

export function toPlain(tensor: Tensor): Plain {
  return { shape: tensor.shape, data: Float64Array.from(tensor.data as ArrayLike<number | bigint>, Number) }
}
