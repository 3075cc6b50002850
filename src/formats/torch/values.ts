// The values that a pickle can contain. None of them can run: where Python would call a function, a function of
// pantin makes one of these values, or the file is refused (globals.ts).
import type { StorageSlice, TensorView } from './tensor-view.ts'

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

/** A Python name that may occur in a checkpoint, and its meaning here. */
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
  if (value instanceof List) return `a list of ${value.items.length}`
  if (value instanceof Tuple) return `a tuple of ${value.items.length}`
  if (value instanceof Dict) return 'a dictionary'
  return 'byteLength' in value ? 'a storage' : 'a tensor'
}
