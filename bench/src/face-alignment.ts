// The head's own movement, taken out of landmarks: the similarity of space that brings one head onto another.
// (Horn 1987, "Closed-form solution of absolute orientation using unit quaternions".)

/** Points of space, [N, 3]. */
export type Points = Float64Array

type Vector = readonly [number, number, number]

/**
 * Moves points onto a reference: turned, scaled and shifted so that the chosen points come as near to the reference's as
 * they can (least squares). Two heads that differ by such a movement alone become equal.
 *
 * @param chosen indices of the points that decide: at least three that are not on a line
 * @returns all points, moved
 */
export function alignedTo(reference: Points, points: Points, chosen: readonly number[]): Points {
  const [from, to] = [centre(points, chosen), centre(reference, chosen)]
  const turn = rotation(covariance(points, from, reference, to, chosen))
  let [along, square] = [0, 0]
  for (const i of chosen) {
    const p = minus(at(points, i), from)
    along += dot(turned(turn, p), minus(at(reference, i), to))
    square += dot(p, p)
  }
  const scale = along / square
  const out = new Float64Array(points.length)
  for (let i = 0; i < points.length / 3; i++) {
    const [x, y, z] = turned(turn, minus(at(points, i), from))
    out.set([to[0] + scale * x, to[1] + scale * y, to[2] + scale * z], 3 * i)
  }
  return out
}

/** Distance of two points of one set, in space. */
export const distance = (points: Points, i: number, j: number): number =>
  Math.hypot(...minus(at(points, i), at(points, j)))

const at = (points: Points, i: number): Vector => [points[3 * i]!, points[3 * i + 1]!, points[3 * i + 2]!]
const minus = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]

function centre(points: Points, chosen: readonly number[]): Vector {
  const sum = [0, 0, 0] as [number, number, number]
  for (const i of chosen) for (let c = 0; c < 3; c++) sum[c]! += points[3 * i + c]! / chosen.length
  return sum
}

/** Sum of p qᵀ over the chosen points, each from its centre: [3, 3]. */
function covariance(a: Points, ca: Vector, b: Points, cb: Vector, chosen: readonly number[]): number[] {
  const sum = new Array<number>(9).fill(0)
  for (const i of chosen) {
    const [p, q] = [minus(at(a, i), ca), minus(at(b, i), cb)]
    for (let k = 0; k < 9; k++) sum[k]! += p[Math.floor(k / 3)]! * q[k % 3]!
  }
  return sum
}

/** The rotation, row by row, of the unit quaternion that is the largest eigenvector of Horn's matrix. */
function rotation(s: readonly number[]): number[] {
  const [xx, xy, xz, yx, yy, yz, zx, zy, zz] = s as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const [w, x, y, z] = largestEigenvector([
    [xx + yy + zz, yz - zy, zx - xz, xy - yx],
    [yz - zy, xx - yy - zz, xy + yx, zx + xz],
    [zx - xz, xy + yx, yy - xx - zz, yz + zy],
    [xy - yx, zx + xz, yz + zy, zz - xx - yy],
  ]) as [number, number, number, number]
  return [
    ...[w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
    ...[2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
    ...[2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
  ]
}

const turned = (r: readonly number[], [x, y, z]: Vector): Vector => [
  r[0]! * x + r[1]! * y + r[2]! * z,
  r[3]! * x + r[4]! * y + r[5]! * z,
  r[6]! * x + r[7]! * y + r[8]! * z,
]

/** Of a symmetric matrix, by Jacobi's rotations. A handful of sweeps is exact to rounding. */
function largestEigenvector(matrix: readonly (readonly number[])[]): number[] {
  const n = matrix.length
  const a = matrix.map((row) => [...row])
  const v = a.map((_, i) => a.map((__, j) => (i === j ? 1 : 0)))
  for (let sweep = 0; sweep < 12; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p]![q] === 0) continue
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!)
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1))
        const c = 1 / Math.hypot(t, 1)
        rotateRows(a, p, q, c, t * c)
        for (const rows of [a, v]) rotateColumns(rows, p, q, c, t * c)
      }
    }
  }
  const best = a.reduce((k, row, i) => (row[i]! > a[k]![k]! ? i : k), 0)
  return v.map((row) => row[best]!)
}

function rotateRows(m: number[][], p: number, q: number, c: number, s: number): void {
  m[p]!.forEach((value, k) => {
    const other = m[q]![k]!
    m[p]![k] = c * value - s * other
    m[q]![k] = s * value + c * other
  })
}

function rotateColumns(m: number[][], p: number, q: number, c: number, s: number): void {
  for (const row of m) {
    const [a, b] = [row[p]!, row[q]!]
    row[p] = c * a - s * b
    row[q] = s * a + c * b
  }
}
