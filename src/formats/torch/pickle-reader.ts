// The alphabet of Python's pickles: its opcodes, and the reader of numbers and texts between them.
import type { Bytes } from '../../files/read.ts'
import { FormatError } from '../../util/errors.ts'
import { damaged, limits } from './limits.ts'

/** The opcodes of Python's pickles by their names in Python's own source. */
export const opcodes = {
  MARK: 0x28,
  EMPTY_TUPLE: 0x29,
  STOP: 0x2e,
  POP: 0x30,
  POP_MARK: 0x31,
  DUP: 0x32,
  BINBYTES: 0x42,
  SHORT_BINBYTES: 0x43,
  BINFLOAT: 0x47,
  INT: 0x49,
  BININT: 0x4a,
  BININT1: 0x4b,
  BININT2: 0x4d,
  NONE: 0x4e,
  BINPERSID: 0x51,
  REDUCE: 0x52,
  BINSTRING: 0x54,
  SHORT_BINSTRING: 0x55,
  BINUNICODE: 0x58,
  EMPTY_LIST: 0x5d,
  APPEND: 0x61,
  BUILD: 0x62,
  GLOBAL: 0x63,
  APPENDS: 0x65,
  BINGET: 0x68,
  LONG_BINGET: 0x6a,
  OBJ: 0x6f,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  SETITEM: 0x73,
  TUPLE: 0x74,
  SETITEMS: 0x75,
  EMPTY_DICT: 0x7d,
  PROTO: 0x80,
  NEWOBJ: 0x81,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
  LONG4: 0x8b,
  SHORT_BINUNICODE: 0x8c,
  BINUNICODE8: 0x8d,
  BINBYTES8: 0x8e,
  EMPTY_SET: 0x8f,
  ADDITEMS: 0x90,
  FROZENSET: 0x91,
  NEWOBJ_EX: 0x92,
  STACK_GLOBAL: 0x93,
  MEMOIZE: 0x94,
  FRAME: 0x95,
  BYTEARRAY8: 0x96,
} as const

/**
 * Opcodes that exist and are refused: the opcodes of the text protocol 0, which cannot hold a tensor and which
 * torch never writes, and the opcodes that refer to objects outside of the pickle.
 */
export const refusedOpcodes: ReadonlyMap<number, string> = new Map([
  [0x46, 'FLOAT'],
  [0x4c, 'LONG'],
  [0x50, 'PERSID'],
  [0x53, 'STRING'],
  [0x56, 'UNICODE'],
  [0x64, 'DICT'],
  [0x67, 'GET'],
  [0x69, 'INST'],
  [0x6c, 'LIST'],
  [0x70, 'PUT'],
  [0x82, 'EXT1'],
  [0x83, 'EXT2'],
  [0x84, 'EXT4'],
  [0x97, 'NEXT_BUFFER'],
  [0x98, 'READONLY_BUFFER'],
])

/** Bytes held at a time: at least the length of the longest piece that is read at once. */
const windowBytes = limits.textBytes

/**
 * Reads the pieces of a pickle one after the other, through a small window. A pickle ends at its opcode STOP, so
 * its length is not known beforehand, and tensor data may follow.
 */
export class PickleReader {
  private held = new Uint8Array(0)
  private view = new DataView(this.held.buffer)
  /** The place of `held` in the bytes. */
  private heldAt: number
  private readonly start: number
  private readonly end: number

  /**
   * @param at the pickle's first byte; afterwards, the next byte to be read.
   * @param end the byte after the last that the pickle may use.
   * @param where the file and the pickle in it, for messages.
   */
  constructor(
    private readonly bytes: Bytes,
    public at: number,
    end: number,
    readonly where: string,
  ) {
    this.heldAt = at
    this.start = at
    this.end = Math.min(end, at + limits.pickleBytes)
  }

  byte(): number {
    const at = this.take(1)
    return this.held[at]!
  }

  uint16(): number {
    const at = this.take(2)
    return this.view.getUint16(at, true)
  }

  int32(): number {
    const at = this.take(4)
    return this.view.getInt32(at, true)
  }

  uint32(): number {
    const at = this.take(4)
    return this.view.getUint32(at, true)
  }

  /** A length in eight bytes; one beyond 2^53 is not exact, and longer than any file. */
  uint64(): number {
    const at = this.take(8)
    return Number(this.view.getBigUint64(at, true))
  }

  float64(): number {
    const at = this.take(8)
    return this.view.getFloat64(at, false)
  }

  /** A whole number in two's complement, lowest byte first. */
  integer(length: number): number | bigint {
    if (length > limits.integerBytes) this.refuse('a whole number of absurd size', `${length} bytes`)
    const at = this.take(length)
    let value = 0n
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.held[at + i]!)
    return smallest(length === 0 ? 0n : BigInt.asIntN(8 * length, value))
  }

  /** A UTF-8 text of `length` bytes; undefined if it is longer than any text that is kept. */
  text(length: number): string | undefined {
    const text = this.string(length) ?? this.pathText(length)
    if (text === null) this.refuse('a text that is not valid UTF-8', `${length} bytes`)
    return text
  }

  /** The text that was just read, with U+FFFD for bytes of a file name that Python could not decode (PEP 383). */
  private pathText(length: number): string | undefined | null {
    if (length > limits.textBytes) return undefined
    const bytes = this.held.slice(this.at - length - this.heldAt, this.at - this.heldAt)
    for (let i = 0; i + 2 < length; i++) {
      if (bytes[i] === 0xed && bytes[i + 1]! >= 0xa0 && bytes[i + 2]! >= 0x80)
        bytes.set([0xef, 0xbf, 0xbd], i)
    }
    try {
      return decoder.decode(bytes)
    } catch {
      return null
    }
  }

  /** Like `text`, for a string of Python 2, which may be text or any bytes: null if it is not text. */
  string(length: number): string | undefined | null {
    if (length > limits.textBytes) {
      this.skip(length)
      return undefined
    }
    const at = this.take(length)
    try {
      return decoder.decode(this.held.subarray(at, at + length))
    } catch {
      return null
    }
  }

  /** ASCII up to a line feed, which is not part of the result. */
  line(): string {
    let line = ''
    for (let code = this.byte(); code !== 0x0a; code = this.byte()) {
      if (code > 0x7e || line.length === 256)
        this.refuse('a malformed line', JSON.stringify(line.slice(0, 80)))
      line += String.fromCharCode(code)
    }
    return line
  }

  /** Skips bytes that are not needed. */
  skip(length: number): void {
    this.checkLength(length)
    this.at += length
  }

  /** Throws the FormatError that names this position. */
  refuse(what: string, got: string, expected?: string): never {
    throw new FormatError({
      what,
      where: `${this.where}, byte ${this.at - this.start}`,
      got,
      ...(expected === undefined ? {} : { expected }),
      remedy: damaged,
    })
  }

  /** Moves past the next bytes, and makes `held` contain them. @returns the position of the first in `held`. */
  private take(length: number): number {
    this.checkLength(length)
    const start = this.at - this.heldAt
    this.at += length
    if (start + length <= this.held.length) return start
    this.heldAt = this.at - length
    const wanted = Math.min(windowBytes, this.end - this.heldAt)
    if (this.held.length !== wanted) this.held = new Uint8Array(wanted)
    this.view = new DataView(this.held.buffer)
    this.bytes.readNow(this.held, this.heldAt)
    return 0
  }

  private checkLength(length: number): void {
    if (this.at + length <= this.end) return
    this.refuse('the pickle is cut off', `${this.end - this.at} bytes more`, `${length}`)
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The value as a number if that is exact, otherwise as it is. */
export function smallest(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
