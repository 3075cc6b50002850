// What every ONNX file of pantin has: producer, versions, element types, and a limit of its size.

import { type DType, onnxTypeOf } from '../graph/tensor.ts'
import { InputError } from '../util/errors.ts'
import { version } from '../util/version.ts'
import { type NodeProto, TensorProto_DataType as OnnxType, type TensorProto } from './generated/onnx_pb.ts'

/** Written into every model as its producer. */
export const producer = { name: 'pantin', version } as const

/** The operator set that pantin writes: the first whose GridSample calls its mode "linear". */
export const opsetVersion = 20

/** The container version that belongs to that operator set. */
export const irVersion = 9n

/** Protobuf's own limit for a message, less some room for names and attributes that are not counted. */
const largestModel = 2 ** 31 - 2 ** 24

/** @throws InputError if a model would pass the 2 GB that protobuf can hold. */
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

const dtypes = new Map<number, DType>(
  (Object.keys(onnxTypeOf) as DType[]).map((dtype) => [onnxTypeOf[dtype], dtype]),
)

/** pantin's name of an ONNX element type; undefined for one that graphs do not carry. */
export const dtypeOf = (onnxType: number): DType | undefined => dtypes.get(onnxType)

/** ONNX's name of an element type, for messages. */
export const onnxTypeName = (onnxType: number): string =>
  OnnxType[onnxType]?.toLowerCase() ?? `type ${onnxType}`
