// The headers of AV1 and VP9 that tell the pixel format, and packets whose headers do not say RGB (AV1 Bitstream and Decoding
// Process Specification, sections 5.3 and 5.5; VP9 Bitstream and Decoding Process Specification, section 6.2 and annex B).
// The bits that every header is read from.

/** Reads bits, and Exp-Golomb numbers. Past the end, it gives zeros. */
export class Bits {
  at = 0
  constructor(readonly bytes: Uint8Array) {}

  bit(): number {
    const byte = this.bytes[this.at >> 3] ?? 0
    return (byte >> (7 - (this.at++ & 7))) & 1
  }

  number(count: number): number {
    let value = 0
    for (let i = 0; i < count; i++) value = value * 2 + this.bit()
    return value
  }

  ue(): number {
    let zeros = 0
    while (zeros < 32 && this.at < this.bytes.length * 8 && this.bit() === 0) zeros++
    return 2 ** zeros - 1 + this.number(zeros)
  }

  se(): number {
    const value = this.ue()
    return value % 2 === 1 ? (value + 1) / 2 : -value / 2
  }
}

/** A whole number as bytes, the most significant first. */
export const bigEndian = (value: number, size: number) =>
  Uint8Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** (size - 1 - i)) & 255)

/** Pieces of bytes, one after the other. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** The colours of a sequence header, and where they stand. */
interface Av1Header {
  readonly profile: number
  readonly bits: number
  readonly isGrey: boolean
  /** Colour primaries, transfer function and matrix, by their numbers of ISO/IEC 23091-2; 2 stands for unknown. */
  readonly colours: readonly [primaries: number, transfer: number, matrix: number]
  /** First bit of the matrix; undefined without a description of the colours. */
  readonly matrixAt: number | undefined
}

/** Numbers of kinds of units, and of colours. */
const sequenceHeader = 1
const [bt709, srgb, unspecified] = [1, 13, 2]

/** The header of a packet's sequence; undefined if it has none. */
export function av1Header(data: Uint8Array): Av1Header | undefined {
  const found = obusOf(data).find(({ kind }) => kind === sequenceHeader)
  return found && parseAv1(new Bits(data.subarray(found.start, found.end)))
}

/** The packet, with headers that do not say that the planes are green, blue and red. */
export function withoutAv1Rgb(data: Uint8Array): Uint8Array {
  const units = obusOf(data)
  if (!units.some(({ kind }) => kind === sequenceHeader)) return data
  return join(
    units.flatMap(({ kind, at, start, end }) => {
      if (kind !== sequenceHeader) return [data.subarray(at, end)]
      const header = withoutMatrix(data.subarray(start, end))
      // Bit 1 says that a size follows.
      const first = data[at]! | 2
      const more = (first & 4) === 0 ? [] : [data[at + 1]!]
      return [Uint8Array.from([first, ...more, ...leb128(header.length)]), header]
    }),
  )
}

/** A sequence header whose matrix is unknown. What RGB implies is then written out. */
function withoutMatrix(payload: Uint8Array): Uint8Array {
  const { profile, bits, colours, matrixAt } = parseAv1(new Bits(payload))
  if (matrixAt === undefined || colours[2] !== 0) return payload
  const all = bitsOf(payload)
  const implied = colours[0] === bt709 && colours[1] === srgb
  // The full range; and of 12 bits in profile 2, that chroma is not halved.
  const range = implied ? (profile === 2 && bits === 12 ? [1, 0] : [1]) : []
  const matrix = bitsOf([unspecified])
  // The last bit that is set ends the header.
  const end = all.lastIndexOf(1) + 1
  return bytesOfBits([...all.slice(0, matrixAt), ...matrix, ...range, ...all.slice(matrixAt + 8, end)])
}

const bitsOf = (bytes: Iterable<number>): number[] =>
  Array.from(bytes).flatMap((byte) => Array.from({ length: 8 }, (_, i) => (byte >> (7 - i)) & 1))

/** Bytes of bits; the last one ends with zeros. */
const bytesOfBits = (bits: readonly number[]): Uint8Array =>
  Uint8Array.from({ length: Math.ceil(bits.length / 8) }, (_, i) =>
    bits.slice(8 * i, 8 * i + 8).reduce((byte, bit, j) => byte | (bit << (7 - j)), 0),
  )

