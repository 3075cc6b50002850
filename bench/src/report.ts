// The report of `pantin bench`: judged figures as JSON, text and CSV.
import { type Cell, formatCount, formatScaled, msCell, table, toCsv } from '../../src/report/format.ts'
import { describeMachine, type Machine } from '../../src/run/config-file.ts'
import type { DetectorBench } from './detector.ts'
import { type Figure, reached, type Skipped, withTried } from './figure.ts'
import { type GrowthSeries, power } from './growth.ts'

/** What was measured. */
export interface Found {
  readonly figures: Figure[]
  readonly skipped: Skipped[]
  readonly growth: GrowthSeries[]
}

/** A figure, and whether its target is reached; null if it has no target. */
export type JudgedFigure = Figure & { readonly reached: boolean | null }

/** What `pantin bench` prints under --json. */
export interface BenchReport {
  readonly machine: Machine
  readonly figures: readonly JudgedFigure[]
  /** What could not be measured here, and why. */
  readonly leftOut: readonly Skipped[]
}

export const judged = (figures: readonly Figure[]): JudgedFigure[] =>
  figures.map((figure) => ({ ...withTried(figure), reached: reached(figure) }))

export const reportOf = ({ figures, skipped }: Found): BenchReport => ({
  machine: describeMachine(),
  figures: judged(figures),
  leftOut: skipped,
})

/** One line for each figure. Below a figure that is not reached, a line says what was tried. */
export function describeReport(
  { machine, figures, leftOut }: BenchReport,
  growth: readonly GrowthSeries[],
): string {
  // The points of a series are in the plot.
  const shown = figures.filter(({ name }) => !/^growth\..*\d$/.test(name))
  const rows = shown.map((figure) => [
    figure.name,
    `${digits(figure.value)} ${figure.unit}`,
    figure.peer === undefined ? '' : `${digits(figure.peer.value)} ${figure.unit}`,
    figure.ratio === undefined ? '' : figure.ratio.toFixed(2),
    floorText(figure),
    targetText(figure),
  ])
  const lines = table(rows, ['figure', 'here', 'peer', 'ratio', 'floor', 'target']).split('\n')
  // The head has two lines; each row has one.
  const noted = lines.flatMap((line, i) => [line, ...tried(shown[i - 2])])
  return [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`,
    ...(shown.length > 0 ? noted : []),
    ...peerLines(shown),
    ...growth.map(growthLine),
    ...leftOut.map(({ name, why }) => `left out: ${name}: ${why.replaceAll('\n', '\n  ')}`),
  ].join('\n')
}

const digits = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3))

const floorText = ({ floor, unit }: Figure) => (floor === undefined ? '' : `${digits(floor.value)} ${unit}`)

function targetText({ target, reached }: JudgedFigure): string {
  if (target === undefined) return ''
  const bound = 'atLeast' in target ? `at least ${target.atLeast}` : `at most ${target.atMost}`
  return `${bound}, ${reached ? '' : 'not '}reached`
}

function tried(figure: JudgedFigure | undefined): string[] {
  return figure?.reached === false && figure.tried !== undefined ? [`  tried: ${figure.tried}`] : []
}

/** The name of each peer, once. */
function peerLines(figures: readonly Figure[]): string[] {
  const peers = new Map<string, string[]>()
  for (const { name, peer } of figures) {
    if (peer === undefined) continue
    const text = peer.source === undefined ? peer.name : `${peer.name} (${peer.source})`
    peers.set(text, [...(peers.get(text) ?? []), name])
  }
  return [...peers].map(([text, names]) => `peer of ${shortened(names)}: ${text}`)
}

const shortened = (names: readonly string[]) =>
  names.length <= 3 ? names.join(', ') : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`

function growthLine(series: GrowthSeries): string {
  const { title, x, unit, points } = series
  const times = points.map((point) => `${point.x}: ${digits(point.value)} ${unit}`).join(', ')
  return `${title} by ${x}: ${times} (power ${power(series).toFixed(2)})`
}

/** The figures as CSV, one line for each. */
export function figuresCsv({ machine, figures }: BenchReport): string {
  return toCsv(
    figures.map(({ name, value, unit, peer, ratio, target, reached, floor, how, tried }) => ({
      name,
      value: rounded(value),
      unit,
      peer: peer?.name ?? null,
      peerValue: rounded(peer?.value),
      peerSource: peer?.source ?? null,
      ratio: rounded(ratio),
      atLeast: target !== undefined && 'atLeast' in target ? target.atLeast : null,
      atMost: target !== undefined && 'atMost' in target ? target.atMost : null,
      reached,
      floor: rounded(floor?.value),
      floorBecause: floor?.because ?? null,
      how,
      tried: reached === false ? (tried ?? null) : null,
      ...on(machine),
    })),
  )
}

/** The points of the series as CSV, one line for each. */
export function growthCsv(machine: Machine, series: readonly GrowthSeries[]): string {
  return toCsv(
    series.flatMap(({ name, title, x, unit, points, how }) =>
      points.map((point) => ({
        series: name,
        of: title,
        by: x,
        x: point.x,
        median: rounded(point.value),
        least: rounded(point.least),
        unit,
        how,
        ...on(machine),
      })),
    ),
  )
}

const on = ({ cpu, cores, time }: Machine): Readonly<Record<string, Cell>> => ({ cpu, cores, time })

/** Five digits: finer is noise. */
const rounded = (value: number | undefined): number | null =>
  value === undefined ? null : Number(value.toPrecision(5))

/** The detectors as CSV, one line for each. */
export const detectorsCsv = ({ machine, device, threads, rounds, rows }: DetectorBench): string =>
  toCsv(
    rows.map(({ latency, ...row }) => ({
      ...row,
      medianMs: msCell(latency.median),
      minMs: msCell(latency.min),
      lowerQuartileMs: msCell(latency.quartiles[0]),
      upperQuartileMs: msCell(latency.quartiles[1]),
      rounds,
      device,
      threads,
      cpu: machine.cpu,
      time: machine.time,
    })),
  )

/** The detectors as a table. @param keep the folder that the graphs were written to */
export function describeDetectors(
  { machine, device, threads, rounds, rows }: DetectorBench,
  keep: string | undefined,
): string {
  const on = threads === null ? device : `${machine.cpu}, ${threads} thread${threads === 1 ? '' : 's'}`
  const lines = rows.map(({ form, params, macs, ops, latency, ratio, target, reached }) => [
    form,
    latency.median.toPrecision(3),
    latency.min.toPrecision(3),
    ratio.toFixed(2),
    form === 'published' ? '' : `${target} ${reached ? 'reached' : 'not reached'}`,
    formatCount(params),
    formatScaled(macs, 'MAC'),
    String(ops),
  ])
  const exact = rows.find(({ form }) => form === 'exact')
  return [
    `keypoint detectors, 1x3x256x256, on ${on}, ${rounds} interleaved rounds`,
    table(lines, [
      'detector',
      'ms',
      'least',
      'times faster',
      'target',
      'parameters',
      'multiply-adds',
      'nodes',
    ]),
    `exact differs from published by ${exact?.largestDifference?.toExponential(1)} at most`,
    ...(keep === undefined ? [] : [`graphs: ${keep}`]),
  ].join('\n')
}
