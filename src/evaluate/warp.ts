// Random affine and thin-plate-spline warps on plain numbers, for measuring equivariance and for varying frames.
import type { Matrix } from '../model/keypoint-detector.ts'
import type { Random } from '../util/random.ts'

/**
 * Random affine + thin-plate-spline warps on plain numbers, by which equivariance is measured; training has
 * the same as a graph (Siarohin et al. 2019, section 3.1). As in the published code, distances to the control
 * points are L1, and one spline displacement is added to both coordinates.
 */
export interface Warp {
  /** Where a point (x, y) of [-1, 1] goes. */
  point(x: number, y: number): readonly [number, number]
  /** The warp's jacobian there; row i is the gradient of coordinate i. */
  jacobian(x: number, y: number): Matrix
}

/** How random warps are drawn. */
export interface WarpOptions {
  /** Standard deviation of each entry of the affine map, around the identity. */
  readonly sigmaAffine: number
  /** Standard deviation of each spline coefficient. */
  readonly sigmaTps: number
  /** Control points along each axis. */
  readonly points: number
}

/** The published values. */
export const warpDefaults: WarpOptions = { sigmaAffine: 0.05, sigmaTps: 0.005, points: 5 }

/** Keeps the logarithm finite at a control point; the published value. */
export const logGuard = 1e-6

/** Numbers of `n` random warps: `theta` [n, 2, 3] and `spline` [n, points²], flat. */
export function drawWarpNumbers(random: Random, n: number, { sigmaAffine, sigmaTps, points }: WarpOptions) {
  const identity = [1, 0, 0, 0, 1, 0]
  const theta = Array.from({ length: n * 6 }, (_, i) => identity[i % 6]! + sigmaAffine * random.normal())
  const spline = Array.from({ length: n * points ** 2 }, () => sigmaTps * random.normal())
  return { theta, spline }
}

/** A random warp around the identity. */
export function drawWarp(random: Random): Warp {
  const { theta, spline } = drawWarpNumbers(random, 1, warpDefaults)
  return createWarp(theta, spline)
}

/**
 * @param theta [2, 3], the affine map, flat.
 * @param spline coefficients of n x n control points, row by row from (-1, -1); n is 2 or more.
 */
export function createWarp(theta: readonly number[], spline: readonly number[]): Warp {
  const [a, b, c, d, e, f] = theta as [number, number, number, number, number, number]
  const side = Math.sqrt(spline.length)
  const controls = spline.map((weight, i) => ({
    weight,
    x: (2 * (i % side)) / (side - 1) - 1,
    y: (2 * Math.floor(i / side)) / (side - 1) - 1,
  }))
  return {
    // A p + b + Σₖ cₖ r² log r
    point(x, y) {
      let shift = 0
      for (const at of controls) {
        const r = Math.abs(x - at.x) + Math.abs(y - at.y)
        shift += at.weight * r * r * Math.log(r + logGuard)
      }
      return [a * x + b * y + c + shift, d * x + e * y + f + shift]
    },
    // A + [1 1]ᵀ ∇s, with ds/dx = Σₖ cₖ (2 r log r + r² / r) sign(x - xₖ)
    jacobian(x, y) {
      let [sx, sy] = [0, 0]
      for (const at of controls) {
        const [dx, dy] = [x - at.x, y - at.y]
        const r = Math.abs(dx) + Math.abs(dy)
        const slope = at.weight * (2 * r * Math.log(r + logGuard) + (r * r) / (r + logGuard))
        sx += slope * Math.sign(dx)
        sy += slope * Math.sign(dy)
      }
      return [a + sx, b + sy, d + sx, e + sy]
    },
  }
}

/**
 * A picture seen through a warp: the pixel at z shows what the picture has at warp(z), bilinearly; beyond
 * the border it is reflected.
 *
 * @param pixels RGB [side, side, 3]
 * @returns RGB [side, side, 3]
 */
export function warpPixels(pixels: Uint8Array, size: number, warp: Pick<Warp, 'point'>): Uint8Array {
  const out = new Uint8ClampedArray(pixels.length)
  for (let y = 0, to = 0; y < size; y++) {
    for (let x = 0; x < size; x++, to += 3) {
      const [u, v] = warp.point((2 * x) / (size - 1) - 1, (2 * y) / (size - 1) - 1)
      const [px, py] = [reflected(u, size), reflected(v, size)]
      const [left, top] = [Math.min(Math.floor(px), size - 2), Math.min(Math.floor(py), size - 2)]
      const [fx, fy] = [px - left, py - top]
      const i = (top * size + left) * 3
      for (let c = 0; c < 3; c++) {
        const above = pixels[i + c]! * (1 - fx) + pixels[i + 3 + c]! * fx
        const below = pixels[i + size * 3 + c]! * (1 - fx) + pixels[i + size * 3 + 3 + c]! * fx
        out[to + c] = above * (1 - fy) + below * fy
      }
    }
  }
  return new Uint8Array(out.buffer)
}

/** Pixel position of a coordinate, folded back at the centres of the first and last pixel. */
function reflected(coordinate: number, size: number): number {
  const last = size - 1
  const at = Math.abs(((coordinate + 1) / 2) * last) % (2 * last)
  return at > last ? 2 * last - at : at
}
