// Curves over steps, on a logarithmic scale, with the values under the pointer.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import UPlot from 'uplot'
import { type Point, smoothing } from '../core/curves.ts'
import { digits, inPercent } from '../core/format.ts'
import { colour, repaint } from '../core/theme.ts'

export interface Line {
  readonly label: string
  /** Index of its colour. All lines of one run have the same. From 6 on, the colours come again, dashed. */
  readonly tint: number
  /** Its points, x ascending. */
  readonly points: readonly Point[]
  readonly thin?: boolean
}

interface ChartProps {
  /** Its text form. */
  readonly label: string
  /** Name of the values. */
  readonly up: string
  readonly lines: readonly Line[]
}

const height = 260

/** Curves over steps, on a logarithmic scale. */
export function Chart({ label, up, lines }: ChartProps) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot | undefined>(undefined)
  const [at, setAt] = useState<number | undefined>(undefined)
  const kinds = [up, ...lines.map(({ label, tint, thin }) => `${label} ${tint} ${thin}`)].join('|')
  const colours = repaint.value
  // Lines grow under a pointer that rests: its values come from these, and not from what was drawn before.
  const data = useMemo(() => dataOf(lines), [lines])
  useEffect(() => {
    const element = box.current!
    const options = optionsOf(lines, up, element.clientWidth)
    const made = new UPlot(
      { ...options, hooks: { setCursor: [({ cursor }) => setAt(cursor.idx ?? undefined)] } },
      data,
      element,
    )
    // Screen readers read the figure's label, and not the canvas.
    plot.current = made
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    watch.observe(element)
    return () => {
      watch.disconnect()
      made.destroy()
    }
  }, [kinds, colours])
  useEffect(() => plot.current?.setData(data), [data])
  const step = at === undefined ? undefined : data[0][at]
  return (
    <figure class="chart">
      <div ref={box} class="chart-box" role="img" aria-label={label} />
      <figcaption class="legend">
        {lines.map(({ label, tint, thin }, i) => {
          const value = at === undefined ? undefined : data[i + 1]?.[at]
          return (
            <span key={label} class={thin ? 'thin' : ''}>
              <span class={swatchOf(tint)} aria-hidden="true" />
              {label}
              {typeof value === 'number' && <span class="value"> {digits(value)}</span>}
            </span>
          )
        })}
        {typeof step === 'number' && <span class="value">at step {step}</span>}
      </figcaption>
    </figure>
  )
}

const isDashed = (tint: number): boolean => tint >= 6

/** The class of a small piece of a line, for a legend. */
export const swatchOf = (tint: number): string => `swatch tint-${tint % 6}${isDashed(tint) ? ' dashed' : ''}`

/** How much curves are smoothed. */
export function SmoothingSlider() {
  return (
    <label class="slider">
      <span>Smoothing</span>
      <input
        type="range"
        min={0}
        max={0.2}
        step={0.01}
        value={smoothing.value}
        onInput={(event) => {
          smoothing.value = Number(event.currentTarget.value)
        }}
      />
      <output>{inPercent(smoothing.value)}</output>
    </label>
  )
}

function optionsOf(lines: readonly Line[], up: string, width: number): UPlot.Options {
  const [ink, rule] = [colour('--quiet'), colour('--rule')]
  const axis = {
    stroke: ink,
    grid: { stroke: rule, width: 1 },
    ticks: { stroke: rule, width: 1 },
    font: '12px system-ui, sans-serif',
    labelFont: '12px system-ui, sans-serif',
    labelSize: 18,
  }
  return {
    ...{ width, height },
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    scales: { x: { time: false }, y: { distr: 3 } },
    axes: [
      { ...axis, label: 'step', size: 34 },
      { ...axis, label: up, size: 56 },
    ],
    series: [
      {},
      ...lines.map(({ label, tint, thin }) => ({
        label,
        stroke: colour(`--tint-${tint % 6}`),
        width: thin ? 1 : 2,
        ...(isDashed(tint) && { dash: [6, 4] }),
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
