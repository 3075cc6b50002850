// The element types of safetensors, and how each comes from bytes into memory.
import type { Shape } from '../../graph/tensor.ts'
import { allocate, bytesPerElement, type DType, type Tensor, tensor } from '../../graph/tensor.ts'

/** How one safetensors element type comes into memory. Bytes are little-endian, as on every machine that Node runs on. */
interface ElementType {
  /** Bytes per element in the file. */
  readonly bytes: number
  readonly dtype: DType
  /** Only if the elements in the file are not those in memory: reads the element at a byte offset. */
  readonly convert?: (view: DataView, offset: number) => number
}

/** The element types that pantin reads; those with `convert` become float32 (F64 is rounded). */
export const elementTypes: ReadonlyMap<string, ElementType> = new Map<string, ElementType>([
  ['F32', { bytes: 4, dtype: 'float32' }],
  ['I64', { bytes: 8, dtype: 'int64' }],
  ['I32', { bytes: 4, dtype: 'int32' }],
  ['U8', { bytes: 1, dtype: 'uint8' }],
  ['BOOL', { bytes: 1, dtype: 'bool' }],
  ['F16', { bytes: 2, dtype: 'float32', convert: (v, at) => halfToNumber(v.getUint16(at, true)) }],
  ['BF16', { bytes: 2, dtype: 'float32', convert: (v, at) => brainToNumber(v.getUint16(at, true)) }],
  ['F64', { bytes: 8, dtype: 'float32', convert: (v, at) => v.getFloat64(at, true) }],
])

/** The safetensors name of each element type that pantin writes. */
export const elementNames: Readonly<Record<DType, string>> = {
  float32: 'F32',
  int64: 'I64',
  int32: 'I32',
  uint8: 'U8',
  bool: 'BOOL',
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

const word = new DataView(new ArrayBuffer(4))

/** A bfloat16, which is the upper half of a binary32. */
export function brainToNumber(bits: number): number {
  word.setUint32(0, bits * 0x10000)
  return word.getFloat32(0)
}

/** Numbers of a float32 tensor as F16: half the bytes, and three digits. */
export function toHalves(data: Float32Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint16Array.from(data, numberToHalf).buffer)
}

/** The bytes of a tensor, without a copy. */
export function bytesOf(value: Tensor): Uint8Array<ArrayBuffer> {
  return new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength)
}

/** Bytes converted at a time, a multiple of every element size. */
const chunk = 1 << 20

/**
 * Builds the tensor of a checked header entry. Bytes go directly into the tensor's own memory, which is aligned
 * wherever they are in the file. Types that are converted go through a buffer of at most 1 MiB.
 *
 * @param fill fills a buffer with the tensor's bytes from an offset on.
 */
export async function readElements(
  type: ElementType,
  shape: Shape,
  byteLength: number,
  fill: (into: Uint8Array, offset: number) => Promise<void> | void,
): Promise<Tensor> {
  const { convert, bytes, dtype } = type
  if (convert === undefined) {
    const data = allocate(dtype, byteLength / bytesPerElement[dtype])
    // The pair of dtype and data is a plain union here; `tensor` checks their sizes.
    const value = tensor(dtype, shape, data)
    await fill(bytesOf(value), 0)
    return value
  }
  const data = new Float32Array(byteLength / bytes)
  const piece = new Uint8Array(Math.min(chunk, byteLength))
  for (let start = 0; start < byteLength; start += chunk) {
    const part = piece.subarray(0, Math.min(chunk, byteLength - start))
    await fill(part, start)
    const view = new DataView(part.buffer, 0, part.length)
    for (let at = 0; at < part.length; at += bytes) data[(start + at) / bytes] = convert(view, at)
  }
  return tensor('float32', shape, data)
}
