// The pixel format of a video stream, from its own header. Node's codec library gives every format that it does not know
// the name I420, and then hands out the wrong bytes. Some of these streams are decoded rightly if their header says less:
// colours are then converted here (ITU-T H.264, sections 7.3.2.1 and E.1; H.265, sections 7.3.2.2 and E.2; AV1 and VP9 are in
// frame-headers.ts). Grey H.265 and AV1, and 4:4:0, are refused: the library hands out no plane of grey, and half of the
// chroma.
import { fileWord, InputError } from '../util/errors.ts'
import { av1Header, Bits, bigEndian, join, vp9Header, withoutAv1Rgb, withoutVp9Rgb } from './frame-headers.ts'
import type { Matrix } from './yuv.ts'

/** How a stream is decoded. */
export interface PlainStream {
  readonly config: VideoDecoderConfig
  /** The bytes to decode, of the bytes of a packet. */
  plain(data: Uint8Array): Uint8Array
  /** Whether the planes are green, blue and red instead of Y, U and V. */
  readonly rgb: boolean
  /** The matrix of Y, U and V; undefined if the stream's header does not tell. */
  readonly matrix: Matrix | undefined
}

/** The facts of a sequence parameter set, and where two of them stand. */
interface Header {
  readonly chroma: number
  readonly bits: number
  readonly evenBits: boolean
  readonly separate: boolean
  /** Bit of the flag of the full range; undefined without a description of the signal. */
  readonly rangeAt: number | undefined
  /** First of the 8 bits of the matrix. */
  readonly matrixAt: number | undefined
  readonly fullRange: boolean
  readonly matrix: number
}

const chromaNames = ['grey', '4:2:0', '4:2:2', '4:4:4']

/**
 * Prepares the decoding of a stream.
 *
 * @param data of a packet that begins a sequence.
 * @throws InputError for a pixel format that would come out in wrong colours.
 */
export function plainStream(config: VideoDecoderConfig, data: Uint8Array, name: string): PlainStream {
  const asItIs = (matrix: number | undefined, codecName: string): PlainStream => {
    const plain = (bytes: Uint8Array) => bytes
    return { config, plain, rgb: false, matrix: matrixOf(matrix, codecName, name) }
  }
  const [codec = '', profile = '', , depth = '', chroma = '', , , matrix] = config.codec.split('.')
  if (codec === 'vp09') {
    if (vp9Header(data)?.isRgb) return { config, plain: withoutVp9Rgb, rgb: true, matrix: undefined }
    // Profiles 1 and 3 have no 4:2:0.
    const subsampled = Number(profile) % 2 === 1 && chroma !== '02' && chroma !== '03'
    if (subsampled) throw unknown(name, `VP9 in 4:4:0 of ${Number(depth)} bits`)
    return asItIs(Number(matrix), 'VP9')
  }
  if (codec === 'av01') {
    const found = av1Header(data)
    if (found === undefined) return asItIs(undefined, 'AV1')
    if (found.isGrey) throw unknown(name, `AV1 in grey of ${found.bits} bits`)
    if (found.colours[2] !== 0) return asItIs(found.colours[2], 'AV1')
    return { config, plain: withoutAv1Rgb, rgb: true, matrix: undefined }
  }
  const isAvc = codec.startsWith('avc')
  if (!isAvc && codec !== 'hev1' && codec !== 'hvc1') return asItIs(undefined, codec)
  const kind = isAvc ? avc : hevc
  const header = findHeader(config, data, kind)
  if (header === undefined) return asItIs(undefined, kind.name)
  const { bits, evenBits, separate } = header
  const rgb = header.matrix === 0
  const format = `${kind.name} in ${rgb ? 'RGB' : chromaNames[header.chroma]} of ${bits} bits`
  const depths = isAvc ? [8, 10] : [8, 10, 12]
  if (!depths.includes(bits) || !evenBits || separate) throw unknown(name, format)
  if (header.chroma === 0 && !isAvc) throw unknown(name, format)
  // The decoder has names of their own for these two, which the library takes for I420.
  const hidden = rgb || (isAvc && header.fullRange && bits === 8)
  if (header.chroma < 2 || !hidden) return asItIs(header.chroma === 0 ? undefined : header.matrix, kind.name)
  const patch = (nal: Uint8Array) => withoutColours(nal, kind)
  return {
    config: description(config, (bytes) => patchDescription(bytes, kind, patch)),
    plain: (bytes) => patchPacket(bytes, config, kind, patch),
    rgb,
    matrix: rgb ? undefined : matrixOf(header.matrix, kind.name, name),
  }
}

