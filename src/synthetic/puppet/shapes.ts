// Shapes as signed distances, negative inside, after Inigo Quilez, "2D distance functions". Distances have to be
// exact only near the edge, where they become coverage.
import type { Point } from '../arithmetic.ts'

/** A shape in its own units. */
export interface Shape {
  /** Signed distance from (x, y) to the edge, in the shape's own units. */
  readonly distance: (x: number, y: number) => number
  readonly bounds: Bounds
}

/** Smallest x, smallest y, largest x, largest y. */
export type Bounds = readonly [number, number, number, number]

/** A disc. */
export function disc(cx: number, cy: number, radius: number): Shape {
  return {
    distance: (x, y) => length(x - cx, y - cy) - radius,
    bounds: [cx - radius, cy - radius, cx + radius, cy + radius],
  }
}

/** An ellipse with axes along x and y, by its radii. */
export function ellipse(cx: number, cy: number, rx: number, ry: number): Shape {
  const least = Math.min(rx, ry)
  return {
    distance: (x, y) => {
      const u = (x - cx) / rx
      const v = (y - cy) / ry
      const k1 = length(u, v)
      const k2 = length(u / rx, v / ry)
      // First order: exact at the edge.
      return k1 < 0.3 ? -least * (1 - k1) : (k1 * (k1 - 1)) / k2
    },
    bounds: [cx - rx, cy - ry, cx + rx, cy + ry],
  }
}

/** A rectangle by its half sizes, with rounded corners. */
export function box(cx: number, cy: number, hx: number, hy: number, corner = 0): Shape {
  return {
    distance: (x, y) => {
      const dx = Math.abs(x - cx) - hx + corner
      const dy = Math.abs(y - cy) - hy + corner
      const outside = length(Math.max(dx, 0), Math.max(dy, 0))
      return outside + Math.min(Math.max(dx, dy), 0) - corner
    },
    bounds: [cx - hx, cy - hy, cx + hx, cy + hy],
  }
}

/** A tapered limb along y: a disc of radius `r0` at (0, 0), one of `r1` at (0, length), and their hull. */
export function limb(r0: number, r1: number, span: number): Shape {
  const slope = (r0 - r1) / span
  const across = Math.sqrt(1 - slope * slope)
  return {
    distance: (x, y) => {
      const px = Math.abs(x)
      const along = px * -slope + y * across
      if (along < 0) return length(px, y) - r0
      if (along > across * span) return length(px, y - span) - r1
      return px * across + y * slope - r0
    },
    bounds: [-Math.max(r0, r1), -r0, Math.max(r0, r1), span + r1],
  }
}

/** A polygon given by its corners in order, its edges moved outward by `round`. */
export function polygon(corners: readonly Point[], round = 0): Shape {
  const xs = corners.map(([x]) => x)
  const ys = corners.map(([, y]) => y)
  const flat = Float64Array.from(corners.flat())
  return {
    distance: (x, y) => polygonDistance(flat, x, y) - round,
    bounds: [
      Math.min(...xs) - round,
      Math.min(...ys) - round,
      Math.max(...xs) + round,
      Math.max(...ys) + round,
    ],
  }
}

/** Corners as x, y in turn: this loop is most of the work on a torso. */
function polygonDistance(corners: Float64Array, x: number, y: number): number {
  let nearest = Infinity
  let inside = false
  for (let i = 0, j = corners.length - 2; i < corners.length; j = i, i += 2) {
    const xi = corners[i]!
    const yi = corners[i + 1]!
    const yj = corners[j + 1]!
    const ex = corners[j]! - xi
    const ey = yj - yi
    const wx = x - xi
    const wy = y - yi
    const t = Math.min(Math.max((wx * ex + wy * ey) / (ex * ex + ey * ey), 0), 1)
    const dx = wx - ex * t
    const dy = wy - ey * t
    nearest = Math.min(nearest, dx * dx + dy * dy)
    if (yi > y !== yj > y && x < (ex * wy) / ey + xi) inside = !inside
  }
  return inside ? -Math.sqrt(nearest) : Math.sqrt(nearest)
}

/** The lower part of a ring: a smile, or with `up` a frown or a brow. */
export function arc(cx: number, cy: number, radius: number, thickness: number, up = false): Shape {
  const cut = radius * 0.45
  return {
    distance: (x, y) => {
      const ring = Math.abs(length(x - cx, y - cy) - radius) - thickness / 2
      return Math.max(ring, up ? y - cy + cut : cy + cut - y)
    },
    bounds: [
      cx - radius - thickness,
      cy - radius - thickness,
      cx + radius + thickness,
      cy + radius + thickness,
    ],
  }
}

/** All points that are in any of the shapes. */
export function union(...shapes: readonly Shape[]): Shape {
  const boxes = Float64Array.from(shapes.flatMap(({ bounds }) => bounds))
  const distances = shapes.map(({ distance }) => distance)
  return {
    distance: (x, y) => {
      let least = Infinity
      for (let i = 0; i < distances.length; i++) {
        const k = 4 * i
        // A shape whose box is farther than what is found cannot be nearer.
        const across = Math.max(boxes[k]! - x, x - boxes[k + 2]!)
        const along = Math.max(boxes[k + 1]! - y, y - boxes[k + 3]!)
        if (Math.max(across, along) < least) least = Math.min(least, distances[i]!(x, y))
      }
      return least
    },
    bounds: [
      Math.min(...shapes.map(({ bounds }) => bounds[0])),
      Math.min(...shapes.map(({ bounds }) => bounds[1])),
      Math.max(...shapes.map(({ bounds }) => bounds[2])),
      Math.max(...shapes.map(({ bounds }) => bounds[3])),
    ],
  }
}

/** All points that are in both shapes. */
export function both(a: Shape, b: Shape): Shape {
  return {
    distance: (x, y) => Math.max(a.distance(x, y), b.distance(x, y)),
    bounds: [
      Math.max(a.bounds[0], b.bounds[0]),
      Math.max(a.bounds[1], b.bounds[1]),
      Math.min(a.bounds[2], b.bounds[2]),
      Math.min(a.bounds[3], b.bounds[3]),
    ],
  }
}

// Math.hypot is slow, and its rounding is the engine's choice.
function length(x: number, y: number): number {
  return Math.sqrt(x * x + y * y)
}
