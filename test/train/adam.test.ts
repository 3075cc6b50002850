import { expect, test } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { input } from '../../src/graph/ops/leaf.ts'
import { floats, scalar } from '../../src/graph/tensor.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { adam, adamDefaults, adamInputs, adamScalars } from '../../src/train/adam.ts'

test('three steps are those of the paper, in float64', async () => {
  const graph = new Graph()
  const vector = (name: string) => input(graph, name, 'float32', [4])
  const state = { weights: vector('weights'), firstMoment: vector('m'), secondMoment: vector('v') }
  const next = adam(state, vector('grad'), adamDefaults)
  graph.output('weights.next', next.weights)
  graph.output('m.next', next.firstMoment)
  graph.output('v.next', next.secondMoment)

  const { beta1, beta2, epsilon } = adamDefaults
  const expected = { theta: [0.5, -1, 2, 0], m: [0, 0, 0, 0], v: [0, 0, 0, 0] }
  let fed = { theta: floats(expected.theta), m: floats(expected.m), v: floats(expected.v) }
  for (let step = 1; step <= 3; step++) {
    const grad = [0.1 * step, -2, 1e-4, 0]
    const { rate, correction } = adamScalars(step, 0.01, adamDefaults)
    const results = await evaluate(graph, {
      weights: fed.theta,
      m: fed.m,
      v: fed.v,
      grad: floats(grad),
      [adamInputs.rate]: scalar(rate),
      [adamInputs.correction]: scalar(correction),
    })
    grad.forEach((g, i) => {
      expected.m[i] = beta1 * expected.m[i]! + (1 - beta1) * g
      expected.v[i] = beta2 * expected.v[i]! + (1 - beta2) * g * g
      const mHat = expected.m[i]! / (1 - beta1 ** step)
      const vHat = expected.v[i]! / (1 - beta2 ** step)
      expected.theta[i]! -= (0.01 * mHat) / (Math.sqrt(vHat) + epsilon)
    })
    fed = {
      theta: floats(results['weights.next']!.data as Float32Array),
      m: floats(results['m.next']!.data as Float32Array),
      v: floats(results['v.next']!.data as Float32Array),
    }
    expect([...fed.theta.data]).toEqual(expected.theta.map((x) => expect.closeTo(x, 5)))
  }
})
