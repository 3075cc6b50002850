// What the container library does not read: of an mp4 or mov, whether there is an index, and edit lists
// (ISO/IEC 14496-12, sections 8.2 and 8.6.6); of a webm or mkv whose end is missing, the last whole block. The library reads
// no block of a cluster that is not whole, and one cluster may be all of a recording (RFC 8794; RFC 9559, section 5.1.3). Of
// an MPEG-TS, the packets after a place where bytes are damaged or missing (ISO/IEC 13818-1, section 2.4.3.2).

/** A file that is read by places. */
export interface ByteSource {
  /** Number of bytes. */
  readonly size: number
  /** Bytes from `start` to before `end`, which must be within the file. */
  read(start: number, end: number): Promise<Uint8Array>
  /** Closes the file. */
  close(): Promise<void>
}

/** The parts of a track that are shown, one after the other. */
export interface Edits {
  /** Ticks per second of the track. */
  readonly scale: number
  /** Seconds before the first part. */
  readonly delay: number
  /** In ticks from the library's zero, which is the start of the first part less `delay`. */
  readonly parts: readonly { readonly from: number; readonly length: number }[]
}

/** What `readBoxes` found. */
export interface Mp4Facts {
  /** Whether the file has the boxes of an mp4 or mov. */
  readonly isMp4: boolean
  /** Whether it has a whole index of its tracks. A recording that was not finished has none. */
  readonly hasIndex: boolean
  /** The largest number of frames that a table of a track claims. */
  readonly claimed: number
  /** Whether the last box reaches beyond the end of the file. */
  readonly isCut: boolean
  /** Edit lists by the track's number; without tracks that are shown whole, from a start. */
  readonly edits: ReadonlyMap<number, Edits>
}

/** An index of a day of video has 100 MB. */
const largestIndex = 512 << 20

/** Boxes at the top that are looked through. A fragmented file has two for each fragment. */
const mostBoxes = 20_000

/** Kinds of boxes that files begin with. */
export const firstBoxes = new Set(['ftyp', 'moov', 'mdat', 'free', 'skip', 'wide', 'pnot', 'styp'])

interface Box {
  readonly kind: string
  /** First byte after the header. */
  readonly start: number
  /** One more than the last byte. */
  readonly end: number
}

/** Reads the boxes at the top of a file, and its index. Boxes that are not as they should be are passed over. */
export async function readBoxes(file: ByteSource): Promise<Mp4Facts> {
  let at = 0
  let isMp4 = false
  let index: { readonly claimed: number; readonly edits: Mp4Facts['edits'] } | undefined
  for (let count = 0; at + 8 <= file.size && count < mostBoxes; count++) {
    const head = view(await file.read(at, Math.min(at + 16, file.size)))
    const box = boxAt(head, 0, file.size - at)
    if (count === 0) {
      isMp4 = firstBoxes.has(box?.kind ?? '')
      if (!isMp4) break
    }
    if (box === undefined) break
    if (box.kind === 'moov' && index === undefined) {
      const [start, end] = [at + box.start, at + box.end]
      if (end > file.size || end - start > largestIndex) break
      const moov = view(await file.read(start, end))
      index = { claimed: claimedIn(moov), edits: editsOf(moov) }
    }
    at += box.end
  }
  const isCut = isMp4 && at > file.size
  return { isMp4, hasIndex: index !== undefined, claimed: 0, edits: new Map(), ...index, isCut }
}

/**
 * Tables of times and sizes say in a few bytes how many frames there are. The library makes a list of them. Sound that is not
 * compressed has 48000 samples of one size per second, of which the library makes no list.
 */
function claimedIn(moov: DataView): number {
  let most = 0
  const inside = (boxes: readonly Box[], kind: string) =>
    boxes.filter((box) => box.kind === kind).flatMap(({ start, end }) => boxesIn(moov, start, end))
  for (const track of boxesIn(moov, 0, moov.byteLength)) {
    const media = inside(inside([track], 'trak'), 'mdia')
    const parts = inside(media, 'minf')
    const tables = inside(parts, 'stbl')
    const handlers = [...media, ...parts].filter(({ kind }) => kind === 'hdlr')
    const isVideo = handlers.some(({ start, end }) => numberAt(moov, start + 8, end) === videoKind)
    const sizes = tables.filter(({ kind }) => kind === 'stsz')
    const ofOneSize = sizes.length > 0 && sizes.every(({ start, end }) => numberAt(moov, start + 4, end) > 0)
    if (!isVideo && ofOneSize && !tables.some(({ kind }) => kind === 'ctts')) continue
    for (const { start, end } of sizes) most = Math.max(most, numberAt(moov, start + 8, end))
    for (const { kind, start, end } of tables) {
      if (kind !== 'stts' && kind !== 'ctts') continue
      const entries = Math.min(numberAt(moov, start + 4, end), Math.floor((end - start - 8) / 8))
      let sum = 0
      for (let i = 0; i < entries; i++) sum += moov.getUint32(start + 8 + 8 * i)
      most = Math.max(most, sum)
    }
  }
  return most
}

