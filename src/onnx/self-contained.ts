import { decodeModel } from './import/decode.ts'
import { assertStoredHere } from './import/tensors.ts'

/**
 * Holds a model that ONNX Runtime is given as it is to its own bytes: all its weights are in them.
 *
 * @throws FormatError for one that names other files, and where the bytes hold no model.
 */
export function assertSelfContained(bytes: Uint8Array): void {
  for (const tensor of decodeModel(bytes).graph.initializer) {
    assertStoredHere(tensor, `the tensor "${tensor.name}"`)
  }
}
