import { describe, expect, test } from 'vitest'
import { Graph, type Value } from '../../../src/graph/graph.ts'
import { constant, sigmoid } from '../../../src/graph/ops/index.ts'
import { floats } from '../../../src/graph/tensor.ts'
import { spatialSoftmax } from '../../../src/motion/keypoints.ts'
import { evaluate } from '../../../src/runtime/node.ts'
import {
  attentionDifference,
  divergence,
  featureDifference,
  heatmapDifference,
  meanDistance,
  meanSquare,
  relativeEntropy,
} from '../../../src/train/distil/losses.ts'
import { computePlain, numericGradients, probe, relativeError } from '../../support/gradcheck.ts'

const maps = (x: Value) => spatialSoftmax(x, 0.7)
const losses: Record<string, { shape: readonly number[]; build: (a: Value, b: Value) => Value }> = {
  meanSquare: { shape: [2, 3, 2], build: meanSquare },
  meanDistance: { shape: [2, 3, 2], build: meanDistance },
  heatmapDifference: { shape: [2, 3, 4, 5], build: (a, b) => heatmapDifference(maps(a), maps(b)) },
  divergence: { shape: [2, 3, 4, 5], build: (a, b) => divergence(maps(a), maps(b)) },
  attentionDifference: { shape: [2, 3, 4, 5], build: attentionDifference },
  featureDifference: { shape: [2, 3, 4, 5], build: featureDifference },
  relativeEntropy: { shape: [2, 4, 5], build: (a, b) => relativeEntropy(sigmoid(a), sigmoid(b)) },
}

describe.each(Object.entries(losses))('%s', (name, { shape, build }) => {
  test('has the gradient of central differences', () => {
    const check = probe([shape, shape], build)
    const [analytic, numeric] = [computePlain(check, check.grads), numericGradients(check)]
    expect(relativeError(analytic, numeric)).toBeLessThan(1e-5)
    const spoiled = analytic.map((grad) => grad.map((value) => value * 1.01))
    expect(relativeError(spoiled, numeric)).toBeGreaterThan(1e-3)
  })

  test('is above 0 for results that differ', () => {
    const check = probe([shape, shape], build)
    expect(computePlain(check, [check.loss])[0]![0]).toBeGreaterThan(1e-3)
  })

  // Features are compared in units of the teacher's own.
  if (name === 'featureDifference') return
  test('is 0 where student and teacher agree', () => {
    const check = probe([shape], (a) => build(a, a))
    expect(computePlain(check, [check.loss])[0]![0]).toBeLessThan(2e-4)
  })
})

test('the divergence of maps that share no cell is log 2', async () => {
  const graph = new Graph()
  const map = (...cells: number[]) => constant(graph, floats(cells, [1, 1, 1, 4]))
  graph.output('apart', divergence(map(0.5, 0.5, 0, 0), map(0, 0, 0.25, 0.75)))
  graph.output('same', divergence(map(0.5, 0.5, 0, 0), map(0.5, 0.5, 0, 0)))
  const { apart, same } = await evaluate(graph, {})
  expect(apart!.data[0]).toBeCloseTo(Math.log(2), 5)
  expect(same!.data[0]).toBeCloseTo(0, 6)
})
