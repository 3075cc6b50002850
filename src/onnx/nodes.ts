import { decodeBytes } from './import/decode.ts'

/** One node of an ONNX file, as far as a runtime needs to know it. */
export interface NodeSummary {
  readonly name: string
  readonly type: string
  /** Names of its inputs and outputs; empty where one is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

/** The nodes in a model's bytes, in order. @throws FormatError where the bytes hold no model. */
export function listNodes(bytes: Uint8Array): NodeSummary[] {
  const nodes = decodeBytes(bytes).graph?.node ?? []
  return nodes.map(({ name, opType, input, output }) => ({
    name,
    type: opType,
    inputs: input,
    outputs: output,
  }))
}
