import fc from 'fast-check'
import { expect, it } from 'vitest'
import { copyStrided, type StorageData, tensorTypes } from '../../../src/formats/torch/strided-copy.ts'
import { sizeOf } from '../../../src/graph/tensor.ts'

/** A storage in memory that counts the bytes read of it. */
class Memory implements StorageData {
  bytesRead = 0

  constructor(
    private readonly bytes: Uint8Array,
    readonly littleEndian: boolean,
    readonly isRandomAccess: boolean,
  ) {}

  async read(into: Uint8Array, at: number): Promise<void> {
    if (at + into.length > this.bytes.length)
      throw new Error(`read up to ${at + into.length} of ${this.bytes.length}`)
    into.set(this.bytes.subarray(at, at + into.length))
    this.bytesRead += into.length
  }
}

const int16 = tensorTypes.get('int16')!
const int32 = tensorTypes.get('int32')!

/** Elements 0, 1, 2 ... of int16 or int32. */
function counting(count: number, littleEndian: boolean, bytes: number): Buffer {
  const buffer = Buffer.alloc(count * bytes)
  for (let i = 0; i < count; i++) {
    if (littleEndian) buffer.writeIntLE(i, i * bytes, bytes)
    else buffer.writeIntBE(i, i * bytes, bytes)
  }
  return buffer
}

/** The place of each element, by the definition of strides. */
function placesOf(shape: readonly number[], strides: readonly number[], offset: number): number[] {
  let places = [offset]
  shape.forEach((size, axis) => {
    places = places.flatMap((place) => Array.from({ length: size }, (_, i) => place + i * strides[axis]!))
  })
  return places
}

const axis = fc.tuple(fc.nat(5), fc.nat(40))

it('puts each element where its shape says, whatever the strides', async () => {
  const view = fc.tuple(
    fc.array(axis, { maxLength: 5 }),
    fc.nat(20),
    fc.boolean(),
    fc.boolean(),
    fc.boolean(),
  )
  await fc.assert(
    fc.asyncProperty(view, async ([axes, offset, littleEndian, isRandomAccess, isWide]) => {
      const shape = axes.map(([size]) => size)
      const strides = axes.map(([, stride]) => stride)
      const type = isWide ? int32 : int16
      const places = placesOf(shape, strides, offset)
      const count = Math.max(0, ...places) + 1
      const storage = new Memory(counting(count, littleEndian, type.bytes), littleEndian, isRandomAccess)
      const elements = sizeOf(shape)
      const { data } = await copyStrided(
        type,
        type.memory!,
        shape,
        strides,
        elements,
        offset * type.bytes,
        storage,
      )
      expect([...(data as Int32Array)]).toEqual(places)
    }),
    { seed: 5, numRuns: 2000 },
  )
})

it.each([
  ['transposed', [1000, 1500], [1, 1000]],
  ['every third', [500_000], [3]],
  ['rows apart', [3, 1000], [700_000, 1]],
  ['windows that overlap', [700_000, 3], [2, 1]],
] as const)('reads the bytes of a large view once, or nearly: %s', async (_what, shape, strides) => {
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * strides[i]!, 0)
  const content = Buffer.alloc(2 * (last + 1))
  for (let i = 0; i <= last; i++) content.writeUInt16LE(i & 0xffff, 2 * i)
  const storage = new Memory(content, true, true)
  const uint16 = tensorTypes.get('uint16')!
  const { data } = await copyStrided(uint16, uint16.memory!, shape, strides, sizeOf(shape), 0, storage)
  for (let n = 0, i = 0; n < shape[0]; n++) {
    for (let m = 0; m < (shape[1] ?? 1); m++, i++) {
      const place = n * strides[0] + m * (strides[1] ?? 0)
      if (data[i] !== (place & 0xffff)) throw new Error(`element ${i} is ${data[i]}, not that at ${place}`)
    }
  }
  expect(storage.bytesRead).toBeLessThan(1.1 * content.length + (1 << 20))
})
