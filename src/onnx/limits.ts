import { InputError } from '../util/errors.ts'
import type { NodeProto, TensorProto } from './generated/onnx_pb.ts'

/** Protobuf's own limit for a message, less some room for names and attributes that are not counted. */
const largestModel = 2 ** 31 - 2 ** 24

/** @throws InputError where a model would pass the 2 GB that protobuf can hold. */
export function checkModelSize(nodes: readonly NodeProto[], tensors: readonly TensorProto[]): void {
  let bytes = nodes.length * 64
  for (const tensor of tensors) bytes += tensor.rawData.length
  if (bytes <= largestModel) return
  const largest = tensors.reduce((a, b) => (a.rawData.length >= b.rawData.length ? a : b))
  throw new InputError({
    what: 'the model is too large for one ONNX file',
    got: `${(bytes / 1e9).toFixed(2)} GB, of which ${(largest.rawData.length / 1e9).toFixed(2)} in "${largest.name}"`,
    expected: 'less than 2 GB',
    remedy: 'feed the parameters instead of writing them, or compute large constants in the graph',
  })
}
