// Two measures of all networks against each other, with the Pareto front.
import { logScale, paretoFront, type Scale } from 'pantin/web'
import { short } from '../core/format.ts'
import { across, chosen, isGain, type Measure, measureNames, measures, type Row, up } from './facts.ts'

/** A network as a point. */
interface Spot {
  readonly name: string
  readonly title: string
  readonly x: number
  readonly y: number
}

const [width, height, left, bottom, top, right] = [440, 420, 50, 44, 16, 96]

/** Two measures against each other, on logarithmic scales, with the networks that no other beats. */
export function ParetoPlot({ rows }: { readonly rows: readonly Row[] }) {
  const spots = rows.flatMap(({ name, title, ...row }): Spot[] => {
    const [x, y] = [row[across.value], row[up.value]]
    return x === undefined || y === undefined || x <= 0 || y <= 0 ? [] : [{ name, title, x, y }]
  })
  const [signX, signY] = [across.value, up.value].map((measure) => (isGain(measure) ? -1 : 1))
  const front = paretoFront(spots, ({ x, y }) => [signX! * x, signY! * y])
  const best = new Set(front.map(({ name }) => name))
  const x = scale(
    spots.map((spot) => spot.x),
    left,
    width - right,
  )
  const y = scale(
    spots.map((spot) => spot.y),
    height - bottom,
    top,
  )
  // Of several at one place the first has its name beside it.
  const isFree = (spot: Spot) =>
    spots.find((other) => Math.hypot(x.at(other.x) - x.at(spot.x), y.at(other.y) - y.at(spot.y)) < 14) ===
    spot
  const line = front.toSorted((a, b) => a.x - b.x)
  return (
    <figure class="pareto">
      <div class="row">
        <AxisChoice label="Across" value={across} />
        <AxisChoice label="Up" value={up} />
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: SVG has no fieldset */}
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="group"
        aria-label={`${measureNames[up.value]} by ${measureNames[across.value]}`}
      >
        <path class="axis" d={`M${left} ${top}V${height - bottom}H${width - right}`} />
        {x.ticks.map((value) => (
          <text key={value} class="tick" x={x.at(value)} y={height - bottom + 18} text-anchor="middle">
            {short(value)}
          </text>
        ))}
        {y.ticks.map((value) => (
          <text key={value} class="tick" x={left - 8} y={y.at(value) + 4} text-anchor="end">
            {short(value)}
          </text>
        ))}
        <text class="tick" x={(left + width - right) / 2} y={height - 8} text-anchor="middle">
          {measureNames[across.value]}
        </text>
        <polyline class="front" points={line.map((spot) => `${x.at(spot.x)},${y.at(spot.y)}`).join(' ')} />
        {spots.length === 0 && (
          <text class="tick" x={(left + width - right) / 2} y={height / 2} text-anchor="middle">
            {emptyText([across.value, up.value])}
          </text>
        )}
        {spots.map((spot) => (
          // biome-ignore lint/a11y/useSemanticElements: there are no buttons in SVG
          <g
            key={spot.name}
            role="button"
            tabindex={0}
            aria-pressed={spot.name === chosen.value}
            aria-label={`${spot.title}: ${short(spot.x)}, ${short(spot.y)}${best.has(spot.name) ? ', on the front' : ''}`}
            class={`spot ${best.has(spot.name) ? 'best' : ''} ${spot.name === chosen.value ? 'chosen' : ''}`}
            onClick={() => choose(spot)}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' && event.key !== ' ') return
              event.preventDefault()
              choose(spot)
            }}
          >
            <circle cx={x.at(spot.x)} cy={y.at(spot.y)} r={spot.name === chosen.value ? 7 : 5} />
            {(spot.name === chosen.value || (best.has(spot.name) && isFree(spot))) && (
              <text x={x.at(spot.x) + 10} y={y.at(spot.y) + 4}>
                {spot.title}
              </text>
            )}
          </g>
        ))}
      </svg>
      <figcaption class="note">The line joins the networks that no other beats in both.</figcaption>
    </figure>
  )
}

/** The reason why no network is in the plot. */
function emptyText(axes: readonly Measure[]): string {
  if (axes.includes('error')) return 'No study has measured networks'
  return axes.includes('ms') ? 'Measure first' : 'Counting'
}

function choose({ name }: Spot): void {
  chosen.value = name
}

function AxisChoice({ label, value }: { readonly label: string; readonly value: { value: Measure } }) {
  return (
    <label class="field">
      {label}
      <select
        value={value.value}
        onChange={(event) => {
          value.value = event.currentTarget.value as Measure
        }}
      >
        {measures.map((measure) => (
          <option key={measure} value={measure}>
            {measureNames[measure]}
          </option>
        ))}
      </select>
    </label>
  )
}

/** A logarithmic axis over values, or over any range if there is no value yet. */
const scale = (values: readonly number[], from: number, to: number): Scale =>
  logScale(values.length === 0 ? [1, 10] : values, [from, to], 5)
