// metrics.jsonl on disk: appended during training, cut back on resume, and read in pages while another process
// trains.
import { appendFileSync, statSync, truncateSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { writeFileAtomic } from '../files/atomic.ts'
import { fileError } from '../files/file-errors.ts'
import { exists } from '../files/folders.ts'
import { notAFile, openFile, readWhole } from '../files/read.ts'
import { InputError } from '../util/errors.ts'
import {
  type MetricsLine,
  type MetricsPage,
  type MetricsRecord,
  metricsLine,
  metricsLines,
  parseRecord,
} from './run-files.ts'

export { type MetricsRecord, parseRecord } from './run-files.ts'

/**
 * Appends one line. If the disk is full, the part of the line that was written is removed again.
 *
 * @throws InputError if the step is not a whole number, EnvironmentError if the disk is full or fails.
 */
export function appendMetrics(path: string, record: MetricsRecord): void {
  const line = metricsLine(record)
  const found = statSync(path, { throwIfNoEntry: false })
  // A pipe would wait for a process that reads it.
  if (found?.isFile() === false) throw notAFile(path, found, 'a file of metrics')
  const size = found?.size ?? 0
  try {
    appendFileSync(path, line)
  } catch (error) {
    try {
      truncateSync(path, size)
    } catch {
      // Readers drop an incomplete last line too.
    }
    throw fileError(error, path, 'written', line.length)
  }
}

/**
 * All records of a metrics file, in order; none if the file is missing. A last line that a kill has cut off is
 * left out.
 *
 * @throws FormatError if any other line is not a record, InputError if the file cannot be read.
 */
export async function readMetrics(path: string): Promise<MetricsRecord[]> {
  return (await readLines(path)).map(({ record }) => record)
}

/**
 * Drops the records after `step`, which a resumed run will write again, and an incomplete last line.
 *
 * @throws as `readMetrics` and `writeFileAtomic`.
 */
export async function truncateMetrics(path: string, step: number): Promise<void> {
  const kept = (await readLines(path)).filter(({ record }) => record.step <= step)
  await writeFileAtomic(path, kept.map(({ line }) => `${line}\n`).join(''))
}

async function readLines(path: string): Promise<MetricsLine[]> {
  if (!(await exists(path))) return []
  return metricsLines((await readWhole(path, 'a file of metrics', mostBytes)).toString('utf8'), path)
}

/** Most bytes of a file that is read whole: millions of lines. */
const mostBytes = 1 << 29

/** Most bytes that one page reads. A line has some hundreds. */
const pageBytes = 1 << 20

const nothing: MetricsPage = { records: [], cursor: '', whole: true, more: false }

/**
 * The records since `cursor`, from complete lines only. Lines that are no records are skipped.
 *
 * @param cursor of the previous page; empty for the first page.
 * @throws InputError for a cursor that no page had, or a file that cannot be read.
 */
export async function readMetricsPage(path: string, cursor = ''): Promise<MetricsPage> {
  const known = parseCursor(cursor)
  const file = await openMetrics(path)
  if (file === undefined) return nothing
  try {
    const { ino, size } = await file.stat({ bigint: true })
    const start =
      known?.file === ino && (await isLineStart(file, known.offset, Number(size))) ? known.offset : 0
    const bytes = await readBytes(file, start, Math.min(pageBytes, Number(size) - start))
    const lines = bytes.lastIndexOf(0x0a) + 1
    // pantin never writes a line that is longer than a page.
    const isLong = lines === 0 && bytes.length === pageBytes
    const end = isLong ? await endOfLine(file, start, Number(size)) : start + lines
    return {
      records: recordsIn(bytes.subarray(0, lines)),
      cursor: `${ino}-${end}`,
      whole: start === 0,
      more: isLong ? start < end && end < Number(size) : start + bytes.length < Number(size),
    }
  } catch (error) {
    throw fileError(error, path, 'read')
  } finally {
    await file.close()
  }
}

/** The records in the last 64 kB of the file, in order; none if there is no file. */
export async function readLastMetrics(path: string): Promise<{ records: MetricsRecord[]; modified?: Date }> {
  const file = await openMetrics(path)
  if (file === undefined) return { records: [] }
  try {
    const { size, mtime } = await file.stat()
    const start = Math.max(0, size - (1 << 16))
    const bytes = await readBytes(file, start, size - start)
    const first = start === 0 ? 0 : bytes.indexOf(0x0a) + 1
    return { records: recordsIn(bytes.subarray(first, bytes.lastIndexOf(0x0a) + 1)), modified: mtime }
  } catch (error) {
    throw fileError(error, path, 'read')
  } finally {
    await file.close()
  }
}

/** The inode of the file, which changes whenever the file is replaced, and the byte to read next. */
function parseCursor(cursor: string): { file: bigint; offset: number } | undefined {
  if (cursor === '') return undefined
  const [, file, offset] = /^(\d{1,20})-(\d{1,15})$/.exec(cursor) ?? []
  if (file !== undefined) return { file: BigInt(file), offset: Number(offset) }
  throw new InputError({
    what: 'this cursor belongs to no page',
    got: JSON.stringify(cursor.slice(0, 60)),
    expected: 'the cursor of the previous page',
  })
}

async function openMetrics(path: string): Promise<FileHandle | undefined> {
  return (await exists(path)) ? openFile(path, 'a file of metrics') : undefined
}

/** Whether a line begins at a byte, or the file ends there after a whole line. */
async function isLineStart(file: FileHandle, offset: number, size: number): Promise<boolean> {
  if (offset === 0) return true
  return offset <= size && (await readBytes(file, offset - 1, 1))[0] === 0x0a
}

/** The byte after the line that begins at `start`; `start` itself if the line has no end yet. */
async function endOfLine(file: FileHandle, start: number, size: number): Promise<number> {
  for (let at = start; at < size; at += pageBytes) {
    const found = (await readBytes(file, at, Math.min(pageBytes, size - at))).indexOf(0x0a)
    if (found >= 0) return at + found + 1
  }
  return start
}

/** Bytes of the file; fewer than `length` if the file has become shorter. */
async function readBytes(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start)
  return buffer.subarray(0, bytesRead)
}

function recordsIn(lines: Buffer): MetricsRecord[] {
  const parsed = lines.toString('utf8').split('\n').map(parseRecord)
  return parsed.filter((record) => record !== undefined)
}
