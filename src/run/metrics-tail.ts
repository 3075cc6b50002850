import { type FileHandle, open } from 'node:fs/promises'
import { codeOf, fileError } from '../files/file-errors.ts'
import { InputError } from '../util/errors.ts'
import { type MetricsRecord, parseRecord } from './metrics.ts'
import type { MetricsPage } from './metrics-lines.ts'

/** metrics.jsonl of a run that trains in another process, read piece by piece as it grows. */

/** Bytes that one page reads at most. A line has some hundreds. */
const pageBytes = 1 << 20

const nothing: MetricsPage = { records: [], cursor: '', whole: true, more: false }

/**
 * The records since `cursor`, of complete lines only; lines that are no records are passed over.
 *
 * @param cursor of the page before; empty for the first.
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
    // A line that is longer than a page is none of ours.
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

/** The last records, in order, of the file's last 64 kB; none where there is no file. */
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

/** The file by its number, which is another one after each rewriting, and the byte to read next. */
function parseCursor(cursor: string): { file: bigint; offset: number } | undefined {
  if (cursor === '') return undefined
  const [, file, offset] = /^(\d{1,20})-(\d{1,15})$/.exec(cursor) ?? []
  if (file !== undefined) return { file: BigInt(file), offset: Number(offset) }
  throw new InputError({
    what: 'this cursor belongs to no page',
    got: JSON.stringify(cursor.slice(0, 60)),
    expected: 'the cursor of the page before',
  })
}

async function openMetrics(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw fileError(error, path, 'read')
  }
}

/** Whether a line begins at a byte, or the file ends there after one. */
async function isLineStart(file: FileHandle, offset: number, size: number): Promise<boolean> {
  if (offset === 0) return true
  return offset <= size && (await readBytes(file, offset - 1, 1))[0] === 0x0a
}

/** The byte after the line that begins at `start`; `start` itself where the line has no end yet. */
async function endOfLine(file: FileHandle, start: number, size: number): Promise<number> {
  for (let at = start; at < size; at += pageBytes) {
    const found = (await readBytes(file, at, Math.min(pageBytes, size - at))).indexOf(0x0a)
    if (found >= 0) return at + found + 1
  }
  return start
}

/** Fewer where the file became shorter meanwhile. */
async function readBytes(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start)
  return buffer.subarray(0, bytesRead)
}

function recordsIn(lines: Buffer): MetricsRecord[] {
  const parsed = lines.toString('utf8').split('\n').map(parseRecord)
  return parsed.filter((record) => record !== undefined)
}
