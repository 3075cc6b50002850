// The storages of a checkpoint file, and its tensors, which are views into them: offset, shape and strides.
import { fileError } from '../../files/file-errors.ts'
import { bytesPerElement, formatShape, type Shape, type Tensor } from '../../graph/tensor.ts'
import { FormatError } from '../../util/errors.ts'
import { damaged, limits } from './limits.ts'
import { copyStrided, type StorageData, tensorTypes } from './strided-copy.ts'

/** A piece of memory that tensors share. Checkpoints store storages, not tensors. */
export class Storage {
  private place: StorageData | undefined

  constructor(
    readonly file: string,
    readonly key: string,
    /** Bytes of an element where the storage is first mentioned. The legacy format counts in these elements. */
    readonly elementBytes: number,
    readonly byteLength: number,
  ) {}

  /** Says where its bytes are. */
  locate(place: StorageData): void {
    this.place = place
  }

  /** Where its bytes are. */
  data(): StorageData {
    if (this.place === undefined) throw new Error(`storage ${this.key} has no place in the file`)
    return this.place
  }
}

/** A storage as tensors refer to it: an element type, and a range of its bytes (nearly always all of them). */
export class StorageSlice {
  constructor(
    readonly storage: Storage,
    readonly dtype: string,
    readonly start: number,
    readonly byteLength: number,
  ) {}
}

/** A tensor in a checkpoint file. Its shape and type are known; its data is read on request. */
export interface StoredTensor {
  readonly shape: Shape
  /** torch's name: 'float32', 'bfloat16', 'int64' ... */
  readonly dtype: string
  /**
   * Reads the elements in row-major order, whatever the strides in the file are. float16, bfloat16 and float64 become
   * float32; int8, int16 and uint16 int32; uint32 int64.
   *
   * @throws FormatError for a type that pantin does not hold (complex, quantised, float8, uint64) or damaged
   * data, InputError after the file was closed.
   */
  read(): Promise<Tensor>
}

/** A view into a storage: an offset, a shape and strides, all in elements. */
export class TensorView implements StoredTensor {
  private constructor(
    private readonly storage: StorageSlice,
    readonly dtype: string,
    readonly shape: Shape,
    private readonly strides: readonly number[],
    private readonly offset: number,
    private readonly elements: number,
  ) {}

  /**
   * @param dtype the element type; null for the storage's own.
   * @throws FormatError unless every element lies in the storage.
   */
  static of(
    storage: StorageSlice,
    dtype: string | null,
    offset: unknown,
    shape: readonly unknown[],
    strides: readonly unknown[],
  ): TensorView {
    const { file, key } = storage.storage
    const refuse = (what: string, got: string, expected: string): never => {
      throw new FormatError({
        what,
        where: `${file}, storage ${JSON.stringify(key.slice(0, 80))}`,
        got,
        expected,
        remedy: damaged,
      })
    }
    if (shape.length > limits.rank || strides.length !== shape.length) {
      const got = `${shape.length} sizes and ${strides.length} strides`
      refuse('a tensor with a shape that cannot be', got, `as many of each, at most ${limits.rank}`)
    }
    if (!isCount(offset) || !shape.every(isCount) || !strides.every(isCount)) {
      const list = [offset, ...shape, ...strides].slice(0, 12).map(String).join(', ').slice(0, 200)
      refuse('a tensor with a place or size that cannot be', list, 'whole numbers from 0 to 2^53 - 1')
    }
    const [at, sizes, steps] = [offset as number, shape as Shape, strides as readonly number[]]
    const type = dtype ?? storage.dtype
    const { bytes } = tensorTypes.get(type)!
    // A tensor with an empty axis has no elements: [0, 2^40] is within all limits.
    const empty = sizes.includes(0)
    let elements = empty ? 0 : 1
    let last = at
    for (let i = 0; i < sizes.length && !empty; i++) {
      elements *= sizes[i]!
      last += (sizes[i]! - 1) * steps[i]!
      if (!Number.isSafeInteger(elements * 16) || !Number.isSafeInteger(last * 16)) {
        refuse('a tensor of absurd size', formatShape(sizes), 'fewer than 2^49 elements')
      }
    }
    if (!empty && (last + 1) * bytes > storage.byteLength) {
      const got = `${formatShape(sizes)} with strides ${formatShape(steps)} from element ${at} of ${type}`
      refuse('a tensor reaches beyond its storage', got, `a view of ${storage.byteLength} bytes`)
    }
    return new TensorView(storage, type, sizes, steps, at, elements)
  }

  /** Bytes in memory of what `read` returns; 0 for a type that it refuses. */
  get memoryBytes(): number {
    const { memory } = tensorTypes.get(this.dtype)!
    return memory === undefined ? 0 : this.elements * bytesPerElement[memory.dtype]
  }

  async read(): Promise<Tensor> {
    const { storage, start } = this.storage
    const type = tensorTypes.get(this.dtype)!
    if (type.memory === undefined) {
      throw new FormatError({
        what: 'an element type that pantin does not read',
        where: storage.file,
        got: `a tensor of ${this.dtype} ${formatShape(this.shape)}`,
        expected: [...tensorTypes]
          .flatMap(([name, { memory }]) => (memory === undefined ? [] : [name]))
          .join(', '),
        remedy: 'convert the tensor to one of these types in PyTorch',
      })
    }
    try {
      const at = start + this.offset * type.bytes
      return await copyStrided(type, type.memory, this.shape, this.strides, this.elements, at, storage.data())
    } catch (error) {
      throw fileError(error, storage.file, 'read')
    }
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
