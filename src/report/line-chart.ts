// A line chart as inline SVG. Its colours come from the page.

export interface Point {
  readonly x: number
  readonly y: number
}

const [width, height] = [640, 220]
const [left, right, top, bottom] = [44, 8, 10, 26]

/**
 * One curve: as measured, faint, and smoothed.
 *
 * @param points in rising order of x, at least two.
 */
export function lineChart(
  points: readonly Point[],
  labels: { readonly title: string; readonly x: string },
): string {
  const finite = points.filter(({ y }) => Number.isFinite(y))
  if (finite.length < 2) return ''
  const [mostX, mostY] = [Math.max(...finite.map(({ x }) => x)), Math.max(...finite.map(({ y }) => y))]
  const stepY = niceStep(mostY / 4)
  const stepX = niceStep(mostX / 5)
  const ceiling = Math.ceil(mostY / stepY) * stepY
  const px = (x: number) => left + (x / mostX) * (width - left - right)
  const py = (y: number) => height - bottom - (y / ceiling) * (height - top - bottom)
  const path = (line: readonly Point[]) =>
    line.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join('')

  const rows = ticks(stepY, ceiling).map(
    (y) =>
      `<path class="rule" d="M${left} ${py(y).toFixed(1)}H${width - right}"/>` +
      `<text x="${left - 8}" y="${(py(y) + 4).toFixed(1)}" text-anchor="end">${label(y)}</text>`,
  )
  const columns = ticks(stepX, mostX)
    .filter((x) => px(x) < width - 40)
    .map((x) => `<text x="${px(x).toFixed(1)}" y="${height - 6}" text-anchor="middle">${label(x)}</text>`)
  return `<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${labels.title}">
<title>${labels.title}</title>
${rows.join('')}${columns.join('')}
<text x="${width - right}" y="${height - 6}" text-anchor="end">${labels.x}</text>
<path class="raw" d="${path(finite)}"/>
<path class="smooth" d="${path(smoothed(finite))}"/>
</svg>`
}

/** Mean over neighbours, a twentieth of the curve to each side. */
function smoothed(points: readonly Point[]): Point[] {
  const reach = Math.max(1, Math.floor(points.length / 20))
  return points.map(({ x }, i) => {
    const near = points.slice(Math.max(0, i - reach), i + reach + 1)
    return { x, y: near.reduce((sum, { y }) => sum + y, 0) / near.length }
  })
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-9)))
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10)
}

const ticks = (step: number, end: number) =>
  Array.from({ length: Math.floor(end / step + 1e-6) + 1 }, (_, i) => i * step)

const label = (value: number) => Number(value.toPrecision(3)).toLocaleString('en-US')
