import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { axisCoordinates } from '../../../src/layers/fomm.ts'
import { regrid } from '../../../src/train/distil/labels.ts'

const size = fc.integer({ min: 2, max: 9 })

/** Sum and mean coordinates of one map. */
function moments(map: Float32Array, h: number, w: number) {
  const [ys, xs] = [axisCoordinates(h), axisCoordinates(w)]
  let [sum, x, y] = [0, 0, 0]
  map.forEach((mass, i) => {
    sum += mass
    x += mass * xs[i % w]!
    y += mass * ys[Math.floor(i / w)]!
  })
  return { sum, x, y }
}

describe('maps of one grid on another', () => {
  test('mass keeps its sum and its mean coordinate, finer and coarser', () => {
    fc.assert(
      fc.property(
        size,
        size,
        size,
        size,
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (h, w, th, tw, mass) => {
          const map = Float32Array.from({ length: h * w }, () => mass.next().value as number)
          const [before, after] = [
            moments(map, h, w),
            moments(regrid('mass', [1, h, w], [th, tw])(map), th, tw),
          ]
          for (const part of ['sum', 'x', 'y'] as const) expect(after[part]).toBeCloseTo(before[part], 3)
        },
      ),
    )
  })

  test('means keep what is constant or linear', () => {
    const [from, to] = [6, 3]
    const line = Float32Array.from(
      axisCoordinates(from).flatMap((y) => axisCoordinates(from).map((x) => 2 + x - y)),
    )
    const found = regrid('mean', [1, from, from], [to, to])(line)
    expect(found[4]).toBeCloseTo(2, 5)
    const ones = regrid('mean', [2, from, from], [to, to])(new Float32Array(2 * from * from).fill(1))
    for (const value of ones) expect(value).toBeCloseTo(1, 6)
  })

  test('each channel stays its own', () => {
    const maps = new Float32Array([1, 0, 0, 0, 0, 0, 0, 1])
    const found = regrid('mass', [2, 2, 2], [3, 3])(maps)
    expect([...found.subarray(0, 9)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0])
    expect([...found.subarray(9)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1])
  })
})