/** Matrices by their numbers of ISO/IEC 23091-2. Number 10 differs from 9 in dark colours by a few levels. */
const matrices: Readonly<Record<number, Matrix>> = {
  ...{ 1: 'bt709', 4: 'fcc', 5: 'bt601', 6: 'bt601', 7: 'smpte240m', 9: 'bt2020', 10: 'bt2020' },
}

/** Names of matrices that are not read. */
const otherMatrices: Readonly<Record<number, string>> = {
  ...{ 8: 'YCgCo', 11: 'YDzDx', 12: 'chromaticity-derived', 13: 'chromaticity-derived', 14: 'ICtCp' },
  ...{ 15: 'IPT-C2', 16: 'YCgCo-Re', 17: 'YCgCo-Ro' },
}

/** @throws InputError for a matrix whose colours would come out wrong */
function matrixOf(number: number | undefined, codec: string, name: string): Matrix | undefined {
  const other = otherMatrices[number ?? 2]
  if (other !== undefined) throw unknown(name, `${codec} in ${other}`)
  return matrices[number ?? 2]
}

function unknown(name: string, format: string): InputError {
  return new InputError({
    what: 'the pixels of this video are in a format whose colours would come out wrong',
    where: name,
    got: format,
    expected:
      'H.264 or H.265 in 4:2:0, 4:2:2, 4:4:4 or RGB; VP9 in 4:2:0, 4:2:2, 4:4:4 or RGB; AV1 in 4:2:0, 4:2:2, 4:4:4 or RGB',
    remedy: `convert it first: ffmpeg -i ${fileWord(name)} -c:v libx264 -crf 12 -pix_fmt yuv420p converted.mp4`,
  })
}

interface Kind {
  readonly name: string
  /** Bytes before the payload of a unit. */
  readonly head: number
  isHeader(firstByte: number): boolean
  parse(bits: Bits): Header
  /** Place in the description of the byte that holds the length of lengths, less one. */
  readonly lengthAt: number
}

const avc: Kind = {
  name: 'H.264',
  head: 1,
  isHeader: (byte) => (byte & 31) === 7,
  parse: parseAvc,
  lengthAt: 4,
}
const hevc: Kind = {
  name: 'H.265',
  head: 2,
  isHeader: (byte) => ((byte >> 1) & 63) === 33,
  parse: parseHevc,
  lengthAt: 21,
}

/** Profiles of H.264 whose header tells the chroma format. */
const highProfiles = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]

function parseAvc(bits: Bits): Header {
  const profile = bits.number(8)
  bits.number(16)
  bits.ue()
  let [chroma, luma, chromaBits, separate] = [1, 8, 8, false]
  if (highProfiles.includes(profile)) {
    chroma = Math.min(bits.ue(), 3)
    if (chroma === 3) separate = bits.bit() === 1
    luma = bits.ue() + 8
    chromaBits = bits.ue() + 8
    bits.bit()
    if (bits.bit() === 1) {
      for (let i = 0; i < (chroma === 3 ? 12 : 8); i++)
        if (bits.bit() === 1) skipScaling(bits, i < 6 ? 16 : 64)
    }
  }
  bits.ue()
  const order = bits.ue()
  if (order === 0) bits.ue()
  else if (order === 1) {
    bits.bit()
    bits.se()
    bits.se()
    for (let count = Math.min(bits.ue(), 255); count > 0; count--) bits.se()
  }
  bits.ue()
  bits.bit()
  bits.ue()
  bits.ue()
  if (bits.bit() === 0) bits.bit()
  bits.bit()
  if (bits.bit() === 1) for (let i = 0; i < 4; i++) bits.ue()
  return { chroma, bits: luma, evenBits: chroma === 0 || luma === chromaBits, separate, ...signal(bits) }
}

function skipScaling(bits: Bits, size: number): void {
  for (let i = 0, last = 8, next = 8; i < size; i++) {
    if (next !== 0) next = (last + bits.se() + 256) % 256
    last = next === 0 ? last : next
  }
}

