import { FormatError } from '../../util/errors.ts'
import type { Bytes } from './file-bytes.ts'
import { damaged, limits } from './limits.ts'

/** Bytes held at a time; at least as many as the longest piece that is taken. */
const windowBytes = limits.textBytes

/**
 * Reads the pieces of a pickle one after the other, through a small window: a pickle ends where its last
 * opcode says, so nobody knows its length beforehand, and tensor data may follow.
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
   * @param end the byte after the last that it may use.
   * @param where file and part of it, for messages.
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

  /** UTF-8 of this many bytes; undefined if that is longer than any text that is kept. */
  text(length: number): string | undefined {
    const text = this.string(length)
    if (text === null) this.refuse('a text that is not valid UTF-8', `${length} bytes`)
    return text
  }

  /** As `text`, of a string of Python 2, which may be text or any bytes: null if it is no text. */
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

  /** ASCII up to a line feed, which is left out. */
  line(): string {
    let line = ''
    for (let code = this.byte(); code !== 0x0a; code = this.byte()) {
      if (code > 0x7e || line.length === 256)
        this.refuse('a malformed line', JSON.stringify(line.slice(0, 80)))
      line += String.fromCharCode(code)
    }
    return line
  }

  /** Passes over bytes that are not needed. */
  skip(length: number): void {
    this.checkLength(length)
    this.at += length
  }

  refuse(what: string, got: string, expected?: string): never {
    throw new FormatError({
      what,
      where: `${this.where}, byte ${this.at - this.start}`,
      got,
      ...(expected === undefined ? {} : { expected }),
      remedy: damaged,
    })
  }

  /** Has the next bytes in `held`, and passes over them. @returns the place of the first in `held`. */
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

/** As a number where that is exact. */
export function smallest(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