interface Obu {
  readonly kind: number
  /** Its first byte, and the first and the last of its payload. */
  readonly at: number
  readonly start: number
  readonly end: number
}

function obusOf(data: Uint8Array): Obu[] {
  const units: Obu[] = []
  for (let at = 0; at < data.length; ) {
    const first = data[at]!
    let start = at + ((first & 4) === 0 ? 1 : 2)
    let size = data.length - start
    if ((first & 2) !== 0) {
      size = 0
      for (let i = 0; i < 8; i++) {
        const byte = data[start++] ?? 0
        size += (byte & 127) * 2 ** (7 * i)
        if (byte < 128) break
      }
    }
    const end = Math.min(data.length, Math.max(start, start + size))
    units.push({ kind: (first >> 3) & 15, at, start, end })
    at = end
  }
  return units
}

function leb128(value: number): number[] {
  const bytes: number[] = []
  for (let left = value; ; left >>= 7) {
    if (left < 128) return [...bytes, left]
    bytes.push((left & 127) | 128)
  }
}

function parseAv1(bits: Bits): Av1Header {
  const profile = bits.number(3)
  bits.bit()
  const isReduced = bits.bit() === 1
  if (isReduced) bits.number(5)
  else skipOperatingPoints(bits)
  const [across, down] = [bits.number(4) + 1, bits.number(4) + 1]
  bits.at += across + down
  if (!isReduced && bits.bit() === 1) bits.at += 7
  bits.at += 3
  if (!isReduced) skipTools(bits)
  bits.at += 3
  let depth = bits.bit() === 1 ? 10 : 8
  if (profile === 2 && depth === 10 && bits.bit() === 1) depth = 12
  const isGrey = profile !== 1 && bits.bit() === 1
  const common = { profile, bits: depth, isGrey }
  if (bits.bit() === 0)
    return { ...common, colours: [unspecified, unspecified, unspecified], matrixAt: undefined }
  const [primaries, transfer] = [bits.number(8), bits.number(8)]
  const matrixAt = bits.at
  return { ...common, colours: [primaries, transfer, bits.number(8)], matrixAt }
}

function skipOperatingPoints(bits: Bits): void {
  let delayBits = 0
  if (bits.bit() === 1) {
    bits.at += 64
    if (bits.bit() === 1) bits.ue()
    if (bits.bit() === 1) {
      delayBits = bits.number(5) + 1
      bits.at += 42
    }
  }
  const hasDelays = bits.bit() === 1
  for (let count = bits.number(5) + 1; count > 0; count--) {
    bits.at += 12
    if (bits.number(5) > 7) bits.bit()
    if (delayBits > 0 && bits.bit() === 1) bits.at += 2 * delayBits + 1
    if (hasDelays && bits.bit() === 1) bits.at += 4
  }
}

function skipTools(bits: Bits): void {
  bits.at += 4
  const hasOrder = bits.bit() === 1
  if (hasOrder) bits.at += 2
  const isChosen = bits.bit() === 1
  const screen = isChosen ? 2 : bits.bit()
  if (screen > 0 && bits.bit() === 0) bits.bit()
  if (hasOrder) bits.at += 3
}

/** The header of a VP9 frame that needs no other frame. */
interface Vp9Header {
  readonly isRgb: boolean
  /** First bit of the colour space. */
  readonly coloursAt: number
  /** The bit after its last one. The rest of the byte is zeros. */
  readonly end: number
}

/** Numbers of VP9's colour spaces. */
const [vp9Unknown, vp9Rgb] = [0, 7]

