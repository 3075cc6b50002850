import type { ComparedRow, Comparison } from '../study/comparison.ts'
import { type Cell, msCell as ms, toCsv } from './csv.ts'

/** A comparison's rows as CSV, one line each. */
export const comparisonCsv = (found: Comparison): string => toCsv(found.rows.map((row) => record(row, found)))

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
