// torch's element types, and copying a strided view of a storage in a file into a row-major tensor, through a window of
// 1 MiB.
import {
  allocate,
  type DType,
  halfToNumber,
  type Shape,
  type Tensor,
  type TypedData,
  tensor,
} from '../../graph/tensor.ts'
import { brainToNumber, bytesOf } from '../safetensors/header.ts'

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

/** The bytes of a storage, once its position in the file is known. */
export interface StorageData {
  readonly littleEndian: boolean
  /** Whether a read from the middle costs no more than a read from the start. */
  readonly isRandomAccess: boolean
  /** Fills `into` with the storage's bytes from byte `at` on. */
  read(into: Uint8Array, at: number): Promise<void>
}

/** Bytes of a storage held at a time, a multiple of every element size. */
const windowBytes = 1 << 20

/** An axis of a view: its number of steps, and the length of a step in the storage and in the result, in elements. */
interface Axis {
  readonly size: number
  readonly from: number
  readonly to: number
}

/**
 * Copies a strided view of a storage into a new row-major tensor. The copy follows the order of the storage, so
 * that its bytes are read once, through a window of 1 MiB, whatever the order of the axes is.
 *
 * @param elements the product of the shape.
 * @param at the byte of the view's first element in the storage.
 */
export async function copyStrided(
  type: TensorType,
  memory: NonNullable<TensorType['memory']>,
  shape: Shape,
  strides: readonly number[],
  elements: number,
  at: number,
  storage: StorageData,
): Promise<Tensor> {
  const filling = memory.begin(shape, elements)
  const result = filling.tensor
  if (elements === 0) return result
  const axes = walkingOrder(shape, strides)
  const isContiguous = axes.length === 1 && axes[0]!.from === 1 && axes[0]!.to === 1
  if (isContiguous && memory.same && storage.littleEndian) {
    await storage.read(bytesOf(result), at)
    return result
  }

  const last = axes.reduce((sum, { size, from }) => sum + (size - 1) * from, 0)
  const end = at + (last + 1) * type.bytes
  const window = new Window(storage, at, end, type.bytes)
  const inner = axes.at(-1)!
  const outer = axes.slice(0, -1)
  const counters = outer.map(() => 0)
  const step = inner.from * type.bytes
  for (;;) {
    let from = at
    let to = 0
    for (const [i, axis] of outer.entries()) {
      from += counters[i]! * axis.from * type.bytes
      to += counters[i]! * axis.to
    }
    for (let done = 0; done < inner.size; ) {
      const start = from + done * step
      if (!window.has(start)) await window.move(start)
      const room = step === 0 ? inner.size : Math.floor((window.end - type.bytes - start) / step) + 1
      const count = Math.min(inner.size - done, room)
      const stretch = { count, from: start - window.start, fromStep: step, to: to + done * inner.to }
      filling.fill(window.view, storage.littleEndian, { ...stretch, toStep: inner.to })
      done += count
    }
    let axis = outer.length - 1
    while (axis >= 0 && ++counters[axis]! === outer[axis]!.size) counters[axis--] = 0
    if (axis < 0) return result
  }
}

/** The axes in order of their steps in the storage, longest first. Axes that form one stretch are joined. */
function walkingOrder(shape: Shape, strides: readonly number[]): Axis[] {
  const axes: Axis[] = []
  let to = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1) axes.unshift({ size: shape[i]!, from: strides[i]!, to })
    to *= shape[i]!
  }
  axes.sort((a, b) => b.from - a.from)
  const joined: Axis[] = []
  for (const axis of axes) {
    const before = joined.at(-1)
    if (before?.from === axis.from * axis.size && before.to === axis.to * axis.size) {
      joined[joined.length - 1] = { size: before.size * axis.size, from: axis.from, to: axis.to }
    } else joined.push(axis)
  }
  return joined.length === 0 ? [{ size: 1, from: 1, to: 1 }] : joined
}

/** A piece of a storage in memory. */
class Window {
  view = new DataView(new ArrayBuffer(0))
  start = 0
  end = 0
  private readonly bytes: Uint8Array<ArrayBuffer>

  /** @param last the byte after the last byte that is needed. */
  constructor(
    private readonly storage: StorageData,
    first: number,
    private readonly last: number,
    private readonly elementBytes: number,
  ) {
    // Deflated data is inflated from its beginning for each read, so it is read once, as a whole.
    const length = storage.isRandomAccess ? Math.min(windowBytes, last - first) : last - first
    this.bytes = new Uint8Array(length)
  }

  has(at: number): boolean {
    return at >= this.start && at + this.elementBytes <= this.end
  }

  async move(at: number): Promise<void> {
    const part = this.bytes.subarray(0, Math.min(this.bytes.length, this.last - at))
    await this.storage.read(part, at)
    this.start = at
    this.end = at + part.length
    this.view = new DataView(part.buffer, 0, part.length)
  }
}