function editsOf(moov: DataView): Map<number, Edits> {
  const found = new Map<number, Edits>()
  const boxes = boxesIn(moov, 0, moov.byteLength)
  const mvhd = boxes.find(({ kind }) => kind === 'mvhd')
  // The edit list of a fragmented file holds for no more than its start.
  if (mvhd === undefined || boxes.some(({ kind }) => kind === 'mvex')) return found
  const movieScale = scaleIn(moov, mvhd)
  for (const trak of boxes.filter(({ kind }) => kind === 'trak')) {
    const inside = boxesIn(moov, trak.start, trak.end)
    const within = (kind: string, boxes: readonly Box[]) => boxes.find((box) => box.kind === kind)
    const [tkhd, edts, mdia] = ['tkhd', 'edts', 'mdia'].map((kind) => within(kind, inside))
    const elst = edts && within('elst', boxesIn(moov, edts.start, edts.end))
    const mdhd = mdia && within('mdhd', boxesIn(moov, mdia.start, mdia.end))
    if (tkhd === undefined || elst === undefined || mdhd === undefined) continue
    const scale = scaleIn(moov, mdhd)
    const id = numberAt(moov, tkhd.start + (moov.getUint8(tkhd.start) === 1 ? 20 : 12), tkhd.end)
    const edits = partsOf(moov, elst, scale, movieScale)
    if (edits !== undefined && id > 0) found.set(id, edits)
  }
  return found
}

/** The parts of an edit list; undefined if it shows all that follows its start. */
function partsOf(moov: DataView, { start, end }: Box, scale: number, movieScale: number): Edits | undefined {
  if (!(scale > 0 && movieScale > 0) || start + 8 > end) return undefined
  const wide = moov.getUint8(start) === 1
  const step = wide ? 20 : 12
  const count = Math.min(moov.getUint32(start + 4), Math.floor((end - start - 8) / step), 10_000)
  const parts: { from: number; length: number }[] = []
  let delay = 0
  for (let i = 0, at = start + 8; i < count; i++, at += step) {
    const length = wide ? Number(moov.getBigUint64(at)) : moov.getUint32(at)
    const from = wide ? Number(moov.getBigInt64(at + 8)) : moov.getInt32(at + 4)
    if (from >= 0) {
      const ticks = length === 0 ? Number.MAX_SAFE_INTEGER : Math.round((length * scale) / movieScale)
      parts.push({ from, length: ticks })
    } else if (parts.length === 0) delay += length / movieScale
  }
  const zero = (parts[0]?.from ?? 0) - Math.round(delay * scale)
  if (parts.length === 0) return undefined
  return { scale, delay, parts: parts.map((part) => ({ ...part, from: part.from - zero })) }
}

/** Ticks per second, from mvhd or mdhd. */
function scaleIn(moov: DataView, { start, end }: Box): number {
  return start < end ? numberAt(moov, start + (moov.getUint8(start) === 1 ? 20 : 12), end) : 0
}

function numberAt(bytes: DataView, at: number, end: number): number {
  return at + 4 <= end ? bytes.getUint32(at) : 0
}

function boxesIn(bytes: DataView, start: number, end: number): Box[] {
  const found: Box[] = []
  for (let at = start; at + 8 <= end; ) {
    const box = boxAt(bytes, at, end - at)
    if (box === undefined || at + box.end > end) break
    found.push({ kind: box.kind, start: at + box.start, end: at + box.end })
    at += box.end
  }
  return found
}

/** The box at a place, with places from its own first byte. Size 0 means to the end. */
export function boxAt(bytes: DataView, at: number, room: number): Box | undefined {
  const size = bytes.getUint32(at)
  const kind = String.fromCharCode(...[4, 5, 6, 7].map((i) => bytes.getUint8(at + i)))
  if (size === 0) return { kind, start: 8, end: room }
  if (size !== 1) return size < 8 ? undefined : { kind, start: 8, end: size }
  if (at + 16 > bytes.byteLength) return undefined
  const long = Number(bytes.getBigUint64(at + 8))
  return long < 16 ? undefined : { kind, start: 16, end: long }
}