function parseHevc(bits: Bits): Header {
  bits.number(4)
  const layers = bits.number(3)
  bits.bit()
  bits.at += 96
  const present = Array.from({ length: layers }, () => [bits.bit(), bits.bit()])
  if (layers > 0) bits.at += 2 * (8 - layers)
  for (const [profile, level] of present) bits.at += (profile === 1 ? 88 : 0) + (level === 1 ? 8 : 0)
  bits.ue()
  const chroma = Math.min(bits.ue(), 3)
  const separate = chroma === 3 && bits.bit() === 1
  bits.ue()
  bits.ue()
  if (bits.bit() === 1) for (let i = 0; i < 4; i++) bits.ue()
  const luma = bits.ue() + 8
  const chromaBits = bits.ue() + 8
  const pocBits = bits.ue() + 4
  for (let i = bits.bit() === 1 ? 0 : layers; i <= layers; i++) for (let j = 0; j < 3; j++) bits.ue()
  for (let i = 0; i < 6; i++) bits.ue()
  if (bits.bit() === 1 && bits.bit() === 1) skipHevcScaling(bits)
  bits.number(2)
  if (bits.bit() === 1) {
    bits.number(8)
    bits.ue()
    bits.ue()
    bits.bit()
  }
  skipReferenceSets(bits)
  if (bits.bit() === 1) {
    for (let count = Math.min(bits.ue(), 32); count > 0; count--) bits.number(pocBits + 1)
  }
  bits.number(2)
  return { chroma, bits: luma, evenBits: chroma === 0 || luma === chromaBits, separate, ...signal(bits) }
}

function skipHevcScaling(bits: Bits): void {
  for (let size = 0; size < 4; size++) {
    for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
      if (bits.bit() === 0) bits.ue()
      else {
        if (size > 1) bits.se()
        for (let i = 0; i < Math.min(64, 1 << (4 + 2 * size)); i++) bits.se()
      }
    }
  }
}

function skipReferenceSets(bits: Bits): void {
  const counts: number[] = []
  for (let i = 0, sets = Math.min(bits.ue(), 64); i < sets; i++) {
    if (i > 0 && bits.bit() === 1) {
      bits.bit()
      bits.ue()
      let count = 0
      for (let j = 0; j <= counts[i - 1]!; j++) if (bits.bit() === 1 || bits.bit() === 1) count++
      counts.push(count)
      continue
    }
    const [negative, positive] = [Math.min(bits.ue(), 16), Math.min(bits.ue(), 16)]
    for (let j = 0; j < negative + positive; j++) {
      bits.ue()
      bits.bit()
    }
    counts.push(negative + positive)
  }
}

/** The description of the signal, which both standards have at the same place of the VUI. */
function signal(bits: Bits): Pick<Header, 'rangeAt' | 'matrixAt' | 'fullRange' | 'matrix'> {
  const none = { rangeAt: undefined, matrixAt: undefined, fullRange: false, matrix: 2 }
  if (bits.bit() === 0) return none
  if (bits.bit() === 1 && bits.number(8) === 255) bits.number(32)
  if (bits.bit() === 1) bits.bit()
  if (bits.bit() === 0) return none
  bits.number(3)
  const rangeAt = bits.at
  const fullRange = bits.bit() === 1
  if (bits.bit() === 0) return { ...none, rangeAt, fullRange }
  bits.number(16)
  const matrixAt = bits.at
  return { rangeAt, matrixAt, fullRange, matrix: bits.number(8) }
}

/** A header that says neither the range nor the matrix. */
function withoutColours(nal: Uint8Array, kind: Kind): Uint8Array {
  const payload = payloadOf(nal.subarray(kind.head))
  const { rangeAt, matrixAt } = kind.parse(new Bits(payload))
  const set = (at: number, value: number) => {
    const bit = 1 << (7 - (at & 7))
    payload[at >> 3] = value === 1 ? payload[at >> 3]! | bit : payload[at >> 3]! & ~bit
  }
  if (rangeAt !== undefined) set(rangeAt, 0)
  // 2 stands for a matrix that is not known.
  if (matrixAt !== undefined) for (let i = 0; i < 8; i++) set(matrixAt + i, i === 6 ? 1 : 0)
  return Uint8Array.from([...nal.subarray(0, kind.head), ...escaped(payload)])
}

/** Takes out the bytes that keep start codes from appearing. */
function payloadOf(bytes: Uint8Array): Uint8Array {
  return bytes.filter((byte, i) => !(byte === 3 && i > 1 && bytes[i - 1] === 0 && bytes[i - 2] === 0))
}

