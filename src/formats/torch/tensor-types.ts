// torch's element types and storage classes, and how elements of each type come into memory.
import { allocate, type DType, type Shape, type Tensor, type TypedData, tensor } from '../../graph/tensor.ts'
import { brainToNumber, halfToNumber } from '../safetensors/elements.ts'

/** Equally spaced elements: their positions in bytes from the start of `view`, and their targets in elements. */
export interface Stretch {
  readonly count: number
  readonly from: number
  readonly fromStep: number
  readonly to: number
  readonly toStep: number
}

/** A tensor that is being filled. */
export interface Filling {
  /** Converts a stretch of elements. */
  fill(view: DataView, littleEndian: boolean, stretch: Stretch): void
  readonly tensor: Tensor
}

/** How one of torch's element types comes into memory. */
export interface TensorType {
  /** Bytes per element in the file. */
  readonly bytes: number
  /** Undefined if pantin cannot hold such elements. */
  readonly memory?: {
    readonly dtype: DType
    /** Whether little-endian elements in the file are the elements in memory. */
    readonly same: boolean
    begin(shape: Shape, elements: number): Filling
  }
}

/** Reads the element at a byte offset. */
type Get<T> = (view: DataView, at: number, littleEndian: boolean) => T

function held<D extends DType>(
  bytes: number,
  dtype: D,
  get: Get<TypedData[D][number]>,
  same: 'same' | 'converted' = 'converted',
): TensorType {
  const begin = (shape: Shape, elements: number): Filling => {
    const data = allocate(dtype, elements)
    return {
      // The overload ties the data's type to dtype, which the union of tensors does not see here.
      tensor: tensor(dtype, shape, data) as Tensor,
      fill: (view, littleEndian, { count, from, fromStep, to, toStep }) => {
        for (let i = 0; i < count; i++) {
          data[to + i * toStep] = get(view, from + i * fromStep, littleEndian)
        }
      },
    }
  }
  return { bytes, memory: { dtype, same: same === 'same', begin } }
}

const notHeld = (bytes: number): TensorType => ({ bytes })

/**
 * torch's element types by name. float16, bfloat16 and float64 become float32 (float64 is rounded). Whole numbers
 * become the narrowest type of `DType` that holds all values of their type.
 */
export const tensorTypes: ReadonlyMap<string, TensorType> = new Map([
  ['float32', held(4, 'float32', (v, at, little) => v.getFloat32(at, little), 'same')],
  ['float64', held(8, 'float32', (v, at, little) => v.getFloat64(at, little))],
  ['float16', held(2, 'float32', (v, at, little) => halfToNumber(v.getUint16(at, little)))],
  ['bfloat16', held(2, 'float32', (v, at, little) => brainToNumber(v.getUint16(at, little)))],
  ['int64', held(8, 'int64', (v, at, little) => v.getBigInt64(at, little), 'same')],
  ['int32', held(4, 'int32', (v, at, little) => v.getInt32(at, little), 'same')],
  ['int16', held(2, 'int32', (v, at, little) => v.getInt16(at, little))],
  ['int8', held(1, 'int32', (v, at) => v.getInt8(at))],
  ['uint8', held(1, 'uint8', (v, at) => v.getUint8(at), 'same')],
  ['uint16', held(2, 'int32', (v, at, little) => v.getUint16(at, little))],
  ['uint32', held(4, 'int64', (v, at, little) => BigInt(v.getUint32(at, little)))],
  ['bool', held(1, 'bool', (v, at) => (v.getUint8(at) === 0 ? 0 : 1))],
  ['uint64', notHeld(8)],
  ['complex32', notHeld(4)],
  ['complex64', notHeld(8)],
  ['complex128', notHeld(16)],
  ['qint8', notHeld(1)],
  ['quint8', notHeld(1)],
  ['qint32', notHeld(4)],
  ['float8_e4m3fn', notHeld(1)],
  ['float8_e4m3fnuz', notHeld(1)],
  ['float8_e5m2', notHeld(1)],
  ['float8_e5m2fnuz', notHeld(1)],
  ['float8_e8m0fnu', notHeld(1)],
])

/** The element types of torch's storage classes, which older files name instead of an element type. */
export const storageTypes: ReadonlyMap<string, string> = new Map([
  ['FloatStorage', 'float32'],
  ['DoubleStorage', 'float64'],
  ['HalfStorage', 'float16'],
  ['BFloat16Storage', 'bfloat16'],
  ['LongStorage', 'int64'],
  ['IntStorage', 'int32'],
  ['ShortStorage', 'int16'],
  ['CharStorage', 'int8'],
  ['ByteStorage', 'uint8'],
  ['BoolStorage', 'bool'],
  ['ComplexFloatStorage', 'complex64'],
  ['ComplexDoubleStorage', 'complex128'],
  ['QInt8Storage', 'qint8'],
  ['QUInt8Storage', 'quint8'],
  ['QInt32Storage', 'qint32'],
])