const view = ({ buffer, byteOffset, byteLength }: Uint8Array) => new DataView(buffer, byteOffset, byteLength)

/** `vide`, as a number. */
const videoKind = 0x76696465

const ids = { header: 0x1a45dfa3, segment: 0x18538067, cluster: 0x1f43b675 } as const

/** Clusters last seconds. More than these are not looked through. */
const mostClusters = 200_000

/** Blocks of the last cluster that are looked through. */
const mostBlocks = 1_000_000

interface Element {
  readonly id: number
  /** First byte of the size, and number of its bytes. */
  readonly sizeAt: number
  readonly sizeBytes: number
  /** First byte of the content. */
  readonly start: number
  /** One more than the last byte; infinity if the size is not given. */
  readonly end: number
}

/** Elements that are at the top of a segment, and end a cluster whose size is not given. */
const topElements = new Set<number>([
  ...[ids.cluster, 0x114d9b74, 0x1549a966, 0x1654ae6b, 0x1c53bb6b, 0x1941a469, 0x1043a770, 0x1254c367],
])

/** The file, or if its last cluster is cut off, the file as if this cluster ended with its last whole block. */
async function withoutCutCluster(file: ByteSource): Promise<ByteSource> {
  const header = await elementAt(file, 0)
  if (header?.id !== ids.header || !(header.end < file.size)) return file
  const segment = await elementAt(file, header.end)
  if (segment?.id !== ids.segment || !(segment.end > file.size)) return file
  let at = segment.start
  for (let count = 0; count < mostClusters && at < file.size; count++) {
    const element = await elementAt(file, at)
    if (element === undefined) return file
    if (element.end > file.size) return element.id === ids.cluster ? endedEarly(file, element) : file
    at = element.end
  }
  return file
}

/** The file with its last cluster, or the first whose size is not given, ended at its last whole block. */
async function endedEarly(file: ByteSource, cluster: Element): Promise<ByteSource> {
  const isOpen = cluster.end === Number.POSITIVE_INFINITY
  const blocks = readAhead(file)
  let at = cluster.start
  for (let count = 0; count < mostBlocks; count++) {
    const element = await elementAt(blocks, at)
    if (element === undefined) break
    // The next cluster of a live recording.
    if (isOpen && topElements.has(element.id)) at = element.start
    else if (element.end <= file.size) at = element.end
    else break
  }
  if (at >= file.size) return file
  const { sizeAt, sizeBytes } = cluster
  const size = isOpen ? new Uint8Array(0) : sizeOf(at - cluster.start, sizeBytes)
  return {
    size: at,
    close: () => file.close(),
    async read(start, end) {
      const bytes = await file.read(start, end)
      for (const [i, byte] of size.entries()) {
        if (sizeAt + i >= start && sizeAt + i < end) bytes[sizeAt + i - start] = byte
      }
      return bytes
    },
  }
}

/** Bytes that are read at once, where small parts are read in turn. */
const ahead = 1 << 18

/** Reads more than is asked for, and keeps it for the next part. */
function readAhead(file: ByteSource): ByteSource {
  let [from, kept] = [0, new Uint8Array(0)]
  return {
    size: file.size,
    close: () => file.close(),
    async read(start, end) {
      if (start < from || end > from + kept.length) {
        from = start
        kept = Uint8Array.from(await file.read(start, Math.min(file.size, Math.max(end, start + ahead))))
      }
      return kept.slice(start - from, end - from)
    },
  }
}

/** The element that begins at a byte; undefined if its header is not in the file. */
async function elementAt(file: ByteSource, at: number): Promise<Element | undefined> {
  const bytes = at < file.size ? await file.read(at, Math.min(at + 12, file.size)) : new Uint8Array(0)
  const idBytes = lengthOf(bytes[0] ?? 0)
  const sizeBytes = lengthOf(bytes[idBytes] ?? 0)
  if (idBytes > 4 || sizeBytes > 8 || idBytes + sizeBytes > bytes.length) return undefined
  const id = bytes.subarray(0, idBytes).reduce((sum, byte) => sum * 256 + byte, 0)
  const marker = 0x80 >> (sizeBytes - 1)
  const [first = 0, ...others] = bytes.subarray(idBytes, idBytes + sizeBytes)
  const size = others.reduce((sum, byte) => sum * 256 + byte, first - marker)
  const start = at + idBytes + sizeBytes
  // All bits set stand for a size that is not given.
  const open = first - marker === marker - 1 && others.every((byte) => byte === 255)
  return { id, sizeAt: at + idBytes, sizeBytes, start, end: open ? Number.POSITIVE_INFINITY : start + size }
}

