// What passes over a graph are made of: the nodes that values need, copying a graph through a function, tests of nodes,
// and computing nodes by the plain references of their ops.

import { GraphError } from '../util/errors.ts'
import { Graph, type Node, type Value } from './graph.ts'
import type { Plain } from './op.ts'
import { formatShape, sizeOf } from './tensor.ts'

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

/** An attribute as a list of numbers; empty if it is none. Only the op's own file knows its type. */
export const numbers = (attr: unknown): readonly number[] => (Array.isArray(attr) ? attr : [])

/** The node that makes a value, if it is of this op. */
export const madeBy = (value: Value | undefined, op: string): Node | undefined =>
  value?.node.op.name === op ? value.node : undefined

/** A convolution of one group and no stride. */
export const isUnstridedConv = ({ op, attrs }: Node): boolean =>
  op.name === 'conv' && attrs.group === 1 && numbers(attrs.strides).every((step) => step === 1)

/** An ordinary convolution: one group, no stride, no dilation. */
export const isPlainConv = (node: Node): boolean =>
  isUnstridedConv(node) && numbers(node.attrs.dilations).every((step) => step === 1)

/** Computes one node by its op's plain reference, and checks that the sizes are what the shape rule said. */
export function interpretNode(node: Node, inputs: readonly Plain[]): readonly Float64Array[] {
  const results = node.op.reference(inputs, node.attrs, node.outputs)
  node.outputs.forEach((output, i) => {
    if (results[i]?.length !== sizeOf(output.shape)) {
      throw new GraphError({
        what: `the reference of ${node.op.name} gave another size than its shape rule`,
        got: `${results[i]?.length} elements`,
        expected: formatShape(output.shape),
      })
    }
  })
  return results
}

/**
 * Computes values by the plain references, in float64: the yardstick that gradients and ONNX Runtime's
 * results are held against. Constants are folded with it too. It is not meant to be fast.
 *
 * @param feed data of the leaves (inputs and parameters), as float64.
 */
export function interpret(
  nodes: readonly Node[],
  feed: (leaf: Node) => Float64Array | undefined,
): Map<Value, Float64Array> {
  const results = new Map<Value, Float64Array>()
  for (const node of nodes) {
    const fed = node.inputs.length === 0 ? feed(node) : undefined
    const inputs = node.inputs.map((input) => ({ shape: input.shape, data: results.get(input)! }))
    const outputs = fed === undefined ? interpretNode(node, inputs) : [fed]
    node.outputs.forEach((output, i) => {
      results.set(output, outputs[i]!)
    })
  }
  return results
}
