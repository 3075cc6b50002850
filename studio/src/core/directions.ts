// What it costs to pull strings, so that a point that is pulled takes the cheapest way: a puppet's arm turns, and is not torn.

import { link } from './rigid.ts'

/** What it costs to stretch neighbours: an arm is turned rather than made longer. */
const stiffLimbs = 1000

/** Strings pulled together, each by one of `pulls`. */
interface Direction {
  readonly pulls: readonly number[]
  /** [K, 2], flat: how far each keypoint goes, as parts of the spread. */
  readonly value: readonly number[]
  /** How much each pair of neighbours is stretched, for its distance. */
  readonly stretch: readonly number[]
}

/**
 * The strings as directions that cost 1 each, and together the sum of squares (Gram and Schmidt).
 *
 * @param points [K, 2], at rest
 * @param spread of the points
 */
export function directionsOf(
  strings: readonly { readonly value: readonly number[] }[],
  points: readonly (readonly number[])[],
  spread: number,
): readonly Direction[] {
  const directions: Direction[] = []
  strings.forEach(({ value }, s) => {
    let own: Direction = {
      pulls: strings.map((_, i) => (i === s ? 1 : 0)),
      value,
      stretch: stretchOf(points, spread, value),
    }
    for (const earlier of directions) own = sumOf(own, earlier, -product(own, earlier))
    directions.push(sumOf(own, own, 1 / Math.sqrt(product(own, own)) - 1))
  })
  return directions
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0)
/** What directions cost together: how far the strings go, how far all points go, and how much neighbours are stretched. */
const product = (a: Direction, b: Direction): number =>
  dot(a.pulls, b.pulls) + dot(a.value, b.value) + stiffLimbs * dot(a.stretch, b.stretch)

/** How much a movement stretches each pair of points for its distance, less for points that are not next to each other. */
function stretchOf(
  points: readonly (readonly number[])[],
  spread: number,
  value: readonly number[],
): number[] {
  return points.flatMap((one, i) =>
    points.slice(i + 1).map((other, at) => {
      const j = i + 1 + at
      const [x, y] = [(other[0]! - one[0]!) / spread, (other[1]! - one[1]!) / spread]
      const squared = Math.max(x * x + y * y, 1e-6)
      const along = (value[2 * j]! - value[2 * i]!) * x + (value[2 * j + 1]! - value[2 * i + 1]!) * y
      return (along / squared) * link(Math.sqrt(squared))
    }),
  )
}

const sumOf = (a: Direction, b: Direction, times: number): Direction => ({
  pulls: a.pulls.map((x, i) => x + times * b.pulls[i]!),
  value: a.value.map((x, i) => x + times * b.value[i]!),
  stretch: a.stretch.map((x, i) => x + times * b.stretch[i]!),
})
