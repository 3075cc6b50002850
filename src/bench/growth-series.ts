import type { Figure } from './figure.ts'

/** How time grows with one thing, all else being as it was. */

export interface GrowthSeries {
  /** As in names of figures: `step.batch`. */
  readonly name: string
  /** What is timed, in words. */
  readonly title: string
  /** What grows, with its unit. */
  readonly x: string
  readonly unit: 'ms' | 's'
  readonly points: readonly GrowthPoint[]
  /** Power of x that the time is expected to grow with at most. */
  readonly expected: number
  /** What does not grow. */
  readonly fixed: string
  readonly how: string
}

export interface GrowthPoint {
  readonly x: number
  /** The median. */
  readonly value: number
  readonly least: number
}

/**
 * The power of x that the time grows with: the slope of a straight line through the logarithms (least squares).
 * 1 is as fast as x itself, 2 as its square; NaN for fewer than two points.
 */
export function power({ points }: GrowthSeries): number {
  const logs = points.map(({ x, value }) => [Math.log(x), Math.log(value)] as const)
  const mean = (i: 0 | 1) => logs.reduce((sum, log) => sum + log[i], 0) / logs.length
  const [x, y] = [mean(0), mean(1)]
  const covariance = logs.reduce((sum, log) => sum + (log[0] - x) * (log[1] - y), 0)
  return covariance / logs.reduce((sum, log) => sum + (log[0] - x) ** 2, 0)
}

/** A figure for each point. */
export const pointFigures = ({ name, title, unit, x: what, points, how }: GrowthSeries): Figure[] =>
  points.map(({ x, value, least }) => ({
    name: `growth.${name}.${x}`,
    value,
    unit,
    how: `${title}, ${what}: ${x}; ${how}; least ${least.toPrecision(3)} ${unit}`,
  }))
