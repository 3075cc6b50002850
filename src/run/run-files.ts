// The files of a run folder by their paths in it, and the text of metrics.jsonl. Both are the same on a disk, in a zip
// and in a browser's storage. (The text of config.json is in config.ts: it needs zod, which the script of a page lacks.)
import { FormatError, InputError } from '../util/errors.ts'

/** The configuration. A folder is a run once it has this file. */
export const configFile = 'config.json'
/** The weights to use. */
export const weightsFile = 'weights.safetensors'
/** The state that training goes on from. */
export const checkpointFile = 'last/checkpoint.safetensors'
/** One JSON object per line, with the losses of a step. */
export const metricsFile = 'metrics.jsonl'
/** The machine and the versions that the run was made with. */
export const environmentFile = 'env.json'

const fixedNames: ReadonlySet<string> = new Set([
  configFile,
  weightsFile,
  checkpointFile,
  metricsFile,
  environmentFile,
])

/** The path of the preview picture of a step. Sorted by name, previews are sorted by step. */
export const previewFile = (step: number): string => `previews/step-${String(step).padStart(8, '0')}.png`

/** Whether a file in `previews/` is a preview by its name. */
export const isPreviewName = (name: string): boolean => /^step-\d{8,16}\.(?:png|webp|jpg)$/.test(name)

/** Whether a path is one that a run folder has. The lock and temporary files are not: they belong to a process. */
export function isRunFile(path: string): boolean {
  if (fixedNames.has(path)) return true
  const preview = /^previews\/([^/]+)$/.exec(path)?.[1]
  return preview !== undefined && isPreviewName(preview)
}

/** Names of devices on Windows, where no file or folder can have them, with any ending. */
export const isDeviceName = (name: string): boolean =>
  /^(con|prn|aux|nul|conin\$|conout\$|com[\d\u00b9\u00b2\u00b3]|lpt[\d\u00b9\u00b2\u00b3])\s*(\.|$)/i.test(
    name,
  )

/** What was measured at one step. Numbers that are not finite are stored as null. */
export interface MetricsRecord {
  /** Optimiser steps done, 0 and up. */
  readonly step: number
  readonly [name: string]: unknown
}

/** A piece of a growing metrics file. */
export interface MetricsPage {
  /** The records, in the order of the file. */
  readonly records: readonly MetricsRecord[]
  /** Where the next page begins: to be given to the next call. */
  readonly cursor: string
  /**
   * Whether the records begin with the first of the run and replace all that were read before. This is so at the
   * first call, and after the run was resumed from an earlier step or started again.
   */
  readonly whole: boolean
  /** Whether more records are there already. */
  readonly more: boolean
}

/** A record as a line, with its line break. @throws InputError if the step is not a whole number from 0 on. */
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
 * The records in the text of a metrics file, in order. A last line that a kill has cut off is left out.
 *
 * @param path of the file, for messages.
 * @throws FormatError if any other line is not a record.
 */
export function metricsLines(text: string, path: string): MetricsLine[] {
  const lines = text.split('\n')
  // After the last line break there is nothing, or a line that was cut off. It may still be a whole record.
  const last = lines.pop() ?? ''
  const tail = parseRecord(last)
  const records = lines.map((line, i) => ({ line, record: parseRecord(line) ?? badLine(path, i, line) }))
  return tail === undefined ? records : [...records, { line: last, record: tail }]
}

/** The record in a line; undefined if the line is not a record. */
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
