/** Writes pickles, zip archives and checkpoint files for the tests, right or wrong as they need them. */
import { crc32, deflateRawSync } from 'node:zlib'

type Part = Buffer | string

/** Bytes from pieces; a string stands for its characters' codes. */
export function bytes(...parts: readonly (Part | number)[]): Buffer {
  return Buffer.concat(
    parts.map((part) =>
      typeof part === 'number'
        ? Buffer.of(part)
        : typeof part === 'string'
          ? Buffer.from(part, 'latin1')
          : part,
    ),
  )
}

function little(value: number | bigint, length: 2 | 4 | 8): Buffer {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)))
  return buffer.subarray(0, length)
}

/** A whole pickle of protocol 2 from the opcodes of its value. */
export const pickle = (...value: readonly (Part | number)[]): Buffer => bytes(0x80, 2, ...value, '.')

export const none = bytes('N')
export const text = (value: string): Buffer => {
  const utf8 = Buffer.from(value)
  return bytes('X', little(utf8.length, 4), utf8)
}
export const global = (module: string, name: string): Buffer => bytes(`c${module}\n${name}\n`)
export const stackGlobal = (module: string, name: string): Buffer => bytes(text(module), text(name), 0x93)
export const tuple = (...items: readonly Part[]): Buffer => bytes('(', ...items, 't')
export const list = (...items: readonly Part[]): Buffer => bytes('](', ...items, 'e')
export const dict = (...pairs: readonly (readonly [Part, Part])[]): Buffer =>
  bytes('}(', ...pairs.flat(), 'u')
export const reduce = (callee: Part, ...args: readonly Part[]): Buffer => bytes(callee, tuple(...args), 'R')
export const put = (key: number): Buffer => bytes('r', little(key, 4))
export const get = (key: number): Buffer => bytes('j', little(key, 4))

/** A whole number: in four bytes where it fits, otherwise with a length. */
export function int(value: number | bigint): Buffer {
  if (value === (Number(value) | 0)) return bytes('J', little(value, 4))
  const length = value === 0n ? 1 : Math.ceil((BigInt(value).toString(2).length + 2) / 8)
  let rest = BigInt.asUintN(8 * length, BigInt(value))
  const parts: number[] = []
  for (let i = 0; i < length; i++, rest >>= 8n) parts.push(Number(rest & 255n))
  return bytes(0x8a, length, ...parts)
}

/** The persistent id of a storage, and the opcode that looks it up. */
export function storage(
  key: string,
  elements: number | bigint,
  storageClass = 'FloatStorage',
  part: Part = '',
): Buffer {
  const id = tuple(
    text('storage'),
    global('torch', storageClass),
    text(key),
    text('cpu'),
    int(elements),
    part,
  )
  return bytes(id, 'Q')
}

/** A tensor as PyTorch rebuilds it. Without more, all of a storage of 4 floats under the key 0. */
export function tensor(options: {
  from?: Part
  offset?: number | bigint
  shape?: readonly (number | bigint)[]
  strides?: readonly (number | bigint)[]
  legacy?: boolean
}): Buffer {
  const { offset = 0, shape = [4], strides = [1], legacy = false } = options
  const from = options.from ?? storage('0', 4, 'FloatStorage', legacy ? none : '')
  const args = [from, int(offset), tuple(...shape.map(int)), tuple(...strides.map(int))]
  return reduce(
    global('torch._utils', '_rebuild_tensor_v2'),
    ...args,
    bytes(0x89),
    reduce(global('collections', 'OrderedDict')),
  )
}

export interface Entry {
  readonly name: string
  readonly data: Buffer
  readonly deflate?: boolean
  /** What the directory says in place of the truth. */
  readonly lies?: {
    readonly size?: number
    readonly compressedSize?: number
    readonly offset?: number
    readonly method?: number
    readonly flags?: number
    readonly extra?: Buffer
  }
}

/** A zip archive. `directory` changes what the end record says. */
export function zip(entries: readonly Entry[], directory: { count?: number; offset?: number } = {}): Buffer {
  const parts: Buffer[] = []
  const records: Buffer[] = []
  let at = 0
  for (const { name, data, deflate = false, lies = {} } of entries) {
    const stored = deflate ? deflateRawSync(data) : data
    const title = Buffer.from(name)
    const { flags = 0, method = deflate ? 8 : 0, offset = at, extra = Buffer.alloc(0) } = lies
    const { size = data.length, compressedSize = stored.length } = lies
    const facts = bytes(
      ...[little(20, 2), little(flags, 2), little(method, 2), little(0, 4), little(crc32(data), 4)],
      ...[little(compressedSize, 4), little(size, 4), little(title.length, 2)],
    )
    const local = bytes('PK\x03\x04', facts, little(0, 2), title, stored)
    records.push(
      bytes(
        ...['PK\x01\x02', little(20, 2), facts, little(extra.length, 2), little(0, 4), little(0, 2)],
        ...[little(0, 4), little(offset, 4), title, extra],
      ),
    )
    parts.push(local)
    at += local.length
  }
  const index = Buffer.concat(records)
  const count = little(directory.count ?? entries.length, 2)
  const end = bytes('PK\x05\x06', little(0, 4), count, count, little(index.length, 4))
  return bytes(...parts, index, end, little(directory.offset ?? at, 4), little(0, 2))
}

/** `count` float32 elements: 0, 1, 2 ... */
export const floats = (count: number): Buffer =>
  Buffer.from(Float32Array.from({ length: count }, (_, i) => i).buffer)

/** A checkpoint as torch 1.6 and later write it; one storage of 4 floats unless others are given. */
export function zipFile(
  saved: Buffer,
  { storages = new Map([['0', floats(4)]]), folder = 'archive', deflate = false, order = 'little' } = {},
): Buffer {
  const entries: Entry[] = [
    { name: `${folder}/data.pkl`, data: saved, deflate },
    { name: `${folder}/byteorder`, data: bytes(order) },
    ...[...storages].map(([key, data]) => ({ name: `${folder}/data/${key}`, data, deflate })),
    { name: `${folder}/version`, data: bytes('3\n') },
  ]
  return zip(entries)
}

/** A checkpoint as torch before 1.6 writes it; each storage with its count of elements. */
export function legacyFile(
  saved: Buffer,
  storages: readonly (readonly [key: string, count: number | bigint, data: Buffer])[] = [['0', 4, floats(4)]],
): Buffer {
  const machine = dict([text('protocol_version'), int(1001)], [text('little_endian'), bytes(0x88)])
  const keys = list(...storages.map(([key]) => text(key)))
  return bytes(
    ...[pickle(int(0x1950a86a20f9469cfc6cn)), pickle(int(1001)), pickle(machine), saved, pickle(keys)],
    ...storages.flatMap(([, count, data]) => [little(count, 8), data]),
  )
}