function escaped(bytes: Uint8Array): number[] {
  const out: number[] = []
  for (const byte of bytes) {
    if (byte <= 3 && out.at(-1) === 0 && out.at(-2) === 0) out.push(3)
    out.push(byte)
  }
  return out
}

/** Units in a packet: after lengths of `size` bytes, or after start codes if `size` is 0. */
function unitsOf(bytes: Uint8Array, size: number): [start: number, end: number][] {
  const units: [number, number][] = []
  if (size > 0) {
    for (let at = 0; at + size <= bytes.length; ) {
      let length = 0
      for (let i = 0; i < size; i++) length = length * 256 + bytes[at + i]!
      const end = Math.min(at + size + length, bytes.length)
      units.push([at + size, end])
      at = end
    }
    return units
  }
  for (let i = 0; i + 3 <= bytes.length; i++) {
    if (bytes[i] !== 0 || bytes[i + 1] !== 0 || bytes[i + 2] !== 1) continue
    const last = units.at(-1)
    if (last !== undefined) last[1] = bytes[i - 1] === 0 ? i - 1 : i
    units.push([i + 3, bytes.length])
    i += 2
  }
  return units
}

function bytesOf(source: ArrayBufferView | ArrayBufferLike): Uint8Array {
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
  return new Uint8Array(source)
}

const lengthSize = ({ description }: VideoDecoderConfig, { lengthAt }: Kind) =>
  description === undefined ? 0 : (bytesOf(description)[lengthAt]! & 3) + 1

function description(
  config: VideoDecoderConfig,
  change: (bytes: Uint8Array) => Uint8Array,
): VideoDecoderConfig {
  return config.description === undefined
    ? config
    : { ...config, description: change(bytesOf(config.description)) }
}

function findHeader(config: VideoDecoderConfig, data: Uint8Array, kind: Kind): Header | undefined {
  let found: Uint8Array | undefined
  const take = (nal: Uint8Array) => {
    found ??= nal
    return nal
  }
  if (config.description !== undefined) patchDescription(bytesOf(config.description), kind, take)
  if (found === undefined) patchPacket(data, config, kind, take)
  return found && kind.parse(new Bits(payloadOf(found.subarray(kind.head))))
}

type Patch = (nal: Uint8Array) => Uint8Array

function patchPacket(data: Uint8Array, config: VideoDecoderConfig, kind: Kind, patch: Patch): Uint8Array {
  const size = lengthSize(config, kind)
  const units = unitsOf(data, size)
  if (!units.some(([start]) => kind.isHeader(data[start] ?? 0))) return data
  return join(
    units.flatMap(([start, end]) => {
      const nal = data.subarray(start, end)
      const kept = kind.isHeader(nal[0] ?? 0) ? patch(nal) : nal
      return [size === 0 ? Uint8Array.of(0, 0, 0, 1) : bigEndian(kept.length, size), kept]
    }),
  )
}

/** The parameter sets of avcC and hvcC (ISO/IEC 14496-15, sections 5.3.3 and 8.3.3). */
function patchDescription(bytes: Uint8Array, kind: Kind, patch: Patch): Uint8Array {
  const parts: Uint8Array[] = []
  let at = kind === avc ? 5 : 22
  parts.push(bytes.subarray(0, at))
  const copy = (count: number) => {
    parts.push(bytes.subarray(at, at + count))
    at += count
  }
  const unit = () => {
    const length = (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)
    const nal = bytes.subarray(at + 2, at + 2 + length)
    at += 2 + length
    const kept = kind.isHeader(nal[0] ?? 0) ? patch(nal) : nal
    parts.push(bigEndian(kept.length, 2), kept)
  }
  if (kind === avc) {
    const count = (bytes[at] ?? 0) & 31
    copy(1)
    for (let i = 0; i < count; i++) unit()
  } else {
    const arrays = bytes[at] ?? 0
    copy(1)
    for (let i = 0; i < arrays && at < bytes.length; i++) {
      const count = (bytes[at + 1] ?? 0) * 256 + (bytes[at + 2] ?? 0)
      copy(3)
      for (let j = 0; j < count && at < bytes.length; j++) unit()
    }
  }
  parts.push(bytes.subarray(at))
  return join(parts)
}
