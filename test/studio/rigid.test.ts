import { describe, expect, test } from 'vitest'
import { follow, link, turned } from '../../studio/src/core/rigid.ts'
import { spreadOf } from '../../studio/src/core/strings.ts'

/** A body of a few points, and an arm that stretches to the right. */
const points = [
  ...[-0.3, -0.2, -0.1].flatMap((x) => [0, 0.1, 0.2].map((y) => [x, y])),
  ...[0, 0.1, 0.2, 0.3, 0.4].map((x) => [x, 0.1]),
]
const spread = spreadOf(points)
const hand = points.length - 1
const length = (value: readonly (readonly number[])[], i: number, j: number) =>
  Math.hypot(value[i]![0]! - value[j]![0]!, value[i]![1]! - value[j]![1]!)

describe('points that follow', () => {
  test('stay if nothing is put elsewhere', () => {
    for (const places of [new Map(), new Map([[hand, points[hand]!]])]) {
      const { value, turns } = follow(points, places, spread)
      value.forEach((p, i) => {
        expect(p[0]).toBeCloseTo(points[i]![0]!, 9)
        expect(p[1]).toBeCloseTo(points[i]![1]!, 9)
        expect(turns[i]![0]).toBeCloseTo(1, 9)
      })
    }
  })

  test('turn an arm by its hand, and keep its length', () => {
    const place = [0.3, -0.2]
    const { value, turns } = follow(points, new Map([[hand, place]]), spread)
    expect(value[hand]).toEqual(place)
    const at = (i: number) => length(value, hand, i) / length(points, hand, i)
    expect(at(hand - 1)).toBeGreaterThan(0.85)
    expect(at(hand - 1)).toBeLessThan(1.25)
    // If the hand went alone, the last part of the arm would be three times as long.
    expect(Math.hypot(place[0]! - points[hand - 1]![0]!, place[1]! - points[hand - 1]![1]!)).toBeGreaterThan(
      0.3,
    )
    // The arm turns upwards, the hand most.
    expect(turns[hand]![1]).toBeLessThan(-0.2)
    expect(Math.abs(turns[0]![1]!)).toBeLessThan(Math.abs(turns[hand]![1]!))
    expect(turned(turns[hand]!, [1, 0])[1]).toBeLessThan(-0.2)
  })

  test('go along as one if all of some are put elsewhere alike', () => {
    const places = new Map([0, 4, hand].map((i) => [i, [points[i]![0]! + 0.05, points[i]![1]! - 0.04]]))
    const { value } = follow(points, places, spread)
    value.forEach((p, i) => {
      expect(Math.hypot(p[0]! - points[i]![0]! - 0.05, p[1]! - points[i]![1]! + 0.04)).toBeLessThan(0.03)
    })
  })

  test('are all where they are put, if each is', () => {
    const places = new Map(points.map((p, i) => [i, [p[1]!, p[0]!]]))
    expect(follow(points, places, spread).value).toEqual([...places.values()])
  })

  test('are linked less if they are apart', () => {
    expect(link(0)).toBe(1)
    expect(link(0.5)).toBeGreaterThan(link(1))
  })
})
