/**
 * What a pickle can be made of here. Nothing in this list can run: what Python would call becomes one of
 * these by a function of ours, or is refused (`globals.ts`).
 */
import type { StorageSlice } from './storage.ts'
import type { TensorView } from './tensor-view.ts'

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

export class List {
  items: Value[] = []
}

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** Keys and values in turn, as they came: of equal keys, the last counts. Never a plain object. */
export class Dict {
  pairs: Value[] = []

  /** Its entries as Python would have them. Keys that are objects are compared by identity. */
  entries(): Map<Value, Value> {
    const entries = new Map<Value, Value>()
    for (let i = 0; i + 1 < this.pairs.length; i += 2) entries.set(this.pairs[i]!, this.pairs[i + 1]!)
    return entries
  }
}

/** Something that is read over and not kept: bytes, sets, numpy values, settings. */
export class Opaque {
  constructor(readonly what: string) {}
}

/** A name of Python's that may occur in a checkpoint, and what it stands for. */
export class Global {
  constructor(
    /** Module and name, with a space between them. */
    readonly name: string,
    readonly meaning: Meaning = {},
  ) {}
}

/** How a global may be used; one without any of these is just a name. */
export interface Meaning {
  /** Makes the value that Python would get by calling it. */
  readonly construct?: Construct
  /** The element type of a storage class; null where it has none of its own. */
  readonly storageOf?: string | null
  /** It is this element type. */
  readonly dtype?: string
}

/** Builds data from arguments. @throws FormatError if they do not fit. */
export type Construct = (args: readonly Value[], context: ConstructContext) => Value

export interface ConstructContext {
  /** To be charged for what is copied. */
  work(steps: number): void
  /** The error for arguments that do not fit. */
  refuse(expected: string): never
}

/** A word for what a value is, for messages. */
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