/** The header; undefined for a frame that has no colours of its own, and for other bytes. */
export function vp9Header(data: Uint8Array): Vp9Header | undefined {
  const bits = new Bits(data)
  if (bits.number(2) !== 2) return undefined
  const profile = bits.bit() + 2 * bits.bit()
  if (profile === 3) bits.bit()
  if (bits.bit() === 1) return undefined
  const isKey = bits.bit() === 0
  const isShown = bits.bit() === 1
  const isResilient = bits.bit() === 1
  if (!isKey) {
    const isWhole = !isShown && bits.bit() === 1
    if (!isResilient) bits.number(2)
    // Profile 0 has one format.
    if (!isWhole || profile === 0) return undefined
  }
  if (bits.number(24) !== 0x49_83_42) return undefined
  if (profile >= 2) bits.bit()
  const coloursAt = bits.at
  const isRgb = bits.number(3) === vp9Rgb
  if (!isRgb) bits.bit()
  if (profile % 2 === 1) bits.at += isRgb ? 1 : 3
  if (!isKey) bits.number(8)
  const width = bits.number(16) + 1
  bits.number(16)
  if (bits.bit() === 1) bits.at += 32
  if (!isResilient) bits.number(2)
  bits.number(2)
  skipVp9Filters(bits)
  skipVp9Segments(bits)
  // Tiles are 256 to 4096 pixels wide.
  const blocks = Math.ceil(width / 64)
  const least = Math.max(0, Math.ceil(Math.log2(blocks / 64)))
  const most = Math.max(0, Math.floor(Math.log2(blocks / 4)))
  for (let tiles = least; tiles < most && bits.bit() === 1; ) tiles++
  if (bits.bit() === 1) bits.bit()
  bits.number(16)
  return { isRgb, coloursAt, end: bits.at }
}

/** The loop filter and the quantisation. */
function skipVp9Filters(bits: Bits): void {
  bits.number(9)
  if (bits.bit() === 1 && bits.bit() === 1) skipOptional(bits, [7, 7, 7, 7, 7, 7])
  bits.number(8)
  skipOptional(bits, [5, 5, 5])
}

function skipVp9Segments(bits: Bits): void {
  if (bits.bit() === 0) return
  if (bits.bit() === 1) {
    skipOptional(bits, [8, 8, 8, 8, 8, 8, 8])
    if (bits.bit() === 1) skipOptional(bits, [8, 8, 8])
  }
  if (bits.bit() === 0) return
  bits.bit()
  for (let i = 0; i < 8; i++) skipOptional(bits, [9, 7, 2, 0])
}

/** Numbers of these sizes, each after a bit that says whether it is there. */
function skipOptional(bits: Bits, sizes: readonly number[]): void {
  for (const size of sizes) if (bits.bit() === 1) bits.number(size)
}

/** The packet, with headers that do not say that the planes are green, blue and red. */
export function withoutVp9Rgb(data: Uint8Array): Uint8Array {
  const frames = vp9Frames(data)
  if (!frames.some((frame) => vp9Header(frame)?.isRgb)) return data
  const made = frames.map((frame) => {
    const header = vp9Header(frame)
    if (!header?.isRgb) return frame
    const { coloursAt, end } = header
    const before = bitsOf(frame.subarray(0, Math.ceil(end / 8)))
    // A space that is not known, the full range, and chroma that is not halved.
    const colours = [...bitsOf([vp9Unknown]).slice(5), 1, 0, 0]
    const head = bytesOfBits([...before.slice(0, coloursAt), ...colours, ...before.slice(coloursAt + 3, end)])
    return join([head, frame.subarray(Math.ceil(end / 8))])
  })
  if (made.length === 1) return made[0]!
  const size = Math.ceil(Math.log2(Math.max(...made.map(({ length }) => length), 1) + 1) / 8)
  const marker = Uint8Array.of(0b1100_0000 | ((size - 1) << 3) | (made.length - 1))
  const sizes = made.map(({ length }) => bigEndian(length, size).reverse())
  return join([...made, marker, ...sizes, marker])
}

/** The frames of a packet, which ends with a list of their sizes if there are several. */
function vp9Frames(data: Uint8Array): Uint8Array[] {
  const marker = data.at(-1) ?? 0
  const [count, size] = [(marker & 7) + 1, ((marker >> 3) & 3) + 1]
  const list = data.length - 2 - count * size
  if (marker >> 5 !== 6 || data[list] !== marker) return [data]
  const frames: Uint8Array[] = []
  for (let i = 0, at = 0; i < count; i++) {
    let length = 0
    for (let j = 0; j < size; j++) length += data[list + 1 + i * size + j]! * 256 ** j
    frames.push(data.subarray(at, Math.min(at + length, list)))
    at += length
  }
  return frames
}
