// Zip archives that may be hostile, read entry by entry from an open file: of torch's checkpoints and of run folders.
import { Readable } from 'node:stream'
import { Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl'
import { codeOf } from '../../files/file-errors.ts'
import type { FileBytes } from '../../files/read.ts'
import { FormatError, messageOf, PantinError } from '../../util/errors.ts'

/** Limits on an archive, far above what checkpoints and run folders need. */
const limits = {
  entries: 50_000,
  /** Bytes of a deflated entry once inflated: the factor times its deflated size, plus the slack. */
  inflation: 100,
  inflationSlack: 2 ** 20,
  /** Bytes of all deflated entries once inflated: the factor times the size of the file, plus the slack. */
  totalInflation: 16,
  totalInflationSlack: 16 * 2 ** 20,
} as const

const damaged = 'download the file again, or save it again'

/** A file inside a zip archive. */
export interface ZipEntry {
  /** Its bytes once inflated. */
  readonly size: number
  readonly isDeflated: boolean
  readonly entry: Entry
  /** Its data must end before this byte, where the next entry starts. */
  readonly end: number
}

const decoder = new TextDecoder('utf-8')

/**
 * A zip archive whose entries are read in place, without unpacking. Names are keys of a map and never paths.
 * Entries may not overlap, share a name, or be encrypted, and may not inflate to more than `limits` allow.
 *
 * yauzl reads the directory and inflates (through node:zlib). Of the maintained zip libraries it is the one that
 * reads an open file at any position; fflate and others need the whole archive in memory. It also checks every
 * offset and size against the file.
 *
 * Checksums are not compared: torch can be told to write none, and does not compare them either.
 */
export class ZipArchive {
  private readonly places = new Map<ZipEntry, number>()

  private constructor(
    private readonly file: FileBytes,
    private readonly zip: ZipFile,
    readonly entries: ReadonlyMap<string, ZipEntry>,
  ) {}

  /** Reads the directory of the archive. @throws FormatError */
  static async open(file: FileBytes): Promise<ZipArchive> {
    return typed(file, async () => {
      // Names are decoded here: yauzl's own decoding stops at names with .. or backslashes.
      const options = { autoClose: false, decodeStrings: false }
      const zip = await fromRandomAccessReaderPromise(new ZipReader(file), file.size, options)
      if (zip.entryCount > limits.entries) {
        refuse(file, 'a zip archive of too many entries', `${zip.entryCount}`, `at most ${limits.entries}`)
      }
      const found: { name: string; entry: Entry }[] = []
      for await (const entry of zip.eachEntry()) {
        found.push({ name: decoder.decode(entry.fileNameRaw), entry: withoutExtras(entry) })
      }
      return new ZipArchive(file, zip, checkEntries(found, file))
    })
  }

  /** The byte of the file where the data of an entry starts. The entry must be stored without deflation. */
  async placeOf(entry: ZipEntry): Promise<number> {
    const known = this.places.get(entry)
    if (known !== undefined) return known
    return typed(this.file, async () => {
      const { fileDataStart } = await this.zip.readLocalFileHeaderPromise(entry.entry, { minimal: true })
      if (fileDataStart + entry.entry.compressedSize > entry.end) {
        refuse(
          this.file,
          'zip entries overlap',
          `data up to byte ${fileDataStart + entry.entry.compressedSize}`,
        )
      }
      this.places.set(entry, fileDataStart)
      return fileDataStart
    })
  }

  /** Fills `into` from byte `at` on of an entry's inflated data. @throws FormatError */
  async read(entry: ZipEntry, into: Uint8Array, at: number): Promise<void> {
    if (at + into.length > entry.size) {
      refuse(this.file, 'data beyond the end of a zip entry', `byte ${at + into.length} of ${entry.size}`)
    }
    const place = await this.placeOf(entry)
    if (entry.isDeflated) await typed(this.file, () => this.inflate(entry, into, at))
    else await this.file.read(into, place + at)
  }

  /** Hands over all of an entry's data, inflated, piece by piece. @throws FormatError, and what `write` throws */
  async readAll(entry: ZipEntry, write: (piece: Uint8Array) => Promise<void>): Promise<void> {
    await this.placeOf(entry)
    await typed(this.file, async () => {
      const stream = await this.zip.openReadStreamPromise(entry.entry)
      for await (const piece of stream as AsyncIterable<Buffer>) await write(piece)
    })
  }

  private async inflate(entry: ZipEntry, into: Uint8Array, at: number): Promise<void> {
    const end = at + into.length
    const stream = await this.zip.openReadStreamPromise(entry.entry)
    let start = 0
    for await (const piece of stream as AsyncIterable<Buffer>) {
      const from = Math.max(at, start)
      const to = Math.min(end, start + piece.length)
      if (from < to) into.set(piece.subarray(from - start, to - start), from - at)
      start += piece.length
      // An entry that is read whole is read to its end: yauzl then compares its size with the directory's.
      if (start >= end && end < entry.size) break
    }
  }
}

/** The fields that are needed to read an entry. Its extra fields and comment can be far larger, and are not kept. */
function withoutExtras(entry: Entry): Entry {
  const { relativeOffsetOfLocalHeader, fileNameLength, compressionMethod, generalPurposeBitFlag } = entry
  const { compressedSize, uncompressedSize } = entry
  const sizes = { compressedSize, uncompressedSize }
  const needed = { relativeOffsetOfLocalHeader, fileNameLength, compressionMethod, generalPurposeBitFlag }
  return Object.assign(new Entry(), needed, sizes)
}

function checkEntries(
  found: readonly { name: string; entry: Entry }[],
  file: FileBytes,
): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>()
  const ordered = found.toSorted((a, b) => startOf(a.entry) - startOf(b.entry))
  const ends = new Map(ordered.map(({ entry }, i) => [entry, startOf(ordered[i + 1]?.entry) ?? file.size]))
  let inflated = 0
  for (const { name, entry } of found) {
    const end = ends.get(entry)!
    const isDeflated = entry.compressionMethod === 8
    if (!entry.canDecodeFileData()) {
      const got = entry.isEncrypted() ? 'an encrypted one' : `method ${entry.compressionMethod}`
      refuse(file, 'a zip entry that pantin does not read', got, 'stored or deflated entries')
    }
    // 30 is the size of an entry's header, after which its name follows.
    if (startOf(entry) + 30 + entry.fileNameLength + entry.compressedSize > end) {
      refuse(
        file,
        'zip entries overlap, or lie beyond the end',
        `${entry.compressedSize} bytes before byte ${end}`,
      )
    }
    if (entries.has(name)) refuse(file, 'two zip entries with one name', JSON.stringify(name.slice(0, 80)))
    if (isDeflated) {
      inflated += entry.uncompressedSize
      const most = limits.inflation * entry.compressedSize + limits.inflationSlack
      checkInflation(entry.uncompressedSize, most, file)
    }
    entries.set(name, { size: entry.uncompressedSize, isDeflated, entry, end })
  }
  checkInflation(inflated, limits.totalInflation * file.size + limits.totalInflationSlack, file)
  return entries
}

