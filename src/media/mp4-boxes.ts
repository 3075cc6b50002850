// The boxes of an mp4 or mov that the container library does not read: whether there is an index, and edit lists
// (ISO/IEC 14496-12, sections 8.2 and 8.6.6).

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
  /** Edit lists by the track's number; without tracks that are shown whole, from a start. */
  readonly edits: ReadonlyMap<number, Edits>
}

/** An index of a day of video has 100 MB. */
const largestIndex = 512 << 20

/** Kinds of boxes that files begin with. */
const firstBoxes = new Set(['ftyp', 'moov', 'mdat', 'free', 'skip', 'wide', 'pnot', 'styp'])

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
  for (let count = 0; at + 8 <= file.size && count < 10_000; count++) {
    const head = view(await file.read(at, Math.min(at + 16, file.size)))
    const box = boxAt(head, 0, file.size - at)
    if (count === 0) {
      isMp4 = firstBoxes.has(box?.kind ?? '')
      if (!isMp4) break
    }
    if (box === undefined) break
    if (box.kind === 'moov') {
      const [start, end] = [at + box.start, at + box.end]
      if (end > file.size || end - start > largestIndex) break
      const moov = view(await file.read(start, end))
      return { isMp4, hasIndex: true, claimed: claimedIn(moov), edits: editsOf(moov) }
    }
    at += box.end
  }
  return { isMp4, hasIndex: false, claimed: 0, edits: new Map() }
}

/** Tables of times and sizes say in a few bytes how many frames there are. The library makes a list of them. */
function claimedIn(moov: DataView): number {
  let most = 0
  const inside = (boxes: readonly Box[], kind: string) =>
    boxes.filter((box) => box.kind === kind).flatMap(({ start, end }) => boxesIn(moov, start, end))
  let boxes = boxesIn(moov, 0, moov.byteLength)
  for (const kind of ['trak', 'mdia', 'minf', 'stbl']) boxes = inside(boxes, kind)
  for (const { kind, start, end } of boxes) {
    if (kind === 'stsz') most = Math.max(most, numberAt(moov, start + 8, end))
    if (kind !== 'stts' && kind !== 'ctts') continue
    const entries = Math.min(numberAt(moov, start + 4, end), Math.floor((end - start - 8) / 8))
    let sum = 0
    for (let i = 0; i < entries; i++) sum += moov.getUint32(start + 8 + 8 * i)
    most = Math.max(most, sum)
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
function boxAt(bytes: DataView, at: number, room: number): Box | undefined {
  const size = bytes.getUint32(at)
  const kind = String.fromCharCode(...[4, 5, 6, 7].map((i) => bytes.getUint8(at + i)))
  if (size === 0) return { kind, start: 8, end: room }
  if (size !== 1) return size < 8 ? undefined : { kind, start: 8, end: size }
  if (at + 16 > bytes.byteLength) return undefined
  const long = Number(bytes.getBigUint64(at + 8))
  return long < 16 ? undefined : { kind, start: 16, end: long }
}

const view = ({ buffer, byteOffset, byteLength }: Uint8Array) => new DataView(buffer, byteOffset, byteLength)
