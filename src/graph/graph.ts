// A typed dataflow graph, and the check of what every graph promises.

import { GraphError } from '../util/errors.ts'
import type { Attrs, Builder, Node, OpDef, TensorType, Value } from './op.ts'
import { formatShape, sameShape } from './tensor.ts'

export type { Attr, Attrs, Builder, Node, TensorType, Value } from './op.ts'

/**
 * A typed dataflow graph. It only grows: `apply` adds a node, checked by its op's shape rule, and passes
 * write a new graph. Every shape is concrete.
 */
export class Graph implements Builder {
  /** All nodes, in the order of building. */
  readonly nodes: Node[] = []
  /** Named results, in order. */
  readonly outputs = new Map<string, Value>()
  private scopes: string[] = []

  /** Adds a node. @throws GraphError if the op's shape rule refuses the inputs. */
  apply<A extends Attrs>(op: OpDef<A>, inputs: readonly Value[], attrs: A): readonly Value[] {
    for (const input of inputs) {
      if (input.graph !== this) {
        throw new GraphError({
          what: 'an input belongs to another graph',
          where: this.where(op.name),
          got: describeValue(input),
          remedy: 'build both in one Graph, or copy the value over with rewrite()',
        })
      }
    }
    const types = this.infer(op, inputs, attrs)
    const outputs: Value[] = []
    const node: Node = { id: this.nodes.length, op, inputs, attrs, outputs, scope: this.scopes.join('/') }
    types.forEach((type, index) => {
      outputs.push({ graph: this, node, index, dtype: type.dtype, shape: type.shape })
    })
    this.nodes.push(node)
    return outputs
  }

  /** Names a result. @throws GraphError if the name is taken. */
  output(name: string, value: Value): void {
    if (this.outputs.has(name)) {
      throw new GraphError({ what: `the output "${name}" exists already`, remedy: 'choose another name' })
    }
    this.outputs.set(name, value)
  }

  /** Runs `build` with `name` added to the path that messages show. */
  within<T>(name: string, build: () => T): T {
    this.scopes.push(name)
    try {
      return build()
    } finally {
      this.scopes.pop()
    }
  }

  private infer(op: OpDef, inputs: readonly Value[], attrs: Attrs): readonly TensorType[] {
    try {
      return op.infer(inputs, attrs)
    } catch (error) {
      if (!(error instanceof GraphError)) throw error
      const got = inputs.map((input) => `${input.dtype}${formatShape(input.shape)}`).join(', ') || 'no inputs'
      throw new GraphError({ ...error.problem, where: this.where(op.name), got: error.problem.got ?? got })
    }
  }

  private where(op: string): string {
    return `${[...this.scopes, op].join('/')} (node ${this.nodes.length})`
  }
}

/** `conv#12 float32[1, 3, 64, 64]`, for messages. */
export function describeValue(value: Value): string {
  const output = value.node.outputs.length > 1 ? `.${value.index}` : ''
  return `${value.node.op.name}#${value.node.id}${output} ${value.dtype}${formatShape(value.shape)}`
}

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
