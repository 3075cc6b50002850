// Points that are put somewhere take their neighbours along, as a thing that would rather turn than stretch.

/** Points within about this part of the spread are neighbours. */
const near = 0.6
/** What holds each point where it was, beside the 1 that links two points in one place. */
const hold = 0.05
/** More rounds move no point by a pixel. */
const rounds = 30

type Point = readonly number[]

/** How closely points are linked: 1 in one place, less if they are apart. @param apart as a part of the spread */
export const link = (apart: number): number => Math.exp(-((apart / near) ** 2))

/**
 * Puts points to places. The others follow as rigidly as they can: they keep their distances to their neighbours, and the
 * surroundings of each turn (Sorkine and Alexa, "As-Rigid-As-Possible Surface Modeling", 2007, sections 2 and 3; here links
 * are by distance, as there is no mesh).
 *
 * @param points [K, 2]
 * @param places where points are put, by their numbers
 * @param spread of the points
 * @returns where all points are, and how the surroundings of each have turned: cosine and sine
 */
export function follow(
  points: readonly Point[],
  places: ReadonlyMap<number, Point>,
  spread: number,
): { readonly value: number[][]; readonly turns: readonly Point[] } {
  const links = points.map((one, i) =>
    points.map((other, j) =>
      i === j ? 0 : link(Math.hypot(one[0]! - other[0]!, one[1]! - other[1]!) / spread),
    ),
  )
  const free = points.flatMap((_, i) => (places.has(i) ? [] : [i]))
  const pulls = free.map((i) => links[i]!.reduce((sum, x) => sum + x, hold))
  const solve = solver(free.map((i, a) => free.map((j) => (i === j ? pulls[a]! : -links[i]![j]!))))
  let value = points.map((point, i) => [...(places.get(i) ?? point)])
  let turns: readonly Point[] = points.map(() => [1, 0])
  for (let round = 0; round < rounds; round++) {
    turns = points.map((_, i) => turnOf(points, value, links[i]!, i))
    const wanted = [0, 1].map((axis) =>
      solve(
        free.map((i) =>
          points.reduce((sum, _, j) => {
            const linked = links[i]![j]!
            const [one, other] = [turns[i]!, turns[j]!]
            const mean = [(one[0]! + other[0]!) / 2, (one[1]! + other[1]!) / 2]
            const from = turned(mean, [points[i]![0]! - points[j]![0]!, points[i]![1]! - points[j]![1]!])
            return sum + linked * (from[axis]! + (places.get(j)?.[axis] ?? 0))
          }, hold * points[i]![axis]!),
        ),
      ),
    )
    const before = value
    value = points.map((_, i) => [...(places.get(i) ?? wanted.map((along) => along[free.indexOf(i)]!))])
    const moved = Math.max(...value.map((p, i) => Math.hypot(p[0]! - before[i]![0]!, p[1]! - before[i]![1]!)))
    if (moved < 1e-4 * spread) break
  }
  return { value, turns }
}

/** A vector or the columns of a map, turned. @param turn cosine and sine */
export const turned = ([cosine, sine]: Point, [x, y]: Point): readonly [number, number] => [
  cosine! * x! - sine! * y!,
  sine! * x! + cosine! * y!,
]

/** How the surroundings of a point have turned, by least squares. */
function turnOf(points: readonly Point[], value: readonly Point[], links: Point, i: number): Point {
  let [cosine, sine] = [0, 0]
  links.forEach((linked, j) => {
    const [x, y] = [points[j]![0]! - points[i]![0]!, points[j]![1]! - points[i]![1]!]
    const [u, v] = [value[j]![0]! - value[i]![0]!, value[j]![1]! - value[i]![1]!]
    cosine += linked * (x * u + y * v)
    sine += linked * (x * v - y * u)
  })
  const length = Math.hypot(cosine, sine)
  return length < 1e-12 ? [1, 0] : [cosine / length, sine / length]
}

/** Solves equations with one symmetric, positive definite matrix (Cholesky). */
function solver(matrix: readonly Point[]): (right: Point) => readonly number[] {
  const lower: number[][] = []
  matrix.forEach((row, i) => {
    const own: number[] = []
    lower.push(own)
    for (let j = 0; j <= i; j++) {
      const rest = own.reduce((sum, x, k) => (k < j ? sum - x * lower[j]![k]! : sum), row[j]!)
      own.push(i === j ? Math.sqrt(rest) : rest / lower[j]![j]!)
    }
  })
  return (right) => {
    const x = [...right]
    for (let i = 0; i < x.length; i++) {
      for (let j = 0; j < i; j++) x[i]! -= lower[i]![j]! * x[j]!
      x[i]! /= lower[i]![i]!
    }
    for (let i = x.length - 1; i >= 0; i--) {
      for (let j = i + 1; j < x.length; j++) x[i]! -= lower[j]![i]! * x[j]!
      x[i]! /= lower[i]![i]!
    }
    return x
  }
}
