// Tensors that an ONNX file stores, read strictly.

import {
  allocate,
  bytesPerElement,
  type DType,
  formatShape,
  type Shape,
  sizeOf,
  type Tensor,
  tensor,
} from '../../graph/tensor.ts'
import { FormatError } from '../../util/errors.ts'
import { dtypeOf, onnxTypeName } from '../format.ts'
import { TensorProto_DataLocation as DataLocation, type TensorProto } from '../generated/onnx_pb.ts'

/** Axes that a tensor may have, and elements: bounds on what a few bytes can ask for. */
export const largestRank = 16
export const largestSize = 2 ** 31

/** The tensor of an initializer or attribute, copied. @throws FormatError if its parts disagree. */
export function readTensor(proto: TensorProto): Tensor {
  const where = `tensor "${proto.name}"`
  const dtype = dtypeOf(proto.dataType)
  if (dtype === undefined) {
    throw new FormatError({
      what: 'a tensor is of a type that pantin does not carry',
      where,
      got: onnxTypeName(proto.dataType),
      expected: 'float, int64, int32, uint8 or bool',
      remedy: 'convert the model to 32-bit floats',
    })
  }
  assertStoredHere(proto, where)
  const shape = readShape(proto.dims, where)
  const values = [proto.floatData, proto.int32Data, proto.int64Data].find((list) => list.length > 0)
  return values === undefined
    ? fromRaw(proto.rawData, dtype, shape, where)
    : fromValues(values, dtype, shape, where)
}

/** Sizes of axes from a file. @throws FormatError if they are negative or ask for too much. */
export function readShape(dims: readonly bigint[], where: string): Shape {
  const shape = dims.map(Number)
  if (shape.length <= largestRank && shape.every((axis) => axis >= 0) && sizeOf(shape) <= largestSize)
    return shape
  throw new FormatError({
    what: 'a shape is out of bounds',
    where,
    got: formatShape(shape.slice(0, largestRank + 1)),
    expected: `at most ${largestRank} axes and ${largestSize} elements`,
  })
}

function fromRaw(raw: Uint8Array, dtype: DType, shape: Shape, where: string): Tensor {
  const bytes = sizeOf(shape) * bytesPerElement[dtype]
  if (raw.length !== bytes)
    throw wrongSize(where, `${raw.length} bytes`, `${bytes} for ${dtype}${formatShape(shape)}`)
  const data = allocate(dtype, sizeOf(shape))
  // Copied, for the bytes of a file are not aligned to its elements.
  new Uint8Array(data.buffer).set(raw)
  return tensor(dtype, shape, data)
}

function fromValues(values: readonly (number | bigint)[], dtype: DType, shape: Shape, where: string): Tensor {
  const size = sizeOf(shape)
  const kind = dtype === 'int64' ? 'bigint' : 'number'
  if (values.length !== size || typeof values[0] !== kind) {
    throw wrongSize(where, `${values.length} elements`, `${size} for ${dtype}${formatShape(shape)}`)
  }
  if (dtype === 'int64') return tensor(dtype, shape, BigInt64Array.from(values, BigInt))
  const data = allocate(dtype, size)
  values.forEach((value, i) => {
    data[i] = Number(value)
  })
  return tensor(dtype, shape, data)
}

function wrongSize(where: string, got: string, expected: string): FormatError {
  return new FormatError({
    what: 'a tensor has another amount of data than its shape asks for',
    where,
    got,
    expected,
    remedy: 'fetch or export the file again',
  })
}

/** Refuses a tensor of another file, whose name may be any path of the machine. @throws FormatError */
export function assertStoredHere({ dataLocation, externalData }: TensorProto, where: string): void {
  if (dataLocation !== DataLocation.EXTERNAL && externalData.length === 0) return
  throw new FormatError({
    what: 'a tensor lies in another file',
    where,
    got: externalData.find(({ key }) => key === 'location')?.value ?? 'external data',
    expected: 'a model in one file',
    remedy: inOneFile,
  })
}

/** How a model with tensors in other files becomes one file. */
export const inOneFile =
  'export it again as one file: torch.onnx.export(..., external_data=False), or ' +
  'onnx.save_model(model, path, save_as_external_data=False)'
