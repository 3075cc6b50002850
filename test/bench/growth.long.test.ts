// The part `growth` of the bench.
import { describe, expect, it } from 'vitest'
import { figuresOfGrowth, growth, power } from '../../bench/src/growth.ts'

const series = {
  name: 'track.seconds',
  title: 'tracking a clip',
  x: 'length, seconds',
  unit: 's',
  expected: 1,
  fixed: '256x256',
  how: 'made up',
} as const
const point = (x: number, value: number) => ({ x, value, least: value })

describe('growth', () => {
  it('is a power of what grows', () => {
    const of = (exponent: number) => ({
      ...series,
      points: [1, 2, 5, 9].map((x) => point(x, 3 * x ** exponent)),
    })
    expect(power(of(1))).toBeCloseTo(1, 12)
    expect(power(of(2))).toBeCloseTo(2, 12)
    expect(power({ ...series, points: [point(2, 1)] })).toBeNaN()
  })

  it('of clips is held to a flat rate', () => {
    const rate = (long: number) =>
      figuresOfGrowth([{ ...series, points: [point(2, 0.5), point(16, long)] }]).at(-1)!
    expect(rate(4)).toMatchObject({
      name: 'growth.track.rate',
      value: 100,
      ratio: 1,
      target: { atLeast: 0.9 },
    })
    expect(rate(8).ratio).toBe(0.5)
  })

  it('is measured at the values that are asked for', async () => {
    const values = { 'detector.keypoints': [5, 6], 'track.seconds': [0.4, 0.8] }
    const found = await growth({ values, rounds: 1, threads: 1 })
    expect(found.map(({ name, points }) => [name, points.map(({ x }) => x)])).toEqual(Object.entries(values))
    for (const { points } of found) {
      for (const { value, least } of points) expect(value >= least && least > 0).toBe(true)
    }
    expect(figuresOfGrowth(found).map(({ name }) => name)).toEqual([
      'growth.detector.keypoints.5',
      'growth.detector.keypoints.6',
      'growth.track.seconds.0.4',
      'growth.track.seconds.0.8',
      'growth.track.rate',
    ])
  }, 240_000)

  it('stops when it is told to', async () => {
    const reason = new Error('enough')
    await expect(growth({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
