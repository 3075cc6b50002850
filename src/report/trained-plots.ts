import type { Spread } from '../study/trials/gather.ts'
import { measureKinds, rankedBy } from '../study/trials/measures.ts'
import type { Method } from '../study/trials/plan.ts'
import type { TrainedComparison, TrainedRow } from '../study/trials/report.ts'
import { latency, type Measure, macs, type PlottedRow, params, plotFigure } from './page-plots.ts'
import { methodTitles, resultOf, spreadText, trainedId } from './trained-text.ts'

/** The error of each network, by each method, against what the network costs. */
export function trainedPlots(found: TrainedComparison): string {
  const { rows, plan, device } = found
  const costs = device === null ? [params, macs] : [latency, params, macs]
  return plan.methods
    .flatMap((method) => {
      const points = rows.flatMap((row) => pointOf(row, method, found))
      if (points.length === 0) return []
      const y = errorMeasure(method)
      return costs.map((x) =>
        plotFigure(points, {
          ...{ x, y, as: method, of: methodTitles[method] },
          spread: ({ error }) => barOf(error),
          ratioY: 1.5,
        }),
      )
    })
    .join('\n')
}

/** A row with the error that its method is ranked by. */
type Point = TrainedRow & { readonly error: Spread }

function pointOf(row: TrainedRow, method: Method, { plan }: TrainedComparison): PlottedRow<Point>[] {
  const error = resultOf(row, method)?.measures[rankedBy[method]]
  if (error === undefined || !(error.mean > 0)) return []
  const skip = row.skip === plan.skips[0] ? '' : ` ${row.skip}`
  return [
    {
      row: { ...row, error },
      name: `${row.net}${skip}`,
      href: `#${trainedId(row, method)}`,
      hollow: row.reconstruction,
      about: `${row.title}, skip ${row.skip}, ${spreadText(error)} (${error.n} seeds)`,
    },
  ]
}

function errorMeasure(method: Method): Measure<Point> {
  const { label } = measureKinds[rankedBy[method]]
  return {
    name: label,
    axis: label,
    value: ({ error }) => error.mean,
    tick: (value) => String(value),
    text: (value) => value.toPrecision(3),
  }
}

/** One standard deviation to each side; the axis is logarithmic, so its lower end stays above 0. */
function barOf({ mean, deviation }: Spread): readonly [number, number] | undefined {
  return deviation === undefined ? undefined : [Math.max(mean - deviation, mean / 4), mean + deviation]
}
