/** metrics.jsonl: one JSON object a line, appended as training goes. */
import { appendFileSync, statSync, truncateSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { writeFileAtomic } from '../files/atomic.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import { type MetricsLine, type MetricsRecord, metricsLine, metricsLines } from './metrics-lines.ts'

export { type MetricsRecord, parseRecord } from './metrics-lines.ts'

/**
 * Appends one line. If the disk is full, the part of it that was written is taken back.
 *
 * @throws InputError if the step is no whole number, EnvironmentError if the disk is full or fails.
 */
export function appendMetrics(path: string, record: MetricsRecord): void {
  const line = metricsLine(record)
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  try {
    appendFileSync(path, line)
  } catch (error) {
    try {
      truncateSync(path, size)
    } catch {
      // A torn last line is dropped by readers too.
    }
    throw fileError(error, path, 'written', line.length)
  }
}

/**
 * All records of a metrics file, in order; none if it is missing. A last line that a kill cut off is left
 * out.
 *
 * @throws FormatError if any other line is not a record, InputError if the file cannot be read.
 */
export async function readMetrics(path: string): Promise<MetricsRecord[]> {
  return (await readLines(path)).map(({ record }) => record)
}

/**
 * Drops the records after `step`, and a torn last line: what a resumed run will write again.
 *
 * @throws as `readMetrics` and `writeFileAtomic`.
 */
export async function truncateMetrics(path: string, step: number): Promise<void> {
  const kept = (await readLines(path)).filter(({ record }) => record.step <= step)
  await writeFileAtomic(path, kept.map(({ line }) => `${line}\n`).join(''))
}

async function readLines(path: string): Promise<MetricsLine[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw fileError(error, path, 'read')
  }
  return metricsLines(text, path)
}
