import { describe, expect, it } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { gradient, input, mul, reduceSum } from '../../src/graph/ops/index.ts'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { liveNodes } from '../../src/graph/rewrite.ts'
import { floats, sizeOf } from '../../src/graph/tensor.ts'
import { conv2d } from '../../src/layers/conv2d.ts'
import { Scope } from '../../src/layers/scope.ts'
import { doubledConv2d } from '../../src/layers/upsampling.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { Random } from '../../src/util/random.ts'

type Layer = (scope: Scope, x: Value) => Value

const wave = (shape: readonly number[]) =>
  floats(
    Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(1 + i * i)),
    shape,
  )

/** What a layer computes, and the gradients to its input and parameters under a weighted sum of the results. */
async function measure(layer: Layer, shape: readonly number[], training: boolean) {
  const graph = new Graph()
  const scope = Scope.root(graph, { training })
  const x = input(graph, 'x', 'float32', shape)
  const y = layer(scope, x)
  const g = input(graph, 'g', 'float32', y.shape)
  const names = [...scope.parameters.keys()]
  const wrt = [x, ...scope.parameters.values()]
  const grads = gradient(reduceSum(mul(y, g)), wrt)
  graph.output('y', y)
  grads.forEach((value, i) => {
    graph.output(`d ${['x', ...names][i]}`, value)
  })
  const weights = initialise(parametersOf(graph), new Random(7))
  const results = await evaluate(graph, { x: wave(shape), g: wave(y.shape) }, weights)
  return { results, ops: liveNodes(graph).map(({ op }) => op.name) }
}

/** Largest difference of any result, relative to the largest value of it. */
function worst(a: Record<string, { data: ArrayLike<unknown> }>, b: typeof a): number {
  const errors = Object.entries(a).map(([name, { data }]) => {
    const [left, right] = [Array.from(data, Number), Array.from(b[name]!.data, Number)]
    const largest = Math.max(...left.map(Math.abs))
    return Math.max(...left.map((value, i) => Math.abs(value - right[i]!))) / largest
  })
  return Math.max(...errors)
}

describe('convolutions in training', () => {
  it.each([
    ['3x3 with a bias', [2, 4, 3, 5], 6, true],
    ['3x3 without', [1, 3, 4, 4], 2, false],
    ['few pixels, many channels', [2, 8, 2, 2], 40, true],
  ] as const)('of a doubled map: as on the resized one, %s', async (_, shape, outputs, bias) => {
    const layer: Layer = (scope, x) => doubledConv2d(scope, x, outputs, { bias })
    const [trained, plain] = [await measure(layer, shape, true), await measure(layer, shape, false)]
    expect(plain.ops).toContain('resize')
    expect(trained.ops).not.toContain('resize')
    expect(Object.keys(trained.results)).toEqual(Object.keys(plain.results))
    expect(worst(plain.results, trained.results)).toBeLessThan(2e-6)
  })

  it.each([
    ['padded', [2, 5, 3, 2], { kernel: 3 }],
    ['strided', [1, 4, 5, 4], { kernel: 3, stride: 2 }],
    ['dilated, without a bias', [2, 3, 4, 4], { kernel: [3, 1], dilation: [2, 1], bias: false }],
  ] as const)('of few pixels: as one product of columns, %s', async (_, shape, options) => {
    const layer: Layer = (scope, x) => conv2d(scope, x, 48, options)
    const [trained, plain] = [await measure(layer, shape, true), await measure(layer, shape, false)]
    expect(plain.ops).toContain('conv')
    expect(trained.ops).not.toContain('conv')
    expect(worst(plain.results, trained.results)).toBeLessThan(2e-6)
  })

  it('differ where they should', async () => {
    const three = await measure((scope, x) => conv2d(scope, x, 4, { kernel: 3 }), [1, 2, 4, 4], true)
    const dilated = (scope: Scope, x: Value) => conv2d(scope, x, 4, { kernel: 3, dilation: 2 })
    expect(worst(three.results, (await measure(dilated, [1, 2, 4, 4], true)).results)).toBeGreaterThan(0.01)
  })
})