/** Number of bytes of a number, from its first byte: one more than its leading zeros. */
const lengthOf = (first: number) => Math.clz32(first) - 23

/** A size in a given number of bytes. */
function sizeOf(value: number, count: number): Uint8Array {
  const bytes = Uint8Array.from({ length: count }, (_, i) => Math.floor(value / 256 ** (count - 1 - i)) & 255)
  bytes[0]! |= 0x80 >> (count - 1)
  return bytes
}

/** A file without its parts that the library stumbles over. */
export interface Mended {
  readonly file: ByteSource
  /** Whether its end is missing. */
  readonly isCut: boolean
  /** Number of damaged places that are left out. */
  readonly gaps: number
}

/** The file, or if the container is damaged, the parts of it that can be read. */
export async function mended(file: ByteSource): Promise<Mended> {
  const packets = packetsIn(await file.read(0, Math.min(file.size, packetSearch)))
  if (packets !== undefined) return inStep(file, packets)
  const whole = await withoutCutCluster(file)
  return { file: whole, isCut: whole !== file, gaps: 0 }
}

/** Sizes of MPEG-TS packets, and where the byte is that marks each. */
const packetKinds: readonly PacketKind[] = [
  { size: 188, markAt: 0 },
  { size: 192, markAt: 4 },
  { size: 204, markAt: 0 },
]
const mark = 0x47

/** Damaged places that are left out. A file with more is none. */
const mostGaps = 20_000

type PacketKind = Readonly<Record<'size' | 'markAt', number>>

/** Bytes at the start of a file in which packets are searched. */
export const packetSearch = 2048

/** Where the first whole packet of an MPEG-TS begins, and its kind; undefined if the bytes are of no MPEG-TS. */
export function packetsIn(head: Uint8Array): (PacketKind & { readonly from: number }) | undefined {
  // Files of other kinds may have such bytes too.
  if (head.length < 8 || view(head).getUint32(0) === ids.header) return undefined
  if (firstBoxes.has(boxAt(view(head), 0, head.length)?.kind ?? '')) return undefined
  for (const { size, markAt } of packetKinds)
    for (let from = 0; from < size; from++) {
      const marks = Array.from({ length: from === 0 ? 3 : 5 }, (_, i) => head[from + i * size + markAt])
      if (marks.every((byte) => byte === mark)) return { size, markAt, from }
    }
  return undefined
}

/** The packets of an MPEG-TS that begin with their mark, one after the other. A part of a packet at the start is left out. */
async function inStep(file: ByteSource, kind: PacketKind & { readonly from: number }): Promise<Mended> {
  const { size, markAt } = kind
  const bytes = readAhead(file)
  const parts: { readonly from: number; readonly to: number; readonly start: number }[] = []
  const marked = async (at: number, count: number) => {
    const read = await bytes.read(at, Math.min(file.size, at + count * size))
    for (let i = 0; i * size + markAt < read.length; i++) if (read[i * size + markAt] !== mark) return i
    return count
  }
  let length = 0
  for (let at = kind.from; at < file.size && parts.length <= mostGaps; ) {
    const from = at
    for (let good = 1; good > 0 && at < file.size; at += good * size) good = await marked(at, packetsAtOnce)
    const to = Math.min(at, file.size)
    if (to > from) parts.push({ from, to, start: length })
    length += to - from
    at = await nextStep(bytes, to, kind)
  }
  const isCut = length % size !== 0
  if (parts.length === 1 && length === file.size) return { file, isCut, gaps: 0 }
  if (parts.length > mostGaps) return { file, isCut: false, gaps: 0 }
  const joined: ByteSource = {
    size: length,
    close: () => file.close(),
    async read(start, end) {
      const out = new Uint8Array(end - start)
      for (const { from, to, start: at } of parts) {
        const [first, last] = [Math.max(start, at), Math.min(end, at + to - from)]
        if (first < last) out.set(await file.read(from + first - at, from + last - at), first - start)
      }
      return out
    },
  }
  return { file: joined, isCut, gaps: parts.length - 1 }
}

const packetsAtOnce = 512

/** Where the next packets begin. Three marks in a row are no chance. */
async function nextStep(file: ByteSource, from: number, { size, markAt }: PacketKind): Promise<number> {
  const more = 2 * size + markAt
  for (let at = from; at + more < file.size; at += ahead - more) {
    const bytes = await file.read(at, Math.min(file.size, at + ahead))
    for (let i = 0; i + more < bytes.length; i++)
      if ([0, 1, 2].every((packet) => bytes[i + markAt + packet * size] === mark)) return at + i
  }
  return file.size
}
