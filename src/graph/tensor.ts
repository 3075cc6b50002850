// Element types, shapes and typed arrays: the plain data that graphs, files and runtimes exchange.

import { GraphError } from '../util/errors.ts'

/** Element types that graphs carry. Arithmetic is float32; int64 holds indices, bool masks, uint8 pixels.
 * int8 and uint8 hold weights and maps of eight bits, and int32 their biases. */
export type DType = 'float32' | 'int64' | 'int32' | 'uint8' | 'int8' | 'bool'

/** Sizes of the axes, outermost first. Always concrete: a graph is built for one batch and one size. */
export type Shape = readonly number[]

/** How the elements of each type are held in memory (bool as 0 and 1, one byte each). */
export interface TypedData {
  /** Numbers of 32 bits. */
  float32: Float32Array<ArrayBuffer>
  /** Indices and sizes. */
  int64: BigInt64Array<ArrayBuffer>
  /** Whole numbers of 32 bits. */
  int32: Int32Array<ArrayBuffer>
  /** Bytes, such as pixels. */
  uint8: Uint8Array<ArrayBuffer>
  /** Bytes with a sign. */
  int8: Int8Array<ArrayBuffer>
  /** 0 for false, 1 for true, one byte each. */
  bool: Uint8Array<ArrayBuffer>
}

/** An array with a type and a shape, row-major. */
export type Tensor<D extends DType = DType> = {
  [K in D]: {
    /** Element type. */
    readonly dtype: K
    /** Sizes of the axes, outermost first. */
    readonly shape: Shape
    /** The elements, row-major. */
    readonly data: TypedData[K]
  }
}[D]

export const bytesPerElement: Readonly<Record<DType, number>> = {
  float32: 4,
  int64: 8,
  int32: 4,
  uint8: 1,
  int8: 1,
  bool: 1,
}

/** ONNX's number for each element type (`TensorProto.DataType`). */
export const onnxTypeOf: Readonly<Record<DType, number>> = {
  float32: 1,
  int64: 7,
  int32: 6,
  uint8: 2,
  int8: 3,
  bool: 9,
}

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1
  for (const axis of shape) size *= axis
  return size
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((axis, i) => axis === b[i])
}

/** Distance in elements between neighbours along each axis of a row-major array. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1)
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!
  return strides
}

/** Memory for `size` elements of a type, all zero. */
export function allocate<D extends DType>(dtype: D, size: number): TypedData[D]
export function allocate(dtype: DType, size: number): TypedData[DType] {
  switch (dtype) {
    case 'float32':
      return new Float32Array(size)
    case 'int64':
      return new BigInt64Array(size)
    case 'int32':
      return new Int32Array(size)
    case 'int8':
      return new Int8Array(size)
    case 'uint8':
    case 'bool':
      return new Uint8Array(size)
  }
}

/** A tensor over existing data, which is not copied. @throws GraphError if the sizes disagree. */
export function tensor<D extends DType>(dtype: D, shape: Shape, data: TypedData[D]): Tensor<D>
export function tensor(dtype: DType, shape: Shape, data: TypedData[DType]): Tensor {
  if (data.length !== sizeOf(shape)) {
    throw new GraphError({
      what: 'a tensor has another number of elements than its shape',
      got: `${data.length} elements`,
      expected: `${sizeOf(shape)} for ${dtype}${formatShape(shape)}`,
    })
  }
  // The overload ties the data's type to dtype; inside, the pair is a plain union.
  return { dtype, shape, data } as Tensor
}

/** A float32 tensor from plain numbers; without a shape, a vector. */
export function floats(values: ArrayLike<number>, shape: Shape = [values.length]): Tensor<'float32'> {
  return tensor('float32', shape, Float32Array.from(values))
}

/** An int64 tensor from plain whole numbers; without a shape, a vector. */
export function ints(values: readonly number[], shape: Shape = [values.length]): Tensor<'int64'> {
  return tensor('int64', shape, BigInt64Array.from(values, BigInt))
}

/** A float32 scalar. */
export function scalar(value: number): Tensor<'float32'> {
  return floats([value], [])
}

/** An IEEE 754 binary16 as a number. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** The IEEE 754 binary16 that is nearest to a number; of two that are as near, the even one. Above 65504: infinity. */
export function numberToHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const size = Math.abs(value)
  if (Number.isNaN(value)) return 0x7e00
  if (size >= 65520) return sign | 0x7c00
  // Numbers below 2^-14 have the step of the smallest exponent.
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size))
  const steps = roundToEven(size / 2 ** (exponent - 10))
  // 2048 steps are 1024 of the next exponent, which adding carries over.
  return sign | (size < 2 ** -14 ? steps : ((exponent + 14) << 10) + steps)
}

function roundToEven(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below
}

/** Numbers in half precision: half the bytes, and three digits. */
export function toHalves(data: Float32Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint16Array.from(data, numberToHalf).buffer)
}
