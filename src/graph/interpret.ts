// Computes graphs by the plain references of their ops, in float64.

import { GraphError } from '../util/errors.ts'
import type { Node, Value } from './graph.ts'
import type { Plain } from './op.ts'
import { formatShape, sizeOf } from './tensor.ts'

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
