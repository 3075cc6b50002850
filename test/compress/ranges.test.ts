import { describe, expect, test } from 'vitest'
import { chooseRange, Histogram } from '../../src/compress/calibration.ts'
import { rangeMethods } from '../../src/compress/options.ts'
import { Random } from '../../src/util/random.ts'

/** Many small numbers, and a few that are far out. */
function withOutliers(): { histogram: Histogram; numbers: Float32Array } {
  const random = new Random(1)
  const numbers = Float32Array.from({ length: 50_000 }, () => random.normal())
  numbers[17] = 60
  numbers[4711] = -45
  const histogram = new Histogram()
  for (let at = 0; at < numbers.length; at += 1000) histogram.add(numbers.subarray(at, at + 1000))
  return { histogram, numbers }
}

const meanError = (numbers: Float32Array, [low, high]: readonly [number, number]) => {
  const step = (high - low) / 255
  const error = (x: number) => Math.min(high, Math.max(low, Math.round(x / step) * step)) - x
  return numbers.reduce((sum, x) => sum + error(x) ** 2, 0) / numbers.length
}

describe('a histogram', () => {
  test('counts every number, however far out the later ones are', () => {
    const { histogram, numbers } = withOutliers()
    const bins = [...histogram.bins()]
    expect(bins.reduce((sum, [, count]) => sum + count, 0)).toBe(numbers.length)
    expect(histogram.range).toEqual([-45, 60])
    const mean = bins.reduce((sum, [x, count]) => sum + x * count, 0) / numbers.length
    expect(mean).toBeCloseTo(numbers.reduce((a, b) => a + b, 0) / numbers.length, 2)
  })

  test('passes over numbers that are not finite, and holds zeros alone', () => {
    const histogram = new Histogram()
    histogram.add(Float32Array.of(Number.NaN, 1, Number.POSITIVE_INFINITY, -2))
    expect(histogram.range).toEqual([-2, 1])
    const zeros = new Histogram()
    zeros.add(new Float32Array(8))
    for (const method of rangeMethods) expect(chooseRange(method, zeros)).toEqual([0, 0])
  })
})

describe('ranges', () => {
  test('min-max holds all numbers, and the others clip what is far out', () => {
    const { histogram } = withOutliers()
    expect(chooseRange('minmax', histogram)).toEqual([-45, 60])
    for (const method of ['percentile', 'entropy', 'mse'] as const) {
      const [low, high] = chooseRange(method, histogram)
      expect(high - low, method).toBeLessThan(method === 'mse' ? 104 : 80)
      expect(low).toBeLessThan(-2)
      expect(high).toBeGreaterThan(2)
    }
  })

  test('mean squared error is least of all', () => {
    const { histogram, numbers } = withOutliers()
    const error = (method: (typeof rangeMethods)[number]) =>
      meanError(numbers, chooseRange(method, histogram))
    expect(error('mse')).toBeLessThan(error('minmax'))
    for (const method of rangeMethods) expect(error('mse')).toBeLessThanOrEqual(1.001 * error(method))
  })

  test('numbers above 0 keep a range that begins at 0', () => {
    const random = new Random(2)
    const histogram = new Histogram()
    histogram.add(Float32Array.from({ length: 20_000 }, () => Math.max(0, random.normal())))
    for (const method of rangeMethods) expect(chooseRange(method, histogram)[0]).toBeGreaterThanOrEqual(0)
  })
})
