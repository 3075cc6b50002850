// The header of a safetensors file: how its elements are held in memory, whether it agrees with itself and with the size of the
// file, and a strict parser for its JSON.
import {
  allocate,
  bytesPerElement,
  type DType,
  formatShape,
  halfToNumber,
  type Shape,
  type Tensor,
  tensor,
} from '../../graph/tensor.ts'
import { FormatError } from '../../util/errors.ts'

/** How one safetensors element type comes into memory. Bytes are little-endian, as on every machine that Node runs on. */
interface ElementType {
  /** Bytes per element in the file. */
  readonly bytes: number
  readonly dtype: DType
  /** Only if the elements in the file are not those in memory: reads the element at a byte offset. */
  readonly convert?: (view: DataView, offset: number) => number
}

/** The element types that pantin reads; those with `convert` become float32 (F64 is rounded). */
export const elementTypes: ReadonlyMap<string, ElementType> = new Map<string, ElementType>([
  ['F32', { bytes: 4, dtype: 'float32' }],
  ['I64', { bytes: 8, dtype: 'int64' }],
  ['I32', { bytes: 4, dtype: 'int32' }],
  ['U8', { bytes: 1, dtype: 'uint8' }],
  ['I8', { bytes: 1, dtype: 'int8' }],
  ['BOOL', { bytes: 1, dtype: 'bool' }],
  ['F16', { bytes: 2, dtype: 'float32', convert: (v, at) => halfToNumber(v.getUint16(at, true)) }],
  ['BF16', { bytes: 2, dtype: 'float32', convert: (v, at) => brainToNumber(v.getUint16(at, true)) }],
  ['F64', { bytes: 8, dtype: 'float32', convert: (v, at) => v.getFloat64(at, true) }],
])

/** The safetensors name of each element type that pantin writes. */
export const elementNames: Readonly<Record<DType, string>> = {
  float32: 'F32',
  int64: 'I64',
  int32: 'I32',
  uint8: 'U8',
  int8: 'I8',
  bool: 'BOOL',
}

const word = new DataView(new ArrayBuffer(4))

/** A bfloat16, which is the upper half of a binary32. */
export function brainToNumber(bits: number): number {
  word.setUint32(0, bits * 0x10000)
  return word.getFloat32(0)
}

/** The bytes of a tensor, without a copy. */
export function bytesOf(value: Tensor): Uint8Array<ArrayBuffer> {
  return new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength)
}

/** Bytes converted at a time, a multiple of every element size. */
const chunk = 1 << 20

/**
 * Builds the tensor of a checked header entry. Bytes go directly into the tensor's own memory, which is aligned
 * wherever they are in the file. Types that are converted go through a buffer of at most 1 MiB.
 *
 * @param fill fills a buffer with the tensor's bytes from an offset on.
 */
export async function readElements(
  type: ElementType,
  shape: Shape,
  byteLength: number,
  fill: (into: Uint8Array, offset: number) => Promise<void> | void,
): Promise<Tensor> {
  const { convert, bytes, dtype } = type
  if (convert === undefined) {
    const data = allocate(dtype, byteLength / bytesPerElement[dtype])
    // The pair of dtype and data is a plain union here; `tensor` checks their sizes.
    const value = tensor(dtype, shape, data)
    await fill(bytesOf(value), 0)
    return value
  }
  const data = new Float32Array(byteLength / bytes)
  const piece = new Uint8Array(Math.min(chunk, byteLength))
  for (let start = 0; start < byteLength; start += chunk) {
    const part = piece.subarray(0, Math.min(chunk, byteLength - start))
    await fill(part, start)
    const view = new DataView(part.buffer, 0, part.length)
    for (let at = 0; at < part.length; at += bytes) data[(start + at) / bytes] = convert(view, at)
  }
  return tensor('float32', shape, data)
}

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

/** What a safetensors header says about one tensor, before any check against the file. */
interface RawEntry {
  readonly dtype: string
  readonly shape: readonly number[]
  /** First byte and the byte after the last, counted from the start of the data. */
  readonly offsets: readonly [number, number]
}

/** A header as it was parsed. */
interface RawHeader {
  /** In the header's order. */
  readonly entries: ReadonlyMap<string, RawEntry>
  readonly metadata: ReadonlyMap<string, string>
}

/** More axes than any framework has. It limits the memory that a hostile header can take. */
const maxRank = 64

