import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-common'
import { type DType, type Tensor, type TypedData, tensor } from '../graph/tensor.ts'
import { InputError } from '../util/errors.ts'
import type { PortType } from './session.ts'

/** What onnxruntime-node and onnxruntime-web have in common: metadata and tensors. */

const dtypes: ReadonlySet<string> = new Set<DType>(['float32', 'int64', 'int32', 'uint8', 'bool'])

/** Whether pantin has tensors of this type. */
const isDType = (type: string): type is DType => dtypes.has(type)

/** A session's inputs or outputs. @throws InputError where one is of a type that pantin does not carry. */
export function portsOf(metadata: readonly InferenceSession.ValueMetadata[]): Map<string, PortType> {
  return new Map(
    metadata.map((port) => {
      if (!port.isTensor || !isDType(port.type)) {
        throw new InputError({
          what: `the model's "${port.name}" is of a type that pantin does not carry`,
          got: port.isTensor ? port.type : 'no tensor',
          expected: 'float32, int64, int32, uint8 or bool',
        })
      }
      return [port.name, { dtype: port.type, shape: port.shape }]
    }),
  )
}

/** pantin's tensor over the same memory. */
export function fromOrt({ dims, data }: Pick<OrtTensor, 'dims' | 'data'>, dtype: DType): Tensor {
  // The session's metadata says dtype, and ONNX Runtime holds the elements of each type as pantin does.
  return tensor(dtype, dims, data as TypedData[typeof dtype])
}
