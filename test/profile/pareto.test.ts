import fc from 'fast-check'
import { expect, it } from 'vitest'
import { paretoFront } from '../../src/profile/costs.ts'

type Point = readonly [number, number]

const costs = (point: Point) => point
// Few different values, so that ties are common.
const points = fc.array(fc.tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 8 })), {
  maxLength: 30,
})
const beats = ([ax, ay]: Point, [bx, by]: Point) => ax <= bx && ay <= by && (ax < bx || ay < by)

it('holds what nothing beats, and nothing else', () => {
  fc.assert(
    fc.property(points, (all) => {
      const front = new Set(paretoFront(all, costs))
      for (const point of all) expect(front.has(point)).toBe(!all.some((other) => beats(other, point)))
    }),
  )
})

it('beats all that is not on it', () => {
  fc.assert(
    fc.property(points, (all) => {
      const front = paretoFront(all, costs)
      const rest = all.filter((point) => !front.includes(point))
      expect(rest.every((point) => front.some((best) => beats(best, point)))).toBe(true)
      expect(front.length > 0 || all.length === 0).toBe(true)
    }),
  )
})

it('depends neither on the order nor on the units', () => {
  fc.assert(
    fc.property(points, fc.integer({ min: 1, max: 1000 }), (all, unit) => {
      const front = paretoFront(all, costs)
      expect(paretoFront(all.toReversed(), costs).toReversed()).toEqual(front)
      expect(paretoFront(all, ([x, y]) => [unit * x, y + unit])).toEqual(front)
    }),
  )
})

it('is found in any number of costs', () => {
  const all = [
    [1, 2, 3],
    [1, 2, 4],
    [3, 1, 9],
    [2, 2, 2],
  ]
  expect(paretoFront(all, (point) => point)).toEqual([all[0], all[2], all[3]])
})
