// Copying a graph through a function, which every pass is made of, and the nodes that values need.

import { Graph, type Node, type Value } from './graph.ts'

/** Replaces a node while a graph is rewritten: new values for its outputs, or undefined to copy it as it is. */
export type Replace = (node: Node, inputs: readonly Value[], target: Graph) => readonly Value[] | undefined

/** Nodes that the named outputs need, in order. */
export function liveNodes(graph: Graph): Node[] {
  return reachable([...graph.outputs.values()])
}

/** Nodes that the values need, in order of their making. */
export function reachable(values: Iterable<Value>): Node[] {
  const seen = new Set<Node>()
  const stack = Array.from(values, (value) => value.node)
  while (stack.length > 0) {
    const node = stack.pop()!
    if (seen.has(node)) continue
    seen.add(node)
    for (const input of node.inputs) stack.push(input.node)
  }
  return [...seen].sort((a, b) => a.id - b.id)
}

/**
 * Writes the live part of a graph into a new one, node by node, through `replace`. Dead code falls away.
 * Every pass is a client of this function.
 */
export function rewrite(graph: Graph, replace: Replace): Graph {
  const target = new Graph()
  const map = copyInto(target, [...graph.outputs.values()], replace)
  for (const [name, value] of graph.outputs) target.output(name, map.get(value)!)
  return target
}

/**
 * Copies what `values` need into `target`, through `replace`.
 * @returns the copy of every value that was copied.
 */
export function copyInto(
  target: Graph,
  values: Iterable<Value>,
  replace: Replace = () => undefined,
): Map<Value, Value> {
  const map = new Map<Value, Value>()
  for (const node of reachable(values)) {
    const inputs = node.inputs.map((input) => map.get(input)!)
    const outputs =
      replace(node, inputs, target) ??
      target.within(node.scope, () => target.apply(node.op, inputs, node.attrs))
    node.outputs.forEach((output, i) => {
      const copy = outputs[i]
      if (copy !== undefined) map.set(output, copy)
    })
  }
  return map
}
