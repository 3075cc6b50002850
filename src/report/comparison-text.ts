// A comparison as text, for the terminal and in pieces for the page, and as comma-separated values.
import { type ComparedAs, type ComparedRow, type Comparison, comparedAs } from '../study/candidates.ts'
import { type Cell, formatCount, formatScaled, milliseconds, msCell, table, toCsv } from './format.ts'

export const headings: Readonly<Record<ComparedAs, string>> = {
  network: 'plain networks',
  detector: 'keypoint detectors',
}

/** What was measured, and on which machine, in one or two lines. */
export function describeMeasurement(
  found: Pick<
    Comparison,
    'machine' | 'device' | 'threads' | 'rounds' | 'restMs' | 'warmMs' | 'input' | 'outputs'
  >,
): string {
  const { machine, device, threads, rounds, restMs, warmMs, input, outputs } = found
  const sizes = `one picture of ${input.join('x')}, ${outputs} outputs`
  if (device === null) return `${sizes}; nothing was run`
  const on = device === 'cpu' ? `${machine.cpu}, ${threads} thread${threads === 1 ? '' : 's'}` : device
  return (
    `${sizes}, on ${on}\n` +
    `latency: ${rounds} interleaved rounds in random order, each run after ${restMs} ms of rest and ${warmMs} ms of untimed runs; random weights`
  )
}

/** A warning if the times of one row differ so much that other programs must have been running. */
export function describeUnrest({
  rows,
}: {
  readonly rows: readonly Pick<ComparedRow, 'latency'>[]
}): string | undefined {
  const spreads = rows.flatMap(({ latency }) =>
    latency ? [(latency.quartiles[1] - latency.quartiles[0]) / latency.median] : [],
  )
  const typical = spreads.toSorted((a, b) => a - b)[Math.floor(spreads.length / 2)] ?? 0
  if (typical < 0.25) return undefined
  return `The machine was busy: for half of the rows, the middle half of the runs spans ${Math.round(100 * typical)}% of the median or more. Measure again when nothing else runs.`
}

/** Tables with the fastest network first, and the networks that were left out. */
export function describeComparison(found: Comparison, options: { readonly layers: boolean }): string {
  const parts = comparedAs.flatMap((as) => {
    const rows = found.rows.filter((row) => row.as === as)
    return rows.length === 0 ? [] : [`${headings[as]}\n${summaryTable(rows, found)}`]
  })
  const skipped = found.skipped.map(({ net, as, reason }) => `left out: ${net} as ${as}: ${reason}`)
  const layers = options.layers ? found.rows.map(layerTable) : []
  const unrest = describeUnrest(found) ?? ''
  return [describeMeasurement(found), ...parts, unrest, skipped.join('\n'), ...layers]
    .filter(Boolean)
    .join('\n\n')
}

function summaryTable(rows: readonly ComparedRow[], { device, accuracy }: Comparison): string {
  const timed = device !== null
  const head = [
    'network',
    ...(timed ? ['ms', 'least', 'quartiles', 'front'] : []),
    ...(accuracy ? [accuracy.label] : []),
    ...['parameters', 'MACs', 'memory', 'sees', 'nodes', 'stride', 'skips'],
  ]
  const body = rows.map((row) => [
    row.reconstruction ? `${row.net} *` : row.net,
    ...(timed ? latencyCells(row) : []),
    ...(accuracy ? [row.accuracy === null ? '' : String(row.accuracy)] : []),
    formatScaled(row.params),
    formatScaled(row.macs),
    formatScaled(row.activationBytes, 'B'),
    `${formatCount(row.receptiveField)} px`,
    formatCount(row.ops),
    String(row.outputStride),
    row.skipKind,
  ])
  const notes = [
    ...(timed ? ['front: of latency against parameters (size) or MACs; no other row is better in both'] : []),
    ...(rows.some(({ reconstruction }) => reconstruction)
      ? ['*: reconstruction, no code was published']
      : []),
  ]
  return [table(body, head), ...notes].join('\n')
}

function latencyCells({ latency, pareto }: ComparedRow): string[] {
  if (latency === null) return ['', '', '', '']
  const { median, min, quartiles } = latency
  return [
    milliseconds(median),
    milliseconds(min),
    quartiles.map(milliseconds).join('–'),
    pareto.map((cost) => costNames[cost]).join(', '),
  ]
}

export const costNames = { params: 'size', macs: 'MACs' } as const

export const layerHead = ['layer', 'result', 'parameters', 'multiply-adds', 'activation bytes'] as const

export const layerCells = ({ layers }: Pick<ComparedRow, 'layers'>): string[][] =>
  layers.map(({ name, shape, params, macs, activationBytes }) => [
    name,
    shape.join('x'),
    formatCount(params),
    formatCount(macs),
    formatCount(activationBytes),
  ])

const layerTable = (row: ComparedRow) =>
  `${row.net} as ${row.as}, layer by layer\n${table(layerCells(row), layerHead)}`

/** A comparison as `--json` prints it: without diagrams, and with layers only if they are asked for. */
export function comparisonJson(found: Comparison, options: { readonly layers: boolean }): object {
  return {
    ...found,
    rows: found.rows.map(({ diagram: _, layers, ...row }) => (options.layers ? { ...row, layers } : row)),
  }
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
