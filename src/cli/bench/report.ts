import { type Figure, reached } from '../../bench/figure.ts'
import { type GrowthSeries, power } from '../../bench/growth-series.ts'
import type { LeftOut } from '../../bench/left-out.ts'
import { withTried } from '../../bench/tried.ts'
import { type Cell, toCsv } from '../../report/csv.ts'
import { table } from '../../report/format.ts'
import { describeMachine, type Machine } from '../../run/environment.ts'
import type { Found } from './parts.ts'

/** A figure, and whether its target is reached; null where it has none. */
export type JudgedFigure = Figure & { readonly reached: boolean | null }

/** What `pantin bench` prints under --json. */
export interface BenchReport {
  readonly machine: Machine
  readonly figures: readonly JudgedFigure[]
  /** What could not be measured here, and why. */
  readonly leftOut: readonly LeftOut[]
}

export const judged = (figures: readonly Figure[]): JudgedFigure[] =>
  figures.map((figure) => ({ ...withTried(figure), reached: reached(figure) }))

export const reportOf = ({ figures, leftOut }: Found): BenchReport => ({
  machine: describeMachine(),
  figures: judged(figures),
  leftOut,
})

/** One line for each figure; beneath one that is not reached, what was tried. */
export function describeReport(
  { machine, figures, leftOut }: BenchReport,
  growth: readonly GrowthSeries[],
): string {
  // Points of a series are read off the plot.
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
  // Two lines of head, then one for each row.
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

/** Who the peers are, each said once. */
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
  return `${title} by ${x}: ${times} (grows with its power ${power(series).toFixed(2)})`
}

/** Figures as CSV, one line each. */
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

/** Points of series as CSV, one line each. */
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
