// Points that are put somewhere take their neighbours along, as a thing that would rather turn than stretch.

/** Points within about this part of the spread are neighbours. */
const near = 0.6
/** What holds each point where it was, beside the 1 that links two points in one place. */
const hold = 0.05
/** Rounds, at most, and the movement after which there are no more, as a part of the spread. */
const [rounds, enough] = [30, 1e-4]

type Point = readonly number[]
type Axis = Float64Array<ArrayBuffer>

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
  const count = points.length
  const [xs, ys] = [0, 1].map((axis) => Float64Array.from(points, (p) => p[axis]!)) as [Axis, Axis]
  const links = points.map((one, i) =>
    Float64Array.from(points, (other, j) =>
      i === j ? 0 : link(Math.hypot(one[0]! - other[0]!, one[1]! - other[1]!) / spread),
    ),
  )
  const free = points.flatMap((_, i) => (places.has(i) ? [] : [i]))
  const sums = links.map((row) => row.reduce((sum, x) => sum + x, hold))
  const solve = solver(free.map((i) => free.map((j) => (i === j ? sums[i]! : -links[i]![j]!))))
  // What holds free points where they were, and what links them to points that are put somewhere.
  const [fixedX, fixedY] = [0, 1].map((axis) =>
    Float64Array.from(free, (i) =>
      Array.from(places).reduce((sum, [j, at]) => sum + links[i]![j]! * at[axis]!, hold * points[i]![axis]!),
    ),
  ) as [Axis, Axis]
  const [u, v] = [xs.slice(), ys.slice()]
  for (const [i, [x, y]] of places) {
    u[i] = x!
    v[i] = y!
  }
  const [cosines, sines] = [new Float64Array(count).fill(1), new Float64Array(count)]
  const [wantedX, wantedY] = [fixedX.slice(), fixedY.slice()]
  // This runs for each picture that is shown: it makes no arrays on the way.
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < count; i++) {
      let cosine = 0
      let sine = 0
      for (let j = 0; j < count; j++) {
        const linked = links[i]![j]!
        const x = xs[j]! - xs[i]!
        const y = ys[j]! - ys[i]!
        const movedX = u[j]! - u[i]!
        const movedY = v[j]! - v[i]!
        cosine += linked * (x * movedX + y * movedY)
        sine += linked * (x * movedY - y * movedX)
      }
      const length = Math.hypot(cosine, sine)
      if (length < 1e-12) continue
      cosines[i] = cosine / length
      sines[i] = sine / length
    }
    for (let at = 0; at < free.length; at++) {
      const i = free[at]!
      let x = fixedX[at]!
      let y = fixedY[at]!
      for (let j = 0; j < count; j++) {
        const half = links[i]![j]! / 2
        const apartX = xs[i]! - xs[j]!
        const apartY = ys[i]! - ys[j]!
        const cosine = cosines[i]! + cosines[j]!
        const sine = sines[i]! + sines[j]!
        x += half * (cosine * apartX - sine * apartY)
        y += half * (sine * apartX + cosine * apartY)
      }
      wantedX[at] = x
      wantedY[at] = y
    }
    solve(wantedX)
    solve(wantedY)
    let moved = 0
    for (let at = 0; at < free.length; at++) {
      const i = free[at]!
      moved = Math.max(moved, Math.abs(wantedX[at]! - u[i]!), Math.abs(wantedY[at]! - v[i]!))
      u[i] = wantedX[at]!
      v[i] = wantedY[at]!
    }
    if (moved < enough * spread) break
  }
  return {
    value: points.map((_, i) => [u[i]!, v[i]!]),
    turns: points.map((_, i) => [cosines[i]!, sines[i]!]),
  }
}

/** A vector or the columns of a map, turned. @param turn cosine and sine */
export const turned = ([cosine, sine]: Point, [x, y]: Point): readonly [number, number] => [
  cosine! * x! - sine! * y!,
  sine! * x! + cosine! * y!,
]

/** Solves equations with one symmetric, positive definite matrix (Cholesky), in place. */
function solver(matrix: readonly Point[]): (x: Axis) => void {
  const lower: number[][] = []
  matrix.forEach((row, i) => {
    const own: number[] = []
    lower.push(own)
    for (let j = 0; j <= i; j++) {
      let rest = row[j]!
      for (let k = 0; k < j; k++) rest -= own[k]! * lower[j]![k]!
      own.push(i === j ? Math.sqrt(rest) : rest / lower[j]![j]!)
    }
  })
  return (x) => {
    for (let i = 0; i < x.length; i++) {
      for (let j = 0; j < i; j++) x[i]! -= lower[i]![j]! * x[j]!
      x[i]! /= lower[i]![i]!
    }
    for (let i = x.length - 1; i >= 0; i--) {
      for (let j = i + 1; j < x.length; j++) x[i]! -= lower[j]![i]! * x[j]!
      x[i]! /= lower[i]![i]!
    }
  }
}
