import type { DType } from '../graph/tensor.ts'
import { TensorProto_DataType as OnnxType } from './generated/onnx_pb.ts'

/** ONNX's number for each element type. */
export const onnxTypeOf: Readonly<Record<DType, OnnxType>> = {
  float32: OnnxType.FLOAT,
  int64: OnnxType.INT64,
  int32: OnnxType.INT32,
  uint8: OnnxType.UINT8,
  bool: OnnxType.BOOL,
}

const dtypes = new Map<number, DType>(
  (Object.keys(onnxTypeOf) as DType[]).map((dtype) => [onnxTypeOf[dtype], dtype]),
)

/** pantin's name of an ONNX element type; undefined for one that graphs do not carry. */
export const dtypeOf = (onnxType: number): DType | undefined => dtypes.get(onnxType)

/** ONNX's name of an element type, for messages. */
export const onnxTypeName = (onnxType: number): string =>
  OnnxType[onnxType]?.toLowerCase() ?? `type ${onnxType}`
