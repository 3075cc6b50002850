// Comma-separated values (RFC 4180): comparisons and studies as tables for other programs.
import type { ComparedRow, Comparison } from '../study/candidates.ts'
import type { TrainedComparison, TrainedRow } from '../study/trials/study.ts'
import { type Summary, trialMeasureNames } from '../study/trials/summary.ts'

export type Cell = string | number | boolean | null

/** Records with the same keys as lines under a line of names. A value that is not known is empty. */
export function toCsv(records: readonly Readonly<Record<string, Cell>>[]): string {
  const names = Object.keys(records[0] ?? {})
  return [names, ...records.map((cells) => Object.values(cells))]
    .map((cells) => `${cells.map(quoted).join(',')}\r\n`)
    .join('')
}

/** Milliseconds to the microsecond: finer is noise. */
export const msCell = (value: number | undefined): number | null =>
  value === undefined ? null : Math.round(1000 * value) / 1000

function quoted(cell: Cell): string {
  const text = String(cell ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** A comparison's rows as CSV, one line each. */
export const comparisonCsv = (found: Comparison): string =>
  toCsv(found.rows.map((row) => comparedRecord(row, found)))

function comparedRecord(row: ComparedRow, found: Comparison): Readonly<Record<string, Cell>> {
  const { latency, clipped } = row
  return {
    net: row.net,
    as: row.as,
    title: row.title,
    year: row.year,
    reconstruction: row.reconstruction,
    params: row.params,
    unusedParams: row.unusedParams,
    macs: row.macs,
    activationBytes: row.activationBytes,
    receptiveField: row.receptiveField,
    ops: row.ops,
    outputStride: row.outputStride,
    skips: row.skipKind,
    dilations: row.dilations,
    clipped: clipped.map((c) => `${c.layer} ${c.axis} ${c.published} to ${c.used}`).join('; '),
    medianMs: msCell(latency?.median),
    minMs: msCell(latency?.min),
    lowerQuartileMs: msCell(latency?.quartiles[0]),
    upperQuartileMs: msCell(latency?.quartiles[1]),
    paretoParams: latency && row.pareto.includes('params'),
    paretoMacs: latency && row.pareto.includes('macs'),
    accuracy: row.accuracy,
    rounds: found.rounds,
    input: found.input.join('x'),
    outputs: found.outputs,
    device: found.device,
    threads: found.threads,
    cpu: found.machine.cpu,
    paper: row.paper.url,
  }
}

/** A study as CSV: one line for each network, skip and method, with mean and deviation over the seeds. */
export const studyCsv = (found: TrainedComparison): string =>
  toCsv(found.rows.flatMap((row) => row.results.map((result) => studyRecord(row, result, found))))

function studyRecord(
  row: TrainedRow,
  result: Summary,
  found: TrainedComparison,
): Readonly<Record<string, Cell>> {
  const { settings, seeds } = found.plan
  const measures = trialMeasureNames().flatMap((name): [string, Cell][] => {
    const spread = result.measures[name]
    return [
      [name, spread?.mean ?? null],
      [`${name}Deviation`, spread?.deviation ?? null],
    ]
  })
  return {
    net: row.net,
    skip: row.skip,
    sameAsSkip: row.alike.join(' '),
    method: result.method,
    title: row.title,
    year: row.year,
    reconstruction: row.reconstruction,
    seeds: seeds.length,
    done: result.n,
    failed: result.failed,
    frames: result.frames,
    params: row.params,
    macs: row.macs,
    activationBytes: row.activationBytes,
    ops: row.ops,
    medianMs: msCell(row.latency?.median),
    lowerQuartileMs: msCell(row.latency?.quartiles[0]),
    upperQuartileMs: msCell(row.latency?.quartiles[1]),
    ...Object.fromEntries(measures),
    budgetSteps: settings.steps ?? null,
    budgetMinutes: settings.minutes ?? null,
    batch: settings.batch,
    size: settings.size,
    keypoints: settings.keypoints,
    device: found.device,
    threads: found.threads,
    cpu: found.machine.cpu,
  }
}
