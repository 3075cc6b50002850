import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OneEuroFilter, smoother } from '../../src/model/one-euro.ts'
import { InputError } from '../../src/util/errors.ts'

const number = fc.double({ min: -1, max: 1, noNaN: true })
const smoothing = fc.record({
  minCutoff: fc.double({ min: 0.05, max: 20, noNaN: true }),
  beta: fc.double({ min: 0, max: 5, noNaN: true }),
})
const steps = fc.array(fc.record({ x: number, after: fc.double({ min: 0.001, max: 0.2, noNaN: true }) }), {
  minLength: 1,
  maxLength: 60,
})

/** What comes of a signal: one number a step. */
function filtered(
  signal: readonly { readonly x: number; readonly after: number }[],
  options: { readonly minCutoff?: number; readonly beta?: number } = {},
): number[] {
  const filter = new OneEuroFilter()
  let time = 0
  return signal.map(({ x, after }) => {
    time += after
    return filter.filter(Float32Array.of(x), time, options)[0]!
  })
}

describe('the one-euro filter', () => {
  it('leaves what rests where it is', () => {
    fc.assert(
      fc.property(number, smoothing, (x, options) => {
        const out = filtered(
          Array.from({ length: 20 }, () => ({ x, after: 0.04 })),
          options,
        )
        for (const value of out) expect(value).toBeCloseTo(x, 6)
      }),
    )
  })

  it.each([
    { minCutoff: Number.NaN },
    { minCutoff: Number.POSITIVE_INFINITY },
    { minCutoff: 0 },
    { minCutoff: -1 },
    { beta: -1 },
    { beta: Number.NaN },
  ])('refuses %j, which would make no numbers of keypoints', (smoothing) => {
    expect(() => filtered([{ x: 1, after: 0.1 }], smoothing)).toThrow(InputError)
    expect(() => smoother(smoothing)).toThrow(InputError)
  })

  it('never leaves the range of what it has seen', () => {
    fc.assert(
      fc.property(steps, smoothing, (signal, options) => {
        filtered(signal, options).forEach((value, i) => {
          const seen = signal.slice(0, i + 1).map(({ x }) => x)
          expect(value).toBeGreaterThanOrEqual(Math.min(...seen) - 1e-6)
          expect(value).toBeLessThanOrEqual(Math.max(...seen) + 1e-6)
        })
      }),
    )
  })

  it('treats each number of a vector alone', () => {
    fc.assert(
      fc.property(steps, smoothing, (signal, options) => {
        const filter = new OneEuroFilter()
        const alone = filtered(signal, options)
        let time = 0
        signal.forEach(({ x, after }, i) => {
          time += after
          const out = filter.filter(Float32Array.of(-x, x, 0.5), time, options)
          expect(out[1]).toBeCloseTo(alone[i]!, 6)
          expect(out[0]).toBeCloseTo(-alone[i]!, 6)
          expect(out[2]).toBeCloseTo(0.5, 6)
        })
      }),
    )
  })

  it('comes to where the signal stays', () => {
    fc.assert(
      fc.property(number, number, smoothing, (from, to, options) => {
        const signal = Array.from({ length: 600 }, (_, i) => ({ x: i === 0 ? from : to, after: 0.1 }))
        expect(filtered(signal, options).at(-1)).toBeCloseTo(to, 4)
      }),
      { numRuns: 50 },
    )
  })

  it('takes most of a tremor away, and lags less behind fast motion with a larger beta', () => {
    const wave = (hertz: number, size: number) =>
      Array.from({ length: 250 }, (_, i) => ({
        x: size * Math.sin((2 * Math.PI * hertz * i) / 25),
        after: 0.04,
      }))
    const range = (values: readonly number[]) => Math.max(...values) - Math.min(...values)
    expect(range(filtered(wave(8, 0.01)).slice(50))).toBeLessThan(0.35 * 0.02)
    const lag = (beta: number) => {
      const signal = wave(1, 0.8)
      const out = filtered(signal, { minCutoff: 1, beta })
      return out.reduce((sum, value, i) => sum + Math.abs(value - signal[i]!.x), 0) / out.length
    }
    expect(lag(2)).toBeLessThan(0.5 * lag(0))
  })

  it('begins anew with another length, and bears times that stand still or go back', () => {
    const filter = new OneEuroFilter()
    filter.filter(Float32Array.of(1), 5)
    expect([...filter.filter(Float32Array.of(0.5, 0.25), 6)]).toEqual([0.5, 0.25])
    for (const time of [6, 6, 2, 7]) {
      for (const value of filter.filter(Float32Array.of(0, 0), time)) {
        expect(value).toBeGreaterThanOrEqual(0)
        expect(value).toBeLessThan(0.5)
      }
    }
  })
})