function startOf(entry: Entry): number
function startOf(entry: Entry | undefined): number | undefined
function startOf(entry: Entry | undefined): number | undefined {
  return entry?.relativeOffsetOfLocalHeader
}

function checkInflation(size: number, most: number, file: FileBytes): void {
  if (size <= most) return
  refuse(file, 'a zip archive that inflates too much', `${size} bytes`, `at most ${most}`)
}

/** Gives yauzl the open file. Small reads come from a piece of it in memory. */
class ZipReader extends RandomAccessReader {
  private piece = new Uint8Array(0)
  private start = 0

  constructor(private readonly file: FileBytes) {
    super()
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.fill(buffer.subarray(offset, offset + length), position).then(
      () => callback(null),
      (error: Error) => callback(error),
    )
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(pieces(this.file, start, end))
  }

  private async fill(into: Uint8Array, at: number): Promise<void> {
    const end = at + into.length
    if (at < this.start || end > this.start + this.piece.length) {
      const size = Math.max(into.length, Math.min(1 << 14, this.file.size - at))
      const piece = new Uint8Array(Math.max(0, size))
      await this.file.read(piece, at)
      this.piece = piece
      this.start = at
    }
    into.set(this.piece.subarray(at - this.start, end - this.start))
  }
}

async function* pieces(file: FileBytes, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += 1 << 16) {
    const piece = new Uint8Array(Math.min(1 << 16, end - at))
    await file.read(piece, at)
    yield piece
  }
}

/** yauzl and zlib report damaged archives with plain errors. */
async function typed<T>(file: FileBytes, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = codeOf(error)
    if (error instanceof PantinError || (code !== undefined && !code.startsWith('Z_'))) throw error
    const options = { cause: error }
    const got = messageOf(error)
    throw new FormatError(
      { what: 'the zip archive is damaged', where: file.path, got, remedy: damaged },
      options,
    )
  }
}

function refuse(file: FileBytes, what: string, got: string, expected?: string): never {
  const more = expected === undefined ? {} : { expected }
  throw new FormatError({ what, where: file.path, got, ...more, remedy: damaged })
}
