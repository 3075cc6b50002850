// Pareto plots as SVG, and the figures of a page that hold them.
import { paretoFront } from '../profile/costs.ts'
import type { ComparedRow } from '../study/candidates.ts'
import { escaped, fixed, formatCount, formatScaled, milliseconds } from './format.ts'
import { plainTable } from './html.ts'
import { type Label, logScale, placeLabels, type Scale, type Segment, type Spot } from './plot-layout.ts'

/** A point of a Pareto plot: less is better on both axes. */
export interface PlotPoint {
  readonly name: string
  readonly x: number
  readonly y: number
  /** From where to where y was measured: quartiles, for instance. */
  readonly spread: readonly [number, number] | undefined
  /** Drawn as a ring. */
  readonly hollow: boolean
  /** Where a click leads. */
  readonly href: string
  /** Shown on hovering. */
  readonly about: string
}

export interface PlotText {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly tickX: (value: number) => string
  readonly tickY: (value: number) => string
  /** The least ratio that the y axis shows (default 6). */
  readonly ratioY?: number
}

const [width, height] = [440, 390]
const [left, right, top, bottom] = [40, 12, 26, 44]
const radius = 4.5
/** Size of a character in the largest font of the style, 13.5 pixels: a generous guess, since fonts differ. */
const [characterWidth, characterHeight] = [7.4, 15]

/** Points on logarithmic axes, with the front of the points that no other point beats. */
export function paretoPlot(points: readonly PlotPoint[], text: PlotText): string {
  const x = logScale(
    points.map((point) => point.x),
    [left, width - right],
    6,
  )
  const y = logScale(
    points.flatMap((point) => [point.y, ...(point.spread ?? [])]),
    [height - bottom, top],
    8,
    text.ratioY,
  )
  const at = (point: PlotPoint): Spot => ({ x: x.at(point.x), y: y.at(point.y) })
  const front = paretoFront(points, (point) => [point.x, point.y]).toSorted((a, b) => a.x - b.x || b.y - a.y)
  const steps = stairs(front.map(at))
  const labels = placeLabels(
    points.map((point) => ({ ...at(point), text: point.name, first: front.includes(point) })),
    {
      area: { x: left + 2, y: top, width: width - left - right - 2, height: height - top - bottom - 2 },
      radius,
      widthOf: (name) => characterWidth * name.length,
      height: characterHeight,
      avoid: steps,
    },
  )
  return `<svg class="plot" viewBox="0 0 ${width} ${height}" role="group" aria-label="${escaped(text.title)}">
${axes(x, y, text)}
<path class="front" d="${path(steps)}"/>
${points.map((point, i) => drawn(point, at(point), y, front.includes(point), labels[i])).join('\n')}
</svg>`
}

function axes(x: Scale, y: Scale, text: PlotText): string {
  const rows = y.ticks.map((tick) => {
    const place = y.at(tick)
    return (
      `<path class="rule" d="M${left} ${fixed(place)}H${width - right}"/>` +
      `<text x="${left - 6}" y="${fixed(place + 4)}" text-anchor="end">${escaped(text.tickY(tick))}</text>`
    )
  })
  const columns = x.ticks.map((tick) => {
    const place = fixed(x.at(tick))
    return (
      `<path class="rule" d="M${place} ${top}V${height - bottom}"/>` +
      `<text x="${place}" y="${height - bottom + 17}" text-anchor="middle">${escaped(text.tickX(tick))}</text>`
    )
  })
  return `<g class="axes" aria-hidden="true">${rows.join('')}${columns.join('')}
<text class="axis" x="0" y="12">${escaped(text.y)}</text>
<text class="axis" x="${width - right}" y="${height - 5}" text-anchor="end">${escaped(text.x)}</text></g>`
}

/** The border of what the front beats: from above down to its first point, and to the right from its last. */
function stairs(front: readonly Spot[]): Segment[] {
  const [first, last] = [front[0], front.at(-1)]
  if (first === undefined || last === undefined) return []
  const corners = [{ x: first.x, y: top }, first]
  for (const spot of front.slice(1)) corners.push({ x: spot.x, y: corners.at(-1)!.y }, spot)
  corners.push({ x: width - right, y: last.y })
  return corners.slice(1).map((corner, i) => [corners[i]!, corner] as const)
}

const path = (segments: readonly Segment[]) =>
  segments.map(([, to], i) => `${i === 0 ? move(segments[0]![0]) : ''}L${pair(to)}`).join('')

const pair = ({ x, y }: Spot) => `${fixed(x)} ${fixed(y)}`
const move = (spot: Spot) => `M${pair(spot)}`

function drawn(point: PlotPoint, spot: Spot, y: Scale, onFront: boolean, label: Label | undefined): string {
  const classes = ['point', onFront && 'best', point.hollow && 'hollow'].filter(Boolean).join(' ')
  const spread = point.spread
    ? `<path class="spread" d="M${fixed(spot.x)} ${fixed(y.at(point.spread[0]))}V${fixed(y.at(point.spread[1]))}"/>`
    : ''
  const leader = label?.leader
    ? `<path class="leader" d="${move(label.leader[0])}L${pair(label.leader[1])}"/>`
    : ''
  return `<a class="${classes}" href="${escaped(point.href)}"><title>${escaped(point.about)}</title>
${spread}${leader}<circle cx="${fixed(spot.x)}" cy="${fixed(spot.y)}" r="${radius}"/>${label ? labelText(point.name, label) : ''}</a>`
}

function labelText(name: string, { box, anchor }: Label): string {
  const x = box.x + { start: 0, middle: box.width / 2, end: box.width }[anchor]
  const y = box.y + box.height - 4
  return `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}">${escaped(name)}</text>`
}

/** A number of rows that is put on an axis. */
export interface PlotAxis<R> {
  readonly name: string
  readonly axis: string
  readonly value: (row: R) => number
  readonly tick: (value: number) => string
  readonly text: (value: number) => string
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
  readonly x: PlotAxis<R>
  readonly y: PlotAxis<R>
  /** Which choice of the page shows it. */
  readonly as: string
  /** What the plot is of, for readers who do not see it. */
  readonly of: string
  /** The range in which y was measured. */
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

/** The costs of a network. */
export type CostRow = Pick<ComparedRow, 'latency' | 'params' | 'macs'>

export const latencyAxis: PlotAxis<CostRow> = {
  name: 'latency',
  axis: 'milliseconds per picture',
  value: (row) => row.latency?.median ?? Number.NaN,
  tick: (value) => String(value),
  text: (value) => `${milliseconds(value)} ms`,
}
export const paramsAxis: PlotAxis<CostRow> = {
  name: 'parameters',
  axis: 'parameters',
  value: (row) => row.params,
  tick: shortCount,
  text: (value) => `${formatCount(value)} parameters`,
}
export const macsAxis: PlotAxis<CostRow> = {
  name: 'multiply-adds',
  axis: 'multiply-adds (MACs)',
  value: (row) => row.macs,
  tick: shortCount,
  text: (value) => formatScaled(value, 'MAC'),
}

/** `500 k`, `20 M`: for ticks, which are round. */
function shortCount(value: number): string {
  const power = Math.min(3, Math.max(0, Math.floor(Math.log10(value) / 3 + 1e-9)))
  return `${Number((value / 1000 ** power).toPrecision(3))}${['', ' k', ' M', ' G'][power]}`
}
