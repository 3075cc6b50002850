// The inputs and parameters of a graph as they are named in an ONNX file.

import type { Node } from '../graph/graph.ts'
import { inputInfo, type ParameterInfo, parameterInfo } from '../graph/ops/leaf.ts'
import { formatShape, sameShape, type Tensor } from '../graph/tensor.ts'
import { InputError } from '../util/errors.ts'

/** Name, element type and shape of an input. */
export type InputInfo = NonNullable<ReturnType<typeof inputInfo>>

/** The inputs and parameters of a graph, by name, in the order of their making. */
export interface Leaves {
  readonly inputs: ReadonlyMap<string, InputInfo>
  readonly parameters: ReadonlyMap<string, ParameterInfo>
}

/**
 * Leaves of one name and shape are one: a network may stand twice in a graph and share its weights.
 *
 * @throws InputError if one name stands for two different things.
 */
export function leavesOf(nodes: readonly Node[]): Leaves {
  const inputs = new Map<string, InputInfo>()
  const parameters = new Map<string, ParameterInfo>()
  const described = new Map<string, string>()
  for (const node of nodes) {
    const input = inputInfo(node)
    const parameter = parameterInfo(node)
    const leaf = input ?? parameter
    if (leaf === undefined) continue
    const text = `${node.op.name} ${node.outputs[0]!.dtype}${formatShape(leaf.shape)}`
    const known = described.get(leaf.name) ?? text
    if (known !== text || leaf.name === '') throw nameClash(leaf.name, known, text)
    described.set(leaf.name, text)
    if (input !== undefined) inputs.set(input.name, input)
    if (parameter !== undefined) parameters.set(parameter.name, parameter)
  }
  return { inputs, parameters }
}

function nameClash(name: string, known: string, text: string): InputError {
  return new InputError({
    what: `the name "${name}" cannot stand for a leaf of the graph`,
    got: known === text ? text : `${known} and ${text}`,
    expected: 'a name of one letter or more, for leaves of one kind, type and shape',
    remedy: 'give them different names',
  })
}

/** The weights of one parameter. @throws InputError if they are missing or of another shape. */
export function weightsOf(
  { name, shape }: ParameterInfo,
  weights: ReadonlyMap<string, Tensor>,
): Tensor<'float32'> {
  const found = weights.get(name)
  if (found?.dtype === 'float32' && sameShape(found.shape, shape)) return found
  throw new InputError({
    what:
      found === undefined ? 'the weights lack a parameter' : 'a parameter has other weights than it needs',
    where: name,
    got: found === undefined ? `${weights.size} others` : `${found.dtype}${formatShape(found.shape)}`,
    expected: `float32${formatShape(shape)}`,
    remedy: 'give the weights of this very network, or initialise them first',
  })
}
