// Checks that a safetensors header agrees with itself and with the size of its file.
import { formatShape, type Shape } from '../../graph/tensor.ts'
import { FormatError } from '../../util/errors.ts'
import { elementTypes } from './elements.ts'
import { parseHeader, type RawEntry } from './parser.ts'

/** The position of a tensor in a file: `length` bytes, from byte `start` after the header on. */
export interface Entry {
  /** A key of `elementTypes`. */
  readonly dtype: string
  readonly shape: Shape
  readonly start: number
  readonly length: number
}

/** A header that agrees with itself and with the file's size. */
export interface Header {
  /** In the header's order. */
  readonly entries: ReadonlyMap<string, Entry>
  readonly metadata: ReadonlyMap<string, string>
}

/** The format's own cap on the header, in bytes. */
export const maxHeaderBytes = 100_000_000

const remedy = 'write the file again, or download it again'

/**
 * Checks the first eight bytes against the size of the file.
 *
 * @returns the header's length in bytes.
 * @throws FormatError
 */
export function checkHeaderLength(prefix: Uint8Array, fileSize: number, file: string): number {
  if (prefix.length < 8) {
    const got = fileSize === 0 ? 'an empty file' : `${fileSize} bytes`
    throw new FormatError({
      what: 'not a safetensors file',
      where: file,
      got,
      expected: 'over 8 bytes',
      remedy,
    })
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true)
  const most = Math.min(maxHeaderBytes, fileSize - 8)
  if (length < 2n || length > BigInt(most)) {
    throw new FormatError({
      what: 'not a safetensors file, or one that is cut off: its header length does not fit',
      where: file,
      got: `a header of ${length} bytes in a file of ${fileSize}`,
      expected: `2 to ${most} bytes`,
      remedy,
    })
  }
  return Number(length)
}

/**
 * Parses and checks a header: known types, sizes that follow from the shapes, and offsets that cover the data
 * exactly once. So the data needs no more memory than the file has bytes (twice that for 16-bit types).
 *
 * @param bytes the header alone.
 * @param dataBytes number of bytes after it in the file.
 * @throws FormatError
 */
export function readHeader(bytes: Uint8Array, dataBytes: number, file: string): Header {
  const raw = parseHeader(decodeText(bytes, file), file)
  const entries = new Map<string, Entry>()
  for (const [name, entry] of raw.entries) entries.set(name, checkEntry(entry, placeOf(file, name)))
  checkTiling(entries, dataBytes, file)
  return { entries, metadata: raw.metadata }
}

/** `file, tensor "name"`, for messages. */
export function placeOf(file: string, name: string): string {
  return `${file}, tensor ${JSON.stringify(name.slice(0, 80))}`
}

function decodeText(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    const what = 'the safetensors header is not valid UTF-8'
    throw new FormatError({ what, where: file, got: `${bytes.length} bytes of other data`, remedy })
  }
}

function checkEntry({ dtype, shape, offsets: [start, end] }: RawEntry, where: string): Entry {
  const type = elementTypes.get(dtype)
  if (type === undefined) {
    throw new FormatError({
      what: 'an element type that pantin does not read',
      where,
      got: dtype.slice(0, 80),
      expected: [...elementTypes.keys()].join(', '),
      remedy: 'convert the tensor to one of these types',
    })
  }
  let length = type.bytes
  for (const axis of shape) {
    length *= axis
    if (!Number.isSafeInteger(length)) {
      throw new FormatError({
        what: 'a shape whose size in bytes is beyond 2^53',
        where,
        got: formatShape(shape),
        remedy,
      })
    }
  }
  if (end - start !== length) {
    throw new FormatError({
      what: 'data_offsets disagree with the shape',
      where,
      got: `[${start}, ${end}], which is ${end - start} bytes`,
      expected: `${length} bytes for ${dtype} ${formatShape(shape)}`,
      remedy,
    })
  }
  return { dtype, shape, start, length }
}

/** In order of offsets, each tensor must start where the previous one ends, and the last must end with the file. */
function checkTiling(entries: ReadonlyMap<string, Entry>, dataBytes: number, file: string): void {
  // An empty tensor may share its start with the next tensor, and comes before it.
  const ordered = [...entries].sort(([, a], [, b]) => a.start - b.start || a.length - b.length)
  let end = 0
  for (const [name, { start, length }] of ordered) {
    if (start !== end) {
      throw new FormatError({
        what: start < end ? 'its data overlaps that of another tensor' : 'a hole in the data before it',
        where: placeOf(file, name),
        got: `data from byte ${start}`,
        expected: `from byte ${end}`,
        remedy,
      })
    }
    end += length
  }
  if (end !== dataBytes) {
    throw new FormatError({
      what: end > dataBytes ? 'the file is cut off' : 'the file has bytes that belong to no tensor',
      where: file,
      got: `${dataBytes} bytes of data`,
      expected: `${end}`,
      remedy,
    })
  }
}
