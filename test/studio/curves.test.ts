import { expect, test } from 'vitest'
import { distilLosses, trainLosses } from '../../src/train/losses.ts'
import { curvePointsOf, curveTitle, type Point, smoothed, valueAt } from '../../studio/src/core/curves.ts'

/** Curves of the studio: what lines of metrics say, and smoothing. */

test('lines of metrics give the loss, its terms, and the error on held-out frames', () => {
  const points = curvePointsOf([
    { step: 10, elapsed: 1, learningRate: 0.1, loss: 2, flow: 0.5, perceptual: 0, gradientNorm: 7 },
    { step: 10, elapsed: 1, preview: { l1: 0.1, still: 0.4 } },
    { step: 10, elapsed: 1, preview: { distance: 0.1 } },
    { step: 20, loss: null },
  ])
  expect(points).toEqual([
    { step: 10, loss: 2, terms: { flow: 0.5 } },
    { step: 10, heldOut: { l1: 0.1, still: 0.4 } },
  ])
  expect(points.map((point) => valueAt(point, 'loss'))).toEqual([2, undefined])
  expect(points.map((point) => valueAt(point, 'flow'))).toEqual([0.5, undefined])
  expect(points.map((point) => valueAt(point, 'heldOut'))).toEqual([undefined, 0.25])
})

test('each loss has a name for people', () => {
  for (const name of [...trainLosses.names, ...distilLosses.names])
    expect(curveTitle(name), name).not.toBe(name)
})

test('smoothing gives the mean of neighbours, and leaves steps and straight curves as they are', () => {
  const points = [4, 0, 8, 0, 4, 2].map((y, x): Point => [x, y])
  expect(smoothed(points, 0)).toEqual(points)
  expect(smoothed(points, 0.2)).toEqual(points)
  expect(smoothed(points, 0.4)).toEqual([
    [0, 2],
    [1, 4],
    [2, 8 / 3],
    [3, 4],
    [4, 2],
    [5, 3],
  ])
  const flat = Array.from({ length: 50 }, (_, x): Point => [x, 3])
  for (const [, y] of smoothed(flat, 0.2)) expect(y).toBeCloseTo(3, 12)
})
