// Copying a strided view of a storage in a file into a row-major tensor, through a window of 1 MiB.
import type { Shape, Tensor } from '../../graph/tensor.ts'
import { bytesOf } from '../safetensors/elements.ts'
import type { TensorType } from './tensor-types.ts'

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
