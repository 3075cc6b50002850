/** The text of metrics.jsonl: one JSON object a line. */
import { FormatError, InputError } from '../util/errors.ts'

/** What one step measured. Numbers that are not finite are stored as null. */
export interface MetricsRecord {
  /** Optimiser steps done, 0 and up. */
  readonly step: number
  readonly [name: string]: unknown
}

/** Some records of a metrics file, as a reader that follows the file gets them. */
export interface MetricsPage {
  readonly records: readonly MetricsRecord[]
  /** The position to go on from: the next call takes it. */
  readonly cursor: string
  /**
   * Whether the records begin with the run's first and replace all that were read before: at the first call, and if
   * the run was resumed from an earlier step or started again.
   */
  readonly whole: boolean
  /** Whether there are more already. */
  readonly more: boolean
}

/** A record as a line, with its line break. @throws InputError if the step is no whole number. */
export function metricsLine(record: MetricsRecord): string {
  if (!Number.isSafeInteger(record.step) || record.step < 0) {
    throw new InputError({
      what: 'a metrics record needs a step',
      got: String(record.step),
      expected: '0, 1, ...',
    })
  }
  return `${JSON.stringify(record)}\n`
}

/** A line of metrics and what it says. */
export interface MetricsLine {
  readonly line: string
  readonly record: MetricsRecord
}

/**
 * The records of a metrics file's text, in order. A last line that a kill cut off is left out.
 *
 * @param path of the file, for messages.
 * @throws FormatError if any other line is not a record.
 */
export function metricsLines(text: string, path: string): MetricsLine[] {
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
