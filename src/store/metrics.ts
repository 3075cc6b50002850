/** metrics.jsonl: one JSON object a line, appended as training goes. */
import { appendFileSync, statSync, truncateSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { FormatError, InputError } from '../util/errors.ts'
import { writeFileAtomic } from './atomic.ts'
import { codeOf, fileError } from './file-errors.ts'

/** What one step measured. Numbers that are not finite are stored as null. */
export interface MetricsRecord {
  /** Optimiser steps done, 0 and up. */
  readonly step: number
  readonly [name: string]: unknown
}

/**
 * Appends one line. If the disk is full, the part of it that was written is taken back.
 *
 * @throws InputError if the step is no whole number, EnvironmentError if the disk is full or fails.
 */
export function appendMetrics(path: string, record: MetricsRecord): void {
  if (!Number.isSafeInteger(record.step) || record.step < 0) {
    throw new InputError({
      what: 'a metrics record needs a step',
      got: String(record.step),
      expected: '0, 1, ...',
    })
  }
  const line = `${JSON.stringify(record)}\n`
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

async function readLines(path: string): Promise<{ line: string; record: MetricsRecord }[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw fileError(error, path, 'read')
  }
  const lines = text.split('\n')
  // After the last newline: nothing, or a line that was cut off. A cut line may still be a whole record.
  const last = lines.pop() ?? ''
  const tail = parseRecord(last)
  const records = lines.map((line, i) => ({ line, record: parseRecord(line) ?? badLine(path, i, line) }))
  return tail === undefined ? records : [...records, { line: last, record: tail }]
}

/** The record in a line; undefined where it is none. */
export function parseRecord(line: string): MetricsRecord | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null || !('step' in value)) return undefined
    const { step } = value
    return typeof step === 'number' ? { ...value, step } : undefined
  } catch {
    return undefined
  }
}

function badLine(path: string, index: number, line: string): never {
  throw new FormatError({
    what: 'a line that is not a metrics record',
    where: `${path}, line ${index + 1}`,
    got: JSON.stringify(line.slice(0, 60)),
    expected: 'a JSON object with a step',
    remedy: 'delete this line',
  })
}
