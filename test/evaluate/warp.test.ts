import { describe, expect, it } from 'vitest'
import { measureEquivariance } from '../../src/evaluate/keypoint-measures.ts'
import { createWarp, drawWarp, type Warp, warpPixels } from '../../src/evaluate/warp.ts'
import type { Keypoints } from '../../src/model/keypoint-detector.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { Random } from '../../src/util/random.ts'

const identity = createWarp([1, 0, 0, 0, 1, 0], new Array<number>(25).fill(0))

/** The largest difference of a jacobian to central differences of the warp, at points off the kinks. */
function jacobianError(warp: Warp, jacobian: Warp['jacobian']): number {
  const random = new Random(3)
  const h = 1e-5
  let worst = 0
  for (let i = 0; i < 50; i++) {
    const [x, y] = [random.between(-0.95, 0.95), random.between(-0.95, 0.95)]
    const [right, left] = [warp.point(x + h, y), warp.point(x - h, y)]
    const [below, above] = [warp.point(x, y + h), warp.point(x, y - h)]
    const numeric = [right[0] - left[0], below[0] - above[0], right[1] - left[1], below[1] - above[1]]
    const given = jacobian(x, y)
    numeric.forEach((d, j) => {
      worst = Math.max(worst, Math.abs(d / (2 * h) - given[j]!))
    })
  }
  return worst
}

describe('warps', () => {
  const warp = drawWarp(new Random(1))

  it('have the jacobian of central differences', () => {
    expect(jacobianError(warp, warp.jacobian)).toBeLessThan(1e-4)
  })

  it('fail that test with a jacobian that is slightly wrong', () => {
    const transposed: Warp['jacobian'] = (x, y) => {
      const [a, b, c, d] = warp.jacobian(x, y)
      return [a, c, b, d]
    }
    expect(jacobianError(warp, transposed)).toBeGreaterThan(1e-2)
  })

  it('are the same for the same seed, and near the identity', () => {
    expect(drawWarp(new Random(1)).point(0.3, -0.4)).toEqual(warp.point(0.3, -0.4))
    const [x, y] = warp.point(0.3, -0.4)
    expect(Math.hypot(x - 0.3, y + 0.4)).toBeGreaterThan(0)
    expect(Math.hypot(x - 0.3, y + 0.4)).toBeLessThan(0.5)
  })

  it('have as many control points as coefficients: 3 x 3 stand at -1, 0 and 1', () => {
    const centre = createWarp(
      [1, 0, 0, 0, 1, 0],
      Array.from({ length: 9 }, (_, i) => (i === 4 ? 1 : 0)),
    )
    // r² log r is 0 at the control point and one away from it, in L1.
    for (const [x, y] of [
      [0, 0],
      [1, 0],
      [0, -1],
      [0.5, 0.5],
    ] as const) {
      expect(centre.point(x, y)[0]).toBeCloseTo(x, 5)
    }
    expect(centre.point(0.5, 0)[0]).toBeCloseTo(0.5 + 0.25 * Math.log(0.5), 5)
  })
})

describe('warped pictures', () => {
  const size = 16
  const picture = Uint8Array.from({ length: size * size * 3 }, (_, i) => (i * 37) % 256)
  const column = (pixels: Uint8Array, x: number) =>
    pixels.subarray((5 * size + x) * 3, (5 * size + x + 1) * 3)

  it('stay as they are under the identity', () => {
    expect(warpPixels(picture, size, identity)).toEqual(picture)
  })

  it('show at z what stood at T(z), and a reflection beyond the border', () => {
    const shift = createWarp([1, 0, (2 * 2) / (size - 1), 0, 1, 0], new Array<number>(25).fill(0))
    const moved = warpPixels(picture, size, shift)
    expect([...column(moved, 3)]).toEqual([...column(picture, 5)])
    // Two pixels beyond the last one stands the one two before it.
    expect([...column(moved, size - 1)]).toEqual([...column(picture, size - 3)])
  })
})

describe('equivariance', () => {
  const config = smallConfig({ net: 'lednet', size: 64, keypoints: 1 })
  const frame = new Uint8Array(64 * 64 * 3)
  // Under this warp a frame shows at z what stood at 0.9 z + (0.1, 0): a point p moves to (p - (0.1, 0)) / 0.9.
  const warp = createWarp([0.9, 0, 0.1, 0, 0.9, 0], new Array<number>(25).fill(0))

  function detector(...found: Keypoints[]) {
    return { config, detect: async () => found.shift()! }
  }
  const at = (x: number, y: number, scale: number): Keypoints => ({
    value: Float32Array.of(x, y),
    jacobian: Float32Array.of(scale, 0, 0, scale),
  })

  it('is 0 for points and maps that move along', async () => {
    const model = detector(at(0.46, 0.18, 1), at(0.4, 0.2, 1 / 0.9))
    const { value, jacobian } = await measureEquivariance(model, frame, warp)
    expect(value).toBeCloseTo(0, 6)
    expect(jacobian).toBeCloseTo(0, 6)
  })

  it('tells points and maps that stay', async () => {
    const model = detector(at(0.46, 0.18, 1), at(0.46, 0.18, 1))
    const { value, jacobian } = await measureEquivariance(model, frame, warp)
    expect(value).toBeCloseTo((0.054 + 0.018) / 2, 6)
    expect(jacobian).toBeCloseTo(0.05, 6)
  })
})
