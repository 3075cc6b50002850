import { expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { input } from '../../src/graph/ops/leaf.ts'
import { floats, sizeOf, type Tensor } from '../../src/graph/tensor.ts'
import { pfcu } from '../../src/layers/erfnet.ts'
import { Scope } from '../../src/layers/scope.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { noise } from '../zoo/build.ts'

it('updates the shared norm’s running statistics once for each branch, in order', async () => {
  const graph = new Graph()
  const scope = Scope.root(graph, { training: true })
  pfcu(scope, input(graph, 'x', 'float32', [2, 4, 8, 8]))
  for (const kind of ['mean', 'var']) graph.output(kind, scope.updates.get(`bn2.running_${kind}`)!)
  expect([...scope.updates.keys()].sort()).toEqual(
    ['bn1', 'bn2'].flatMap((norm) => [`${norm}.running_mean`, `${norm}.running_var`]),
  )

  // With kernels of 0, each branch is its last bias everywhere: that is its mean, and its variance is 0.
  const branch: Record<string, number> = { conv1x3_22: 1, conv1x3_25: 10, conv1x3_29: 100 }
  const weights = new Map<string, Tensor>()
  for (const [name, { shape }] of scope.parameters) {
    const [layer, kind] = name.split('.') as [string, string]
    const one = kind === 'running_var' || (layer.startsWith('bn') && kind === 'weight')
    const fill = one ? 1 : kind === 'bias' ? (branch[layer] ?? 0) : 0
    weights.set(name, floats(new Array<number>(sizeOf(shape)).fill(fill), shape))
  }
  const result = await evaluate(graph, { x: noise([2, 4, 8, 8], 1) }, weights)
  for (const mean of result.mean!.data) {
    expect(Number(mean)).toBeCloseTo(0.1 * (0.81 * 1 + 0.9 * 10 + 100), 4)
  }
  for (const variance of result.var!.data) expect(Number(variance)).toBeCloseTo(0.9 ** 3, 6)
})
