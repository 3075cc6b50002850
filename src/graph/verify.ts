import { GraphError } from '../util/errors.ts'
import { describeValue, type Graph } from './graph.ts'
import { formatShape, sameShape } from './tensor.ts'

/**
 * Checks what every graph promises: inputs come before their users, and every type is what the shape rule
 * says. `Graph.apply` keeps both; passes and importers are held to it by calling this.
 *
 * @throws GraphError at the first node that breaks a promise.
 */
export function verify(graph: Graph): void {
  graph.nodes.forEach((node, position) => {
    const where = `${node.op.name} (node ${node.id})`
    if (node.id !== position) throw new GraphError({ what: 'a node is numbered out of order', where })
    for (const input of node.inputs) {
      if (input.graph !== graph || input.node.id >= node.id) {
        throw new GraphError({ what: 'an input comes after its user', where, got: describeValue(input) })
      }
    }
    node.op.infer(node.inputs, node.attrs).forEach((type, i) => {
      const output = node.outputs[i]
      if (output?.dtype !== type.dtype || !sameShape(output.shape, type.shape)) {
        throw new GraphError({
          what: 'a value has another type than its shape rule gives',
          where,
          got: output === undefined ? 'no output' : describeValue(output),
          expected: `${type.dtype}${formatShape(type.shape)}`,
        })
      }
    })
  })
  for (const [name, value] of graph.outputs) {
    if (value.graph !== graph) throw new GraphError({ what: `the output "${name}" belongs to another graph` })
  }
}
