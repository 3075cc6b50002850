import type { Graph, Value } from '../graph/graph.ts'
import { InputError } from '../util/errors.ts'
import type { NodeCollector } from './emitter.ts'

/**
 * Gives the graph's outputs their names in the file. What a node makes is renamed; a leaf, a constant, or a
 * value that already bears another output's name passes through an Identity.
 *
 * @param leaves names of the inputs and parameters.
 * @throws InputError where an output has the name of a leaf.
 */
export function nameOutputs(
  graph: Graph,
  names: ReadonlyMap<Value, string>,
  leaves: ReadonlySet<string>,
  emitter: NodeCollector,
): void {
  const renamed = new Map<string, string>()
  const made = new Set(emitter.nodes.flatMap((node) => node.output))
  const copies: [from: string, to: string][] = []
  for (const [output, value] of graph.outputs) {
    if (leaves.has(output)) throw leafName(output)
    const name = names.get(value)!
    if (made.has(name) && !renamed.has(name)) renamed.set(name, output)
    else copies.push([name, output])
  }
  const current = (name: string) => renamed.get(name) ?? name
  for (const node of emitter.nodes) {
    node.input = node.input.map(current)
    node.output = node.output.map(current)
  }
  for (const [from, to] of copies) {
    emitter.node('Identity', [current(from)])
    emitter.nodes.at(-1)!.output = [to]
  }
}

function leafName(name: string): InputError {
  return new InputError({
    what: `the output "${name}" has the name of an input or a parameter`,
    expected: 'a name of its own, since an ONNX file has one name for one value',
    remedy: 'give the output another name',
  })
}