/**
 * Parses the JSON text of a safetensors header, and accepts only what such a header may contain. JSON.parse would
 * keep the last of two equal keys, round numbers beyond 2^53, and accept any nesting.
 *
 * @param file name for messages.
 * @throws FormatError at the first character that does not fit.
 */
function parseHeader(text: string, file: string): RawHeader {
  return new HeaderParser(text, file).header()
}

class HeaderParser {
  private at = 0
  /** The tensor that is being read, for messages. */
  private name: string | undefined

  constructor(
    private readonly text: string,
    private readonly file: string,
  ) {}

  header(): RawHeader {
    const entries = new Map<string, RawEntry>()
    const metadata = new Map<string, string>()
    // The format requires the brace as the first byte, without space before it.
    if (this.text[0] !== '{') this.fail('a { as the first byte')
    this.object((key) => {
      if (key === '__metadata__') {
        this.object((item) => metadata.set(item, this.string()))
        return
      }
      this.name = key
      if (key === '') this.fail('a tensor name that is not empty')
      entries.set(key, this.entry())
      this.name = undefined
    })
    this.space()
    if (this.at < this.text.length) this.fail('nothing but spaces after the header')
    return { entries, metadata }
  }

  private entry(): RawEntry {
    let dtype: string | undefined
    let shape: readonly number[] | undefined
    let offsets: readonly number[] | undefined
    this.object((key) => {
      if (key === 'dtype') dtype = this.string()
      else if (key === 'shape') shape = this.numbers(maxRank)
      else if (key === 'data_offsets') offsets = this.numbers(2)
      else this.fail('only dtype, shape and data_offsets', JSON.stringify(key.slice(0, 80)))
    })
    const [start, end] = offsets ?? []
    if (dtype === undefined || shape === undefined || start === undefined || end === undefined) {
      this.fail('dtype, shape and two data_offsets', 'an entry without all of them')
    }
    return { dtype, shape, offsets: [start, end] }
  }

  /** Reads { "key": value, ... }; `value` is called where the value starts. Each key may come once. */
  private object(value: (key: string) => void): void {
    this.expect('{')
    if (this.skip('}')) return
    const seen = new Set<string>()
    do {
      const key = this.string()
      if (seen.has(key)) this.fail('each key once', `${JSON.stringify(key.slice(0, 80))} twice`)
      seen.add(key)
      this.expect(':')
      value(key)
    } while (this.skip(','))
    this.expect('}')
  }

  private numbers(most: number): number[] {
    const numbers: number[] = []
    this.expect('[')
    if (this.skip(']')) return numbers
    do {
      if (numbers.length === most) this.fail(`at most ${most} numbers`)
      numbers.push(this.number())
    } while (this.skip(','))
    this.expect(']')
    return numbers
  }

  /** A whole number from 0 to 2^53 - 1, in plain digits. */
  private number(): number {
    this.space()
    const digits = /^(?:0|[1-9]\d*)/.exec(this.text.slice(this.at, this.at + 17))?.[0] ?? ''
    const value = Number(digits)
    if (digits === '' || !Number.isSafeInteger(value)) this.fail('a whole number from 0 to 2^53 - 1')
    this.at += digits.length
    return value
  }

  private string(): string {
    this.space()
    if (this.text[this.at] !== '"') this.fail('a string')
    let end = this.at + 1
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1
    let value: unknown
    try {
      value = JSON.parse(this.text.slice(this.at, end + 1))
    } catch {
      this.fail('a string in valid JSON')
    }
    // Half a surrogate pair has no UTF-8 form, so two such names could become one in another tool.
    if (typeof value !== 'string' || /\p{Surrogate}/u.test(value)) this.fail('a string of whole characters')
    this.at = end + 1
    return value
  }

  private space(): void {
    while (' \t\n\r'.includes(this.text[this.at] ?? 'x')) this.at++
  }

  private skip(mark: string): boolean {
    this.space()
    if (this.text[this.at] !== mark) return false
    this.at++
    return true
  }

  private expect(mark: string): void {
    if (!this.skip(mark)) this.fail(mark)
  }

  private fail(expected: string, got?: string): never {
    const found = this.text.slice(this.at, this.at + 24)
    const place = this.name === undefined ? '' : `, tensor ${JSON.stringify(this.name.slice(0, 80))}`
    throw new FormatError({
      what: 'the safetensors header is malformed',
      where: `${this.file}${place}`,
      got: `${got ?? (found === '' ? 'the end' : JSON.stringify(found))} at character ${this.at}`,
      expected,
      remedy: 'write the file again, or download it again',
    })
  }
}
