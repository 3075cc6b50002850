/**
 * Area of the convex hull of points (Andrew's monotone chain, 1979).
 *
 * @param points [K, 2], flat.
 * @returns in squared units of the points; 0 for fewer than 3, points on a line, or numbers not finite.
 */
export function hullArea(points: ArrayLike<number>): number {
  const list = Array.from(
    { length: points.length / 2 },
    (_, i) => [points[2 * i]!, points[2 * i + 1]!] as const,
  )
  if (!list.flat().every(Number.isFinite)) return 0
  list.sort(([ax, ay], [bx, by]) => ax - bx || ay - by)
  const hull = [...chain(list), ...chain(list.reverse())]
  let twice = 0
  for (let i = 0; i < hull.length; i++) {
    const [ax, ay] = hull[i]!
    const [bx, by] = hull[(i + 1) % hull.length]!
    twice += ax * by - bx * ay
  }
  return Math.abs(twice) / 2
}

type Point = readonly [number, number]

/** One side of the hull, without its last point, with which the other side begins. */
function chain(sorted: readonly Point[]): Point[] {
  const kept: Point[] = []
  for (const point of sorted) {
    while (kept.length >= 2 && turn(kept.at(-2)!, kept.at(-1)!, point) <= 0) kept.pop()
    kept.push(point)
  }
  return kept.slice(0, -1)
}

/** Positive where a, b, c turn left. */
function turn([ax, ay]: Point, [bx, by]: Point, [cx, cy]: Point): number {
  return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
}
