import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { input } from '../../src/graph/ops/leaf.ts'
import { floats } from '../../src/graph/tensor.ts'
import { channelShuffle } from '../../src/layers/shufflenet.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { GraphError } from '../../src/util/errors.ts'

describe('channelShuffle', () => {
  it('takes one channel of each group in turn', async () => {
    const graph = new Graph()
    graph.output('y', channelShuffle(input(graph, 'x', 'float32', [1, 6, 1, 2]), 2))
    const { y } = await evaluate(graph, {
      x: floats([0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51], [1, 6, 1, 2]),
    })
    expect(Array.from(y!.data, Number)).toEqual([0, 1, 30, 31, 10, 11, 40, 41, 20, 21, 50, 51])
  })

  it('refuses channels that do not divide', () => {
    const graph = new Graph()
    expect(() => channelShuffle(input(graph, 'x', 'float32', [1, 5, 2, 2]), 2)).toThrow(GraphError)
  })
})
