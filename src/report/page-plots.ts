import { type ComparedRow, type Comparison, comparedAs } from '../study/comparison.ts'
import { headings, milliseconds } from './comparison-text.ts'
import { formatCount, formatScaled } from './format.ts'
import { escaped, plainTable } from './html.ts'
import { rowId } from './page-table.ts'
import { type PlotPoint, paretoPlot } from './plot.ts'

/** What is put on an axis. */
export interface Measure<R> {
  readonly name: string
  readonly axis: string
  readonly value: (row: R) => number
  readonly tick: (value: number) => string
  readonly text: (value: number) => string
}

type Costs = Pick<ComparedRow, 'latency' | 'params' | 'macs'>

export const latency: Measure<Costs> = {
  name: 'latency',
  axis: 'milliseconds per picture',
  value: (row) => row.latency?.median ?? Number.NaN,
  tick: (value) => String(value),
  text: (value) => `${milliseconds(value)} ms`,
}
export const params: Measure<Costs> = {
  name: 'parameters',
  axis: 'parameters',
  value: (row) => row.params,
  tick: short,
  text: (value) => `${formatCount(value)} parameters`,
}
export const macs: Measure<Costs> = {
  name: 'multiply-adds',
  axis: 'multiply-adds (MACs)',
  value: (row) => row.macs,
  tick: short,
  text: (value) => formatScaled(value, 'MAC'),
}

/** Latency against parameters and against MACs, or these two against each other where nothing was timed. */
export function plots({ rows, device }: Comparison): string {
  const pairs =
    device === null
      ? [[params, macs] as const]
      : ([params, macs].map((x) => [x, latency]) as [Measure<Costs>, Measure<Costs>][])
  return comparedAs
    .flatMap((as) => {
      const own = rows.filter((row) => row.as === as && row.macs > 0 && row.params > 0)
      const points = own.map((row) => ({
        ...{ row, name: row.net, href: `#${rowId(row)}`, hollow: row.reconstruction, about: row.title },
      }))
      const figures = pairs.map(([x, y]) =>
        plotFigure(points, {
          ...{ x, y, as, of: headings[as] },
          ...(y === latency && { spread: (row: ComparedRow) => row.latency?.quartiles }),
        }),
      )
      return own.length === 0 ? [] : figures
    })
    .join('\n')
}

/** A row as a point. */
export interface PlottedRow<R> {
  readonly row: R
  /** Its label. */
  readonly name: string
  readonly href: string
  readonly hollow: boolean
  /** Shown on hovering, before its numbers. */
  readonly about: string
}

export interface FigureOptions<R> {
  readonly x: Measure<R>
  readonly y: Measure<R>
  /** Which choice of the page shows it. */
  readonly as: string
  /** Of what, for those who do not see it. */
  readonly of: string
  /** From where to where y was measured. */
  readonly spread?: (row: R) => readonly [number, number] | undefined
  /** The least ratio that the y axis shows. */
  readonly ratioY?: number
}

/** A plot with its caption and its table. */
export function plotFigure<R>(rows: readonly PlottedRow<R>[], options: FigureOptions<R>): string {
  const { x, y, as, of, spread, ratioY } = options
  const title = `${capital(y.name)} against ${x.name}, ${of}`
  const points = rows.map(({ row, about, ...rest }): PlotPoint => {
    const [atX, atY] = [x.value(row), y.value(row)]
    return {
      ...rest,
      x: atX,
      y: atY,
      spread: spread?.(row),
      about: `${about}: ${y.text(atY)}, ${x.text(atX)}`,
    }
  })
  const plot = paretoPlot(points, {
    title,
    x: `${x.axis} →`,
    y: `↑ ${y.axis}`,
    tickX: x.tick,
    tickY: y.tick,
    ...(ratioY !== undefined && { ratioY }),
  })
  const table = rows.map(({ row, name }) => [name, x.text(x.value(row)), y.text(y.value(row))])
  return `<figure data-as="${as}">
<figcaption>${escaped(capital(y.name))} against ${escaped(x.name)}</figcaption>
${plot}
<details><summary>As a table</summary>
${plainTable(title, ['network', x.name, y.name], table)}
</details>
</figure>`
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

/** `500 k`, `20 M`: for ticks, which are round. */
function short(value: number): string {
  const power = Math.min(3, Math.max(0, Math.floor(Math.log10(value) / 3 + 1e-9)))
  return `${Number((value / 1000 ** power).toPrecision(3))}${['', ' k', ' M', ' G'][power]}`
}
