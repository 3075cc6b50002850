// Records of one length: decoded frames, their labels, and pictures with a teacher's results.

/** Records of one length, which are read in any order: more of them than memory holds, in a file wherever that is. */
export interface Records {
  /** Bytes of one record. */
  readonly length: number
  readonly count: number
  /** Adds a record: `length` bytes. @throws EnvironmentError where there is no room. */
  append(record: Uint8Array): void
  /** Copies record `index` into `target` at byte `offset`. @throws InputError where there is none. */
  read(index: number, target: Uint8Array, offset?: number): void
  close(): void
}
