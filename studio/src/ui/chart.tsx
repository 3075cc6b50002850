// Curves over steps, on a logarithmic scale.
import { useEffect, useRef } from 'preact/hooks'
import UPlot from 'uplot'
import { colour, repaint } from '../core/theme.ts'

export interface Line {
  readonly label: string
  /** Index of its colour. All lines of one run have the same. */
  readonly tint: number
  /** Its points, x ascending. */
  readonly points: readonly (readonly [x: number, y: number])[]
  readonly thin?: boolean
}

const height = 260

/** Curves over steps, on a logarithmic scale. Its text form is beside it: `label`. */
export function Chart({ label, lines }: { readonly label: string; readonly lines: readonly Line[] }) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot | undefined>(undefined)
  const kinds = lines.map(({ label, tint, thin }) => `${label} ${tint} ${thin}`).join('|')
  const colours = repaint.value
  useEffect(() => {
    const element = box.current!
    const made = new UPlot(optionsOf(lines, element.clientWidth), dataOf(lines), element)
    // Screen readers read the figure's label, and not the canvas.
    plot.current = made
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    watch.observe(element)
    return () => {
      watch.disconnect()
      made.destroy()
    }
  }, [kinds, colours])
  useEffect(() => plot.current?.setData(dataOf(lines)), [lines])
  return (
    <figure class="chart">
      <div ref={box} class="chart-box" role="img" aria-label={label} />
      <figcaption class="legend">
        {lines.map(({ label, tint, thin }) => (
          <span key={label} class={thin ? 'thin' : ''}>
            <span class={`swatch tint-${tint % 6}`} aria-hidden="true" />
            {label}
          </span>
        ))}
      </figcaption>
    </figure>
  )
}

function optionsOf(lines: readonly Line[], width: number): UPlot.Options {
  const [ink, rule] = [colour('--quiet'), colour('--rule')]
  const axis = {
    stroke: ink,
    grid: { stroke: rule, width: 1 },
    ticks: { stroke: rule, width: 1 },
    font: '12px system-ui, sans-serif',
  }
  return {
    ...{ width, height },
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    scales: { x: { time: false }, y: { distr: 3 } },
    axes: [axis, { ...axis, size: 56 }],
    series: [
      {},
      ...lines.map(({ label, tint, thin }) => ({
        label,
        stroke: colour(`--tint-${tint % 6}`),
        width: thin ? 1 : 2,
        spanGaps: true,
        points: { show: false },
      })),
    ],
  }
}

/** All lines over the union of their x. A logarithmic scale has no zero, so that zeros are left out. */
function dataOf(lines: readonly Line[]): UPlot.AlignedData {
  if (lines.length === 0) return [[], []]
  const tables = lines.map(
    ({ points }): UPlot.AlignedData => [points.map(([x]) => x), points.map(([, y]) => (y > 0 ? y : null))],
  )
  return tables.length === 1 ? tables[0]! : UPlot.join(tables)
}
