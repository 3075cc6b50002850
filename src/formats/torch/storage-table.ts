// The storages that a pickle refers to, by their persistent ids.
import { FormatError } from '../../util/errors.ts'
import { damaged } from './limits.ts'
import { tensorTypes } from './tensor-types.ts'
import { Storage, StorageSlice } from './tensor-view.ts'
import { describe, Global, Tuple, type Value } from './values.ts'

/** The storages that a pickle refers to, by key. */
export class StorageTable {
  readonly storages = new Map<string, Storage>()

  constructor(private readonly file: string) {}

  /**
   * The storage of a persistent id ('storage', class, key, location, elements). In the legacy format a sixth item
   * follows: None, or (view key, offset, elements) for a range of the storage.
   *
   * @throws FormatError for anything else.
   */
  find(id: Value): StorageSlice {
    if (!(id instanceof Tuple)) this.refuse('a reference that is no storage', describe(id))
    const [kind, storageClass, key, , elements, range = null] = id.items
    if (kind === 'module') {
      throw new FormatError({
        what: 'the file holds a whole network with its code, not only its weights',
        where: this.file,
        expected: 'a dictionary of tensors',
        remedy: 'in PyTorch, save network.state_dict() instead of the network',
      })
    }
    const dtype = storageClass instanceof Global ? storageClass.meaning.storageOf : undefined
    if (kind !== 'storage' || dtype === undefined || id.items.length > 6 || typeof key !== 'string') {
      this.refuse('a reference that is no storage', id.items.slice(0, 6).map(describe).join(', '))
    }
    const type = dtype ?? 'uint8'
    const { bytes } = tensorTypes.get(type)!
    const byteLength = this.count(elements, bytes)
    const storage = this.storages.get(key) ?? new Storage(this.file, key, bytes, byteLength)
    if (storage.byteLength !== byteLength) {
      this.refuse('one storage with two sizes', `${storage.byteLength} and ${byteLength} bytes`)
    }
    this.storages.set(key, storage)
    if (range === null) return new StorageSlice(storage, type, 0, byteLength)

    const [, offset, size] = range instanceof Tuple && range.items.length === 3 ? range.items : []
    const start = this.count(offset, bytes)
    const length = this.count(size, bytes)
    if (start + length > byteLength) {
      this.refuse(
        'a part of a storage reaches beyond it',
        `${length} bytes from byte ${start} of ${byteLength}`,
      )
    }
    return new StorageSlice(storage, type, start, length)
  }

  /** The number of bytes of this number of elements. */
  private count(elements: Value | undefined, bytes: number): number {
    const length = typeof elements === 'number' ? elements * bytes : -1
    if (!Number.isSafeInteger(length) || length < 0) {
      this.refuse('a storage of a size that cannot be', `${describe(elements)} elements`)
    }
    return length
  }

  private refuse(what: string, got: string): never {
    const expected = "('storage', its class, a key, a device, its number of elements)"
    throw new FormatError({ what, where: this.file, got, expected, remedy: damaged })
  }
}
