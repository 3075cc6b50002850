import { expect, test } from 'vitest'
import { warpDefaults } from '../../src/evaluate/warp.ts'
import { Graph } from '../../src/graph/graph.ts'
import { constant } from '../../src/graph/ops/leaf.ts'
import { interpret, reachable } from '../../src/graph/rewrite.ts'
import { floats } from '../../src/graph/tensor.ts'
import { drawTransform } from '../../src/train/augment.ts'
import { type Transform, warp, warpJacobian } from '../../src/train/reconstruction/losses.ts'
import { Random } from '../../src/util/random.ts'
import { relativeError } from '../support/gradcheck.ts'

/** Warps of two pictures, far larger than in training, so that a wrong term shows. */
function drawn(graph: Graph): Transform {
  const options = { ...warpDefaults, sigmaAffine: 0.3, sigmaTps: 0.1 }
  const { theta, spline } = drawTransform(new Random(5), 2, options)
  return {
    theta: constant(graph, floats(theta, [2, 2, 3])),
    spline: constant(graph, floats(spline, [2, 25, 1])),
  }
}

function evaluate(points: readonly number[], build: typeof warp): Float64Array {
  const graph = new Graph()
  const value = build(constant(graph, floats(points, [1, points.length / 2, 2])), drawn(graph))
  return interpret(reachable([value]), () => undefined).get(value)!
}

const points = [0.11, -0.32, -0.73, 0.44, 0.91, 0.87]

test('the closed-form jacobian of a warp is its derivative', () => {
  const step = 2 ** -10
  const numeric = new Float64Array(2 * 3 * 4)
  for (let p = 0; p < 3; p++) {
    for (let axis = 0; axis < 2; axis++) {
      const moved = (by: number) =>
        evaluate(
          points.map((x, i) => (i === 2 * p + axis ? x + by : x)),
          warp,
        )
      const [ahead, behind] = [moved(step), moved(-step)]
      for (let n = 0; n < 2; n++) {
        for (let out = 0; out < 2; out++) {
          const at = (n * 3 + p) * 2 + out
          numeric[(n * 3 + p) * 4 + out * 2 + axis] = (ahead[at]! - behind[at]!) / (2 * step)
        }
      }
    }
  }
  const closed = evaluate(points, warpJacobian)
  expect(relativeError([closed], [numeric])).toBeLessThan(1e-4)
  // Negative control: the affine part alone is not the derivative.
  expect(relativeError([closed.map((x, i) => x + (i % 2) * 0.02)], [numeric])).toBeGreaterThan(1e-3)
})

test('the identity map without a spline leaves points where they are', () => {
  const graph = new Graph()
  const transform = {
    theta: constant(graph, floats([1, 0, 0, 0, 1, 0], [1, 2, 3])),
    spline: constant(graph, floats(new Float32Array(25), [1, 25, 1])),
  }
  const moved = warp(constant(graph, floats(points, [1, 3, 2])), transform)
  const values = interpret(reachable([moved]), () => undefined).get(moved)!
  expect([...values]).toEqual(points.map((x) => expect.closeTo(x, 6)))
})
