// Records in a file, for Node: decoded frames and labelled pictures, more of them than memory holds.
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileError } from '../files/file-errors.ts'
import { InputError } from '../util/errors.ts'
import type { Records } from './motion-labels.ts'

/** Records of one length in a file, which are read in any order. */
export class RecordFile implements Records {
  private constructor(
    private readonly file: number,
    private readonly path: string,
    /** Bytes of one record. */
    readonly length: number,
    private total: number,
    /** Whether close() is to remove the file. */
    private readonly leavesName: boolean,
  ) {}

  /**
   * An empty file that goes with the process, whatever ends it: where the system allows, it has no name from
   * the moment that it is open.
   */
  static temporary(length: number): RecordFile {
    const path = join(tmpdir(), `pantin-frames-${randomBytes(8).toString('hex')}`)
    const file = opened(path, 'wx+')
    try {
      unlinkSync(path)
      return new RecordFile(file, path, length, 0, false)
    } catch {
      // Windows does not remove open files.
      return new RecordFile(file, path, length, 0, true)
    }
  }

  /** A new file that stays. @throws InputError where it is there already, or cannot be written. */
  static create(path: string, length: number): RecordFile {
    return new RecordFile(opened(path, 'wx+'), path, length, 0, false)
  }

  /** A file of `count` records, to read. */
  static open(path: string, length: number, count: number): RecordFile {
    return new RecordFile(opened(path, 'r'), path, length, count, false)
  }

  get count(): number {
    return this.total
  }

  /** Adds a record: `length` bytes. @throws EnvironmentError where the disk is full or fails. */
  append(record: Uint8Array): void {
    try {
      writeSync(this.file, record, 0, this.length, this.total * this.length)
    } catch (error) {
      throw fileError(error, this.path, 'written', this.length)
    }
    this.total++
  }

  /** Copies record `index` into `target` at byte `offset`. @throws InputError where there is none. */
  read(index: number, target: Uint8Array, offset = 0): void {
    if (!(index >= 0 && index < this.total)) {
      throw new InputError({
        what: 'there is no such record in the file',
        where: this.path,
        got: String(index),
        expected: `0 to ${this.total - 1}`,
      })
    }
    readSync(this.file, target, offset, this.length, index * this.length)
  }

  close(): void {
    closeSync(this.file)
    if (this.leavesName) unlinkSync(this.path)
  }
}

function opened(path: string, flags: 'wx+' | 'r'): number {
  try {
    return openSync(path, flags, 0o600)
  } catch (error) {
    throw fileError(error, path, flags === 'r' ? 'read' : 'written')
  }
}
