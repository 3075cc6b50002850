// A z-buffer: which triangle is nearest at each sample of a picture.

/** Square buffers of `side` samples. */
export interface Samples {
  readonly side: number
  /** [side, side], number of the triangle that is nearest, or -1. */
  readonly ids: Int32Array
  /** [side, side], nearness (larger is nearer), or -Infinity. */
  readonly near: Float32Array
}

/** Triangles with holes: lashes and strands of hair. */
export interface CutOut {
  has(triangle: number): boolean
  isThere(triangle: number, wb: number, wc: number): boolean
}

/** Empty buffers. */
export const createSamples = (side: number): Samples => ({
  side,
  ids: new Int32Array(side * side),
  near: new Float32Array(side * side),
})

/** Points on a picture: samples to the right, samples down, and nearness, which is linear over the picture. */
export interface Projected {
  readonly x: Float32Array
  readonly y: Float32Array
  readonly near: Float32Array
}

/**
 * Draws triangles.
 *
 * @param triangles [T, 3], numbers of points
 * @param isOneSided whether a triangle is left out where it faces away (corners clockwise on the picture)
 * @param cutOut tells which triangles have holes, and whether a place of one (weights of its second and third corner)
 * is there
 */
export function drawTriangles(
  { side, ids, near }: Samples,
  points: Projected,
  triangles: Uint16Array,
  isOneSided: (triangle: number) => boolean,
  cutOut?: CutOut,
): void {
  ids.fill(-1)
  near.fill(Number.NEGATIVE_INFINITY)
  const count = triangles.length / 3
  for (let t = 0; t < count; t++) {
    const a = triangles[3 * t]!
    const b = triangles[3 * t + 1]!
    const c = triangles[3 * t + 2]!
    const ax = points.x[a]!
    const ay = points.y[a]!
    const bx = points.x[b]!
    const by = points.y[b]!
    const cx = points.x[c]!
    const cy = points.y[c]!
    // Twice the area; below 0 for triangles that face the viewer, since y goes down.
    const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if (area === 0 || (area > 0 && isOneSided(t))) continue
    const left = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5))
    const right = Math.min(side - 1, Math.floor(Math.max(ax, bx, cx) - 0.5))
    const top = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5))
    const bottom = Math.min(side - 1, Math.floor(Math.max(ay, by, cy) - 0.5))
    if (left > right || top > bottom) continue
    const inverse = 1 / area
    const holes = cutOut?.has(t) ? cutOut : undefined
    // Barycentric weights of b and c, and their steps to the right.
    const stepB = (cy - ay) * inverse
    const stepC = -(by - ay) * inverse
    const na = points.near[a]!
    const nb = points.near[b]! - points.near[a]!
    const nc = points.near[c]! - points.near[a]!
    for (let y = top; y <= bottom; y++) {
      const dx = left + 0.5 - ax
      const dy = y + 0.5 - ay
      let wb = (dx * (cy - ay) - dy * (cx - ax)) * inverse
      let wc = (dy * (bx - ax) - dx * (by - ay)) * inverse
      let at = y * side + left
      for (let x = left; x <= right; x++, at++, wb += stepB, wc += stepC) {
        if (wb < 0 || wc < 0 || wb + wc > 1) continue
        const depth = na + wb * nb + wc * nc
        if (depth > near[at]! && (holes === undefined || holes.isThere(t, wb, wc))) {
          near[at] = depth
          ids[at] = t
        }
      }
    }
  }
}
