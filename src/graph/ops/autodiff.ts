// Reverse-mode differentiation, as a transformation of the graph: it adds the nodes that compute the gradient.

import { GraphError } from '../../util/errors.ts'
import { describeValue, type Node, type Value } from '../graph.ts'
import type { GradientRule } from '../op.ts'
import { reachable } from '../rewrite.ts'
import { add } from './arithmetic.ts'
import { like } from './leaf.ts'

/**
 * d(loss)/d(value) for each of `wrt`, in their order, as new nodes of the same graph. A value that the loss does not
 * depend on gets zeros.
 *
 * @param loss a float32 scalar.
 * @throws GraphError if the loss is no scalar, or a `forbidden` op lies on the way to it.
 */
export function gradient(loss: Value, wrt: readonly Value[]): Value[] {
  if (loss.shape.length !== 0 || loss.dtype !== 'float32') {
    throw new GraphError({
      what: 'a gradient starts from a float32 scalar',
      got: describeValue(loss),
      remedy: 'reduce the loss with reduceMean or reduceSum over all axes',
    })
  }
  const nodes = reachable([loss])
  const wanted = dependants(nodes, wrt)
  const total = new Map<Value, Value>([[loss, like(loss, 1)]])

  const accumulate = (value: Value, grad: Value) => {
    const sum = total.get(value)
    total.set(value, sum === undefined ? grad : add(sum, grad))
  }

  for (const node of nodes.reverse()) {
    const grads = node.outputs.map((output) => total.get(output))
    if (!node.inputs.some((input) => wanted.has(input)) || grads.every((grad) => grad === undefined)) continue
    const rule = node.op.gradient
    if (rule === 'zero') continue
    if (rule === 'forbidden') throw forbidden(node)
    const result = loss.graph.within(`d(${node.scope})`, () => applyRule(rule, node, grads, wanted))
    node.inputs.forEach((input, i) => {
      const grad = result[i]
      if (grad !== undefined && wanted.has(input)) accumulate(input, grad)
    })
  }
  return wrt.map((value) => total.get(value) ?? like(value, 0))
}

function applyRule(
  rule: GradientRule,
  node: Node,
  grads: readonly (Value | undefined)[],
  wanted: ReadonlySet<Value>,
): readonly (Value | undefined)[] {
  const { inputs, outputs, attrs } = node
  return rule({
    inputs,
    outputs,
    attrs,
    grads,
    get grad() {
      const [grad] = grads
      if (grad !== undefined) return grad
      throw new GraphError({
        what: `the loss depends on a second output of ${node.op.name}, which carries no gradient`,
        where: node.scope,
        remedy: `use only the first output of ${node.op.name} on the way to the loss`,
      })
    },
    wanted: inputs.map((input) => wanted.has(input)),
  })
}

/** Values that depend on any of `sources`, the sources included. Integers and masks carry no gradient. */
function dependants(nodes: readonly Node[], sources: readonly Value[]): Set<Value> {
  const result = new Set<Value>(sources)
  for (const node of nodes) {
    if (!node.inputs.some((input) => result.has(input))) continue
    for (const output of node.outputs) if (output.dtype === 'float32') result.add(output)
  }
  return result
}

function forbidden(node: Node): GraphError {
  return new GraphError({
    what: `the gradient of ${node.op.name} is forbidden`,
    where: node.scope === '' ? `node ${node.id}` : node.scope,
    remedy: 'take this op off the way from the parameters to the loss, or stop the gradient before it',
  })
}
