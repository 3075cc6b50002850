/** Where a storage's bytes come from, once its place in the file is known. */
export interface StorageData {
  readonly littleEndian: boolean
  /** Whether reading from the middle costs no more than reading from the start. */
  readonly isRandomAccess: boolean
  /** Fills `into` with the storage's bytes from byte `at`. */
  read(into: Uint8Array, at: number): Promise<void>
}

/** A piece of memory that tensors share; checkpoints store these, not tensors. */
export class Storage {
  private place: StorageData | undefined

  constructor(
    readonly file: string,
    readonly key: string,
    /** Bytes of an element as the first mention has it; a file of the old format counts in these. */
    readonly elementBytes: number,
    readonly byteLength: number,
  ) {}

  locate(place: StorageData): void {
    this.place = place
  }

  data(): StorageData {
    if (this.place === undefined) throw new Error(`storage ${this.key} has no place in the file`)
    return this.place
  }
}

/** A storage as tensors refer to it: an element type, and a part of its bytes (nearly always all). */
export class StorageSlice {
  constructor(
    readonly storage: Storage,
    readonly dtype: string,
    readonly start: number,
    readonly byteLength: number,
  ) {}
}
