// The values that a pickle can contain, and the table of the storages that it refers to. No value can run: where Python
// would call a function, a function of pantin makes one of these values, or the file is refused (globals.ts).
import { FormatError } from '../../util/errors.ts'
import { damaged } from './limits.ts'
import { tensorTypes } from './strided-copy.ts'
import { Storage, StorageSlice, type TensorView } from './tensor-view.ts'

/** Any value of a pickle. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | List
  | Tuple
  | Dict
  | Global
  | StorageSlice
  | TensorView
  | Opaque
  | Foreign

/** A list of Python, which grows. */
export class List {
  items: Value[] = []
}

/** A tuple of Python. */
export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** Keys and values in turn, in the order of the file; the last of equal keys counts. Never a plain object. */
export class Dict {
  pairs: Value[] = []

  /** Its entries as Python would have them. Keys that are objects are compared by identity. */
  entries(): Map<Value, Value> {
    const entries = new Map<Value, Value>()
    for (let i = 0; i + 1 < this.pairs.length; i += 2) entries.set(this.pairs[i]!, this.pairs[i + 1]!)
    return entries
  }
}

/** A value that is read and not kept: bytes, sets, numpy values, settings. */
export class Opaque {
  constructor(readonly what: string) {}
}

/**
 * A class or function that pantin does not know, or an object that it would make in Python. Nothing is called. The
 * values that the file puts into the object are kept only to tell whether tensors are among them.
 */
export class Foreign {
  held: Value[] = []

  /** @param name module and name, with a dot between them. */
  constructor(readonly name: string) {}
}

/** A Python name that pantin knows, and its meaning here. */
export class Global {
  constructor(
    /** Module and name, with a space between them. */
    readonly name: string,
    readonly meaning: Meaning = {},
  ) {}
}

/** How a global may be used. A global without any of these is only a name. */
export interface Meaning {
  /** Makes the value that a call of it returns in Python. */
  readonly construct?: Construct
  /** The element type of a storage class; null if the class has none. */
  readonly storageOf?: string | null
  /** The element type that the name stands for. */
  readonly dtype?: string
}

/** Builds data from arguments. @throws FormatError if they do not fit. */
export type Construct = (args: readonly Value[], context: ConstructContext) => Value

/** What a `Construct` may use. */
export interface ConstructContext {
  /** Charges steps for values that are copied. */
  work(steps: number): void
  /** The error for arguments that do not fit. */
  refuse(expected: string): never
}

/** What a value is, in words for messages. */
export function describe(value: Value | undefined): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'None'
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  if (typeof value === 'bigint') return value.toString().slice(0, 80)
  if (typeof value !== 'object') return String(value)
  if (value instanceof Global) return value.name
  if (value instanceof Opaque) return value.what
  if (value instanceof Foreign) return value.name
  if (value instanceof List) return `a list of ${value.items.length}`
  if (value instanceof Tuple) return `a tuple of ${value.items.length}`
  if (value instanceof Dict) return 'a dictionary'
  return 'byteLength' in value ? 'a storage' : 'a tensor'
}

/** The storages that a pickle refers to, by key. */
export class StorageTable {
  readonly storages = new Map<string, Storage>()

  constructor(private readonly file: string) {}

  /**
   * The storage of a persistent id ('storage', class, key, location, elements). In the legacy format a sixth item
   * follows: None, or (view key, offset, elements) for a range of the storage.
   *
   * The legacy format refers to the class of a network by ('module', class, ...), which is this class.
   *
   * @throws FormatError for anything else.
   */
  find(id: Value): StorageSlice | Foreign {
    if (!(id instanceof Tuple)) this.refuse('a reference that is no storage', describe(id))
    const [kind, storageClass, key, , elements, range = null] = id.items
    if (kind === 'module') {
      if (storageClass instanceof Foreign) return storageClass
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
