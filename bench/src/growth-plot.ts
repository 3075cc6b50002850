// How time grows, as an SVG file: one small plot for each series, on axes that begin at zero.
import { escaped, fixed } from '../../src/report/format.ts'
import type { Machine } from '../../src/run/config-file.ts'
import { type GrowthSeries, power } from './growth.ts'

const columns = 3
const [panelWidth, panelHeight] = [290, 250]
const [gap, edge, headRoom, footRoom] = [14, 14, 46, 30]
const [left, right, top, bottom] = [52, 14, 46, 40]

const style = `
  text { font: 11.5px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #6d6459 }
  .title { font-size: 18px; font-weight: 600; fill: #2a2520 }
  .panel { font-size: 13px; font-weight: 600; fill: #2a2520 }
  .card { fill: #fffdf8; stroke: #e4dac8 }
  .rule { stroke: #efe8da; fill: none }
  .line { stroke: #a83a2c; stroke-width: 1.75; fill: none; stroke-linejoin: round }
  .even { stroke: #a9761f; stroke-dasharray: 3 4; fill: none }
  .least { stroke: #a83a2c; stroke-opacity: .35; stroke-width: 1.25; fill: none }
  circle { fill: #a83a2c; stroke: #fffdf8; stroke-width: 1.25 }`

/** @param series at least one, of at least one point each */
export function growthPlot(series: readonly GrowthSeries[], machine: Machine): string {
  const across = Math.min(columns, series.length)
  const rows = Math.ceil(series.length / across)
  const width = 2 * edge + across * panelWidth + (across - 1) * gap
  const height = headRoom + rows * panelHeight + (rows - 1) * gap + footRoom
  const panels = series.map((one, i) => {
    const x = edge + (i % across) * (panelWidth + gap)
    const y = headRoom + Math.floor(i / across) * (panelHeight + gap)
    return `<g transform="translate(${x} ${y})">${panel(one)}</g>`
  })
  const about = series.map((one) => `${one.title} by ${one.x}: power ${power(one).toFixed(2)}`).join('; ')
  const foot = `${machine.cpu}, ${machine.cores} cores, ${machine.time.slice(0, 10)}. Faint: the least. Power: exponent of growth.`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(`How time grows: ${about}`)}">
<style>${style}
</style>
<rect width="${width}" height="${height}" fill="#faf6ed"/>
<text class="title" x="${edge}" y="30">How time grows</text>
${panels.join('\n')}
<text x="${edge}" y="${height - 11}">${escaped(foot)} Dashed: in proportion (to a side, its square).</text>
</svg>
`
}

function panel(series: GrowthSeries): string {
  const { title, x: what, unit, points, expected, fixed: fixedSettings } = series
  const last = points.at(-1)!
  const x = axis(
    points.map((point) => point.x),
    [left, panelWidth - right],
  )
  const y = axis(
    points.map(({ value }) => value),
    [panelHeight - bottom, top],
  )
  const line = (at: (i: number) => number) =>
    points.map((point, i) => `${i === 0 ? 'M' : 'L'}${fixed(x.at(point.x))} ${fixed(y.at(at(i)))}`).join('')
  const highest = Math.max(...points.map(({ value }) => value))
  const even = Array.from({ length: 41 }, (_, i) => i / 40)
    .map((part) => ({ x: part * last.x, y: part ** expected * last.value }))
    // A time that falls with x has no place at 0.
    .filter((place) => place.y <= highest * 1.001)
    .map((place, i) => `${i === 0 ? 'M' : 'L'}${fixed(x.at(place.x))} ${fixed(y.at(place.y))}`)
  const rows = y.ticks.map(
    (tick) =>
      `<path class="rule" d="M${left} ${fixed(y.at(tick))}H${panelWidth - right}"/>` +
      `<text x="${left - 7}" y="${fixed(y.at(tick) + 4)}" text-anchor="end">${number(tick)}</text>`,
  )
  const marks = x.ticks.map(
    (tick) =>
      `<text x="${fixed(x.at(tick))}" y="${panelHeight - bottom + 16}" text-anchor="middle">${number(tick)}</text>`,
  )
  const dots = points.map(
    (point) =>
      `<circle cx="${fixed(x.at(point.x))}" cy="${fixed(y.at(point.value))}" r="3.75"><title>${point.x}: ${point.value.toPrecision(3)} ${unit}</title></circle>`,
  )
  const steepness = points.length > 1 ? `; power ${power(series).toFixed(2)}` : ''
  return `<rect class="card" x=".5" y=".5" width="${panelWidth - 1}" height="${panelHeight - 1}" rx="8"/>
<text class="panel" x="12" y="20">${escaped(capital(title))}</text>
<text x="12" y="36">${escaped(`${unit}; ${fixedSettings}${steepness}`)}</text>
${rows.join('')}${marks.join('')}
<text x="${panelWidth - right}" y="${panelHeight - 8}" text-anchor="end">${escaped(what)} →</text>
<path class="even" d="${even.join('')}"/>
<path class="least" d="${line((i) => points[i]!.least)}"/>
<path class="line" d="${line((i) => points[i]!.value)}"/>
${dots.join('')}`
}

/** A straight axis from zero to a little beyond the largest value, with about five round ticks. */
function axis(values: readonly number[], [from, to]: readonly [number, number]) {
  const end = 1.05 * Math.max(...values)
  const step = roundStep(end / 5.5)
  return {
    at: (value: number) => from + (value / end) * (to - from),
    ticks: Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => i * step),
  }
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10)
}

const number = (value: number) => Number(value.toPrecision(3)).toLocaleString('en-US')
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
