import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { constant, gradient, input, maxPool, mul, reduceSum } from '../../src/graph/ops/index.ts'
import { type Shape, sizeOf } from '../../src/graph/tensor.ts'
import { maxUnpool } from '../../src/layers/upsampling.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { noise } from '../zoo/build.ts'

/** Unpooling against a plain loop that writes one window after the other, as PyTorch's does. */

const pools = [
  { kernel: 2, stride: 2, padding: 0, shape: [2, 3, 8, 12] },
  { kernel: 3, stride: 2, padding: 1, shape: [2, 3, 8, 12] },
  { kernel: 3, stride: 2, padding: 1, shape: [3, 2, 2, 2] },
  { kernel: 3, stride: 2, padding: 1, shape: [1, 2, 2, 9] },
  { kernel: 3, stride: 1, padding: 1, shape: [2, 2, 7, 6] },
  { kernel: 5, stride: 2, padding: 2, shape: [2, 2, 9, 10] },
]

async function unpool({ kernel, stride, padding, shape }: (typeof pools)[number]) {
  const graph = new Graph()
  const pads = [padding, padding, padding, padding] as const
  const source = input(graph, 'source', 'float32', shape)
  const pooled = maxPool(source, [kernel, kernel], { strides: [stride, stride], pads })
  const values = input(graph, 'values', 'float32', pooled.value.shape)
  const result = maxUnpool(values, pooled.index, shape, { kernel, stride })
  const weights = noise(shape, 3)
  const [slope] = gradient(reduceSum(mul(result, constant(graph, weights))), [values])
  graph.output('result', result)
  graph.output('index', pooled.index)
  graph.output('slope', slope!)
  const feeds = { source: noise(shape, 1), values: noise(values.shape, 2) }
  const outputs = await evaluate(graph, feeds)
  const index = Array.from(outputs.index!.data, Number)
  return {
    result: outputs.result!,
    slope: outputs.slope!,
    index,
    given: feeds.values.data,
    weights: weights.data,
  }
}

/** The window that wrote last at each pixel; -1 where none did. */
function lastWriters(index: readonly number[], shape: Shape): number[] {
  const writers = new Array<number>(sizeOf(shape)).fill(-1)
  index.forEach((at, window) => {
    writers[at] = window
  })
  return writers
}

describe.each(pools)('a $kernel x $kernel pool of stride $stride over [$shape]', (pool) => {
  it('is undone: each pixel has the value of the last window that chose it, or 0', async () => {
    const { result, index, given } = await unpool(pool)
    const expected = lastWriters(index, pool.shape).map((window) => (window < 0 ? 0 : given[window]!))
    expect(Array.from(result.data, Number)).toEqual(expected)
  })

  it('gives the gradient of a pixel to the value that stays there, and none to others', async () => {
    const { slope, index, weights } = await unpool(pool)
    const writers = lastWriters(index, pool.shape)
    const expected = index.map((at, window) => (writers[at] === window ? weights[at]! : 0))
    expect(Array.from(slope.data, Number)).toEqual(expected)
  })
})

it('meets windows with a maximum in common in these tests', async () => {
  const { index } = await unpool(pools[1]!)
  expect(new Set(index).size).toBeLessThan(index.length)
})
