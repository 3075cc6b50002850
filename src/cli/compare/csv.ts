import type { ComparedRow, Comparison } from '../../compress/comparison.ts'

type Cell = string | number | boolean | null

/** A comparison's rows as CSV (RFC 4180), one line each under a line of names; what is not known is empty. */
export function comparisonCsv(found: Comparison): string {
  const records = found.rows.map((row) => record(row, found))
  const names = Object.keys(records[0] ?? {})
  return [names, ...records.map((cells) => Object.values(cells))]
    .map((cells) => `${cells.map(csvCell).join(',')}\r\n`)
    .join('')
}

/** Milliseconds to the microsecond: finer is noise. */
const ms = (value: number | undefined) => (value === undefined ? null : Math.round(1000 * value) / 1000)

function record(row: ComparedRow, found: Comparison): Readonly<Record<string, Cell>> {
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
    medianMs: ms(latency?.median),
    minMs: ms(latency?.min),
    lowerQuartileMs: ms(latency?.quartiles[0]),
    upperQuartileMs: ms(latency?.quartiles[1]),
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

function csvCell(cell: Cell): string {
  const text = String(cell ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
