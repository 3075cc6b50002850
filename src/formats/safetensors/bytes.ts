// safetensors in memory, for Node and browsers: an 8-byte length, a JSON header, the elements.
// Format: https://github.com/huggingface/safetensors. Stricter than the format asks: see `readHeader`.
import {
  bytesPerElement,
  formatShape,
  type Shape,
  sizeOf,
  type Tensor,
  toHalves,
} from '../../graph/tensor.ts'
import { FormatError, InputError } from '../../util/errors.ts'
import {
  bytesOf,
  checkHeaderLength,
  elementNames,
  elementTypes,
  type Header,
  maxHeaderBytes,
  placeOf,
  readElements,
  readHeader,
} from './header.ts'

/** The content of a safetensors file. */
export interface TensorFile {
  /** In the header's order. */
  readonly tensors: ReadonlyMap<string, Tensor>
  /** Texts by name, from the header. */
  readonly metadata: ReadonlyMap<string, string>
}

/**
 * Reads a safetensors file from its bytes. Tensors are copies.
 *
 * F32, I64, I32, U8 and BOOL keep their type; F16, BF16 and F64 become float32.
 *
 * @param file name for messages.
 * @throws FormatError for anything that breaks the format's rules.
 */
export async function decodeSafetensors(bytes: Uint8Array, file: string): Promise<TensorFile> {
  const length = checkHeaderLength(bytes.subarray(0, 8), bytes.length, file)
  const data = bytes.subarray(8 + length)
  const header = readHeader(bytes.subarray(8, 8 + length), data.length, file)
  return readTensors(header, file, (into, at) => into.set(data.subarray(at, at + into.length)))
}

/** The tensors of a checked header. `fill` fills a buffer with data from a byte offset after the header. */
export async function readTensors(
  { entries, metadata }: Header,
  file: string,
  fill: (into: Uint8Array, offset: number) => Promise<void> | void,
): Promise<TensorFile> {
  const tensors = new Map<string, Tensor>()
  for (const [name, { dtype, shape, start, length }] of entries) {
    const value = await readElements(elementTypes.get(dtype)!, shape, length, (into, at) =>
      fill(into, start + at),
    )
    if (value.dtype === 'bool') checkBools(value.data, placeOf(file, name))
    tensors.set(name, value)
  }
  return { tensors, metadata }
}

function checkBools(data: Uint8Array, where: string): void {
  const wrong = data.findIndex((element) => element > 1)
  if (wrong < 0) return
  throw new FormatError({
    what: 'a BOOL that is neither 0 nor 1',
    where,
    got: `${data[wrong]} at element ${wrong}`,
    expected: '0 or 1',
    remedy: 'store the tensor as U8',
  })
}

/** How tensors are written. */
export interface EncodeOptions {
  /**
   * The type that float32 tensors have in the file: their own (default), or F16, which rounds them to three digits. A
   * function says it of each tensor.
   */
  readonly floats?: 'F32' | 'F16' | ((name: string) => 'F32' | 'F16')
}

/** A tensor as it stands in a file. */
interface Stored {
  readonly name: string
  readonly dtype: string
  readonly shape: Shape
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly elementBytes: number
}

/**
 * The pieces of a safetensors file, to be written one after the other: length and header, then the memory of the
 * tensors, without a copy. The same content gives the same bytes, whatever the order of the maps is: tensors are
 * sorted by element size, largest first, then by name (so every tensor is aligned), metadata by key.
 *
 * @throws InputError for a name or a tensor that the format cannot hold, or a number that F16 cannot hold.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
  { floats = 'F32' }: EncodeOptions = {},
): Uint8Array<ArrayBuffer>[] {
  const typeOf = typeof floats === 'string' ? () => floats : floats
  const ordered = Array.from(tensors, ([name, value]) => stored(name, value, typeOf(name))).sort(
    (a, b) => b.elementBytes - a.elementBytes || compare(a.name, b.name),
  )
  const fields: string[] = []
  if (metadata.size > 0) {
    const items = [...metadata].sort(([a], [b]) => compare(a, b))
    fields.push(`"__metadata__":{${items.map(([key, value]) => `${quote(key)}:${quote(value)}`).join()}}`)
  }
  let at = 0
  for (const { name, dtype, shape, bytes } of ordered) {
    const end = at + bytes.length
    fields.push(`${quote(name)}:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${at},${end}]}`)
    at = end
  }
  const header = new TextEncoder().encode(`{${fields.join()}}`)
  const padded = new Uint8Array(8 + Math.ceil(header.length / 8) * 8).fill(0x20)
  if (padded.length - 8 > maxHeaderBytes) {
    throw new InputError({
      what: 'too many tensors or too much metadata for one safetensors file',
      got: `a header of ${padded.length - 8} bytes`,
      expected: `at most ${maxHeaderBytes}`,
    })
  }
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true)
  padded.set(header, 8)
  return [padded, ...ordered.map(({ bytes }) => bytes)]
}

function stored(name: string, value: Tensor, floats: 'F32' | 'F16'): Stored {
  checkWritable(name, value)
  const { dtype, shape } = value
  if (dtype !== 'float32' || floats === 'F32') {
    const elementBytes = bytesPerElement[dtype]
    return { name, dtype: elementNames[dtype], shape, bytes: bytesOf(value), elementBytes }
  }
  const beyond = value.data.find((number) => !(Math.abs(number) <= largestHalf))
  if (beyond !== undefined) {
    throw new InputError({
      what: 'a tensor has a number that F16 cannot hold',
      where: `tensor ${quote(name)}`,
      got: String(beyond),
      expected: `-${largestHalf} to ${largestHalf}`,
    })
  }
  return { name, dtype: 'F16', shape, bytes: toHalves(value.data), elementBytes: 2 }
}

const largestHalf = 65504

function checkWritable(name: string, value: Tensor): void {
  if (name === '' || name === '__metadata__') {
    const expected = 'a name that is neither empty nor __metadata__'
    throw new InputError({ what: 'a tensor name that safetensors cannot hold', got: quote(name), expected })
  }
  if (value.data.length !== sizeOf(value.shape)) {
    throw new InputError({
      what: 'a tensor has another number of elements than its shape',
      where: `tensor ${quote(name)}`,
      got: `${value.data.length} elements`,
      expected: `${sizeOf(value.shape)} for ${formatShape(value.shape)}`,
    })
  }
}

/** Order by UTF-16 code units, which is the same in every locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** A text as JSON. Half surrogate pairs are refused: they have no UTF-8 form and could not be read again. */
function quote(text: string): string {
  if (/\p{Surrogate}/u.test(text)) {
    throw new InputError({ what: 'a name or metadata text with half a character', got: JSON.stringify(text) })
  }
  return JSON.stringify(text)
}
