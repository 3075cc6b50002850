// Motion transfer, absolute and relative, and the convex hull that scales it.
import { describe, expect, it } from 'vitest'
import { createTransfer, hullArea, movementScale } from '../../src/animate/transfer.ts'
import type { Keypoints } from '../../src/model/keypoint-detector.ts'
import { movedKeypoints as moved, randomKeypoints } from './support.ts'

function expectClose(a: ArrayLike<number>, b: ArrayLike<number>, tolerance = 1e-5): void {
  expect(a.length).toBe(b.length)
  for (let i = 0; i < a.length; i++) expect(Math.abs(a[i]! - b[i]!), `entry ${i}`).toBeLessThan(tolerance)
}

describe('the convex hull', () => {
  it('has the area of a polygon, whatever lies inside it', () => {
    expect(hullArea([0, 0, 2, 0, 2, 1, 0, 1])).toBeCloseTo(2, 12)
    expect(hullArea([1, 0.5, 2, 1, 0, 0, 0.3, 0.7, 0, 1, 2, 0, 1, 0])).toBeCloseTo(2, 12)
    expect(hullArea([-1, -1, 1, -1, 0, 1])).toBeCloseTo(2, 12)
  })

  it('has none for points that are few, equal, on a line or not finite', () => {
    for (const points of [[], [1, 1], [0, 0, 1, 1], [0, 0, 1, 1, 2, 2, -3, -3], [1, 1, 1, 1, 1, 1]]) {
      expect(hullArea(points)).toBe(0)
    }
    expect(hullArea([0, 0, 1, 0, Number.NaN, 1])).toBe(0)
  })
})

describe('relative transfer', () => {
  const source = randomKeypoints(1)
  const initial = randomKeypoints(2)
  const driving = randomKeypoints(3)

  it("gives the source's keypoints where the driving frame is the reference", () => {
    const { value, jacobian } = createTransfer(source, initial)(initial)
    expectClose(value, source.value)
    expectClose(jacobian!, source.jacobian!)
  })

  it('gives the driving keypoints where the reference has those of the source', () => {
    const { value, jacobian } = createTransfer(source, source)(driving)
    expectClose(value, driving.value)
    expectClose(jacobian!, driving.jacobian!)
  })

  it('moves by as much as the driving points, scaled by the sizes of the two', () => {
    const small = moved(source, 0.5, 0.1, 0)
    expect(movementScale(source, small)).toBeCloseTo(2, 5)
    const next = moved(small, 1, 0.05, -0.02)
    const scaled = createTransfer(source, small)(next)
    expectClose(scaled.value, moved(source, 1, 0.1, -0.04).value)
    const plain = createTransfer(source, small, { adaptMovementScale: false })(next)
    expectClose(plain.value, moved(source, 1, 0.05, -0.02).value)
  })

  it('multiplies maps in the order J_driving J_initial⁻¹ J_source', () => {
    const of = (entries: number[]): Keypoints => ({
      value: Float32Array.of(0, 0),
      jacobian: Float32Array.from(entries),
    })
    const transfer = createTransfer(of([1, 2, 0, 1]), of([2, 0, 0, 1]))
    // [0 -1; 1 0] [0.5 0; 0 1] [1 2; 0 1]; the other order would give another matrix.
    expectClose(transfer(of([0, -1, 1, 0])).jacobian!, [0, -1, 0.5, 1])
  })

  it('inverts maps down to a determinant of 0.001, and keeps the map of the source below it', () => {
    const scaled = (by: number): Keypoints => ({
      value: Float32Array.of(0, 0),
      jacobian: Float32Array.of(by, 0, 0, by),
    })
    const [start, unit] = [scaled(3), scaled(1)]
    // The determinant of a map that scales by s is s².
    for (const by of [0.035, 0.1, 0.3]) {
      expectClose(createTransfer(start, unit)(scaled(by)).jacobian!, [3 * by, 0, 0, 3 * by])
      expectClose(createTransfer(start, scaled(by))(unit).jacobian!, [3 / by, 0, 0, 3 / by], 1e-4)
    }
    expectClose(createTransfer(start, unit)(scaled(0.03)).jacobian!, start.jacobian!)
    expectClose(createTransfer(start, scaled(0.03))(unit).jacobian!, start.jacobian!)
  })

  it('survives hulls without area and maps without inverse', () => {
    const point = { value: new Float32Array(12), jacobian: new Float32Array(24) }
    expect(movementScale(source, point)).toBe(1)
    const { value, jacobian } = createTransfer(source, point)(driving)
    expect([...value, ...jacobian!].every(Number.isFinite)).toBe(true)
    expectClose(jacobian!, source.jacobian!)
    const speck = moved(source, 0.06, 0, 0)
    expect(movementScale(source, speck)).toBe(4)
  })

  it('leaves maps out for a model of points alone', () => {
    const points = { value: source.value, jacobian: undefined }
    expect(createTransfer(points, points)(points).jacobian).toBeUndefined()
  })

  it('passes driving keypoints through where it is absolute', () => {
    expect(createTransfer(source, initial, { absolute: true })(driving)).toBe(driving)
  })
})
