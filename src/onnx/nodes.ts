import { decodeBytes } from './import/decode.ts'

/** One node of an ONNX file, as far as a runtime needs to know it. */
export interface NodeSummary {
  readonly name: string
  readonly type: string
  /** Names of its inputs and outputs; empty where one is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** For each input that the file has the contents of, its shape. */
  readonly stored: readonly (readonly number[] | undefined)[]
}

/** The nodes in a model's bytes, in order. @throws FormatError where the bytes hold no model. */
export function listNodes(bytes: Uint8Array): NodeSummary[] {
  const { node = [], initializer = [] } = decodeBytes(bytes).graph ?? {}
  const shapes = new Map(initializer.map(({ name, dims }) => [name, dims.map(Number)]))
  return node.map(({ name, opType, input, output }) => ({
    name,
    type: opType,
    inputs: input,
    outputs: output,
    stored: input.map((from) => shapes.get(from)),
  }))
}
