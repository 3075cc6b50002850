import { type ComparedAs, type ComparedRow, type Comparison, comparedAs } from '../../compress/comparison.ts'
import { formatCount, formatScaled } from '../format.ts'
import { plainTable } from './html.ts'
import { rowId } from './page-table.ts'
import { type PlotPoint, paretoPlot } from './plot.ts'
import { headings, milliseconds } from './text.ts'

/** What is put on an axis. */
interface Measure {
  readonly name: string
  readonly axis: string
  readonly value: (row: ComparedRow) => number
  readonly tick: (value: number) => string
  readonly text: (value: number) => string
}

const latency: Measure = {
  name: 'latency',
  axis: 'milliseconds per picture',
  value: (row) => row.latency?.median ?? Number.NaN,
  tick: (value) => String(value),
  text: (value) => `${milliseconds(value)} ms`,
}
const params: Measure = {
  name: 'parameters',
  axis: 'parameters',
  value: (row) => row.params,
  tick: short,
  text: (value) => `${formatCount(value)} parameters`,
}
const macs: Measure = {
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
      : ([params, macs].map((x) => [x, latency]) as [Measure, Measure][])
  return comparedAs
    .flatMap((as) => {
      const own = rows.filter((row) => row.as === as && row.macs > 0 && row.params > 0)
      return own.length === 0 ? [] : pairs.map(([x, y]) => figure(as, own, x, y))
    })
    .join('\n')
}

function figure(as: ComparedAs, rows: readonly ComparedRow[], x: Measure, y: Measure): string {
  const title = `${capital(y.name)} against ${x.name}, ${headings[as]}`
  const points = rows.map((row): PlotPoint => {
    const [atX, atY] = [x.value(row), y.value(row)]
    return {
      name: row.net,
      x: atX,
      y: atY,
      spread: y === latency ? row.latency?.quartiles : undefined,
      hollow: row.reconstruction,
      href: `#${rowId(row)}`,
      about: `${row.title}: ${y.text(atY)}, ${x.text(atX)}`,
    }
  })
  const plot = paretoPlot(points, {
    title,
    x: `${x.axis} →`,
    y: `↑ ${y.axis}`,
    tickX: x.tick,
    tickY: y.tick,
  })
  const table = rows.map((row) => [row.net, x.text(x.value(row)), y.text(y.value(row))])
  return `<figure data-as="${as}">
<figcaption>${capital(y.name)} against ${x.name}</figcaption>
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
