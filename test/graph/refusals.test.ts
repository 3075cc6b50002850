// What no op computes is refused while the graph is built, and not when a session is made from it.
import { describe, expect, test } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import * as g from '../../src/graph/ops/index.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { GraphError } from '../../src/util/errors.ts'

const pictures = (graph: Graph) => g.input(graph, 'x', 'float32', [1, 2, 4, 4])
const kernel = (graph: Graph) => g.input(graph, 'w', 'float32', [2, 2, 3, 3])

const refused: Record<string, (x: Value, w: Value) => unknown> = {
  'a slice from half an element': (x) => g.slice(x, [0, 0, 0.5, 0], [1, 2, 4, 4]),
  'a slice by one and a half': (x) => g.slice(x, [0, 0, 0, 0], [1, 2, 4, 4], [1, 1, 1.5, 1]),
  'half an element of padding': (x) => g.pad(x, [0, 0, 0.5, 0], [0, 0, 0, 0]),
  'a convolution by steps of 0': (x, w) => g.conv(x, w, undefined, { strides: [0, 1] }),
  'a convolution by steps of one and a half': (x, w) => g.conv(x, w, undefined, { strides: [1.5, 1] }),
  'a convolution without distances': (x, w) => g.conv(x, w, undefined, { dilations: [1, 0] }),
  'a transposed convolution by steps of 0': (x, w) => g.convTranspose(x, w, undefined, { strides: [0, 1] }),
  'windows by steps of 0': (x) => g.maxPool(x, [2, 2], { strides: [0, 2] }),
  'one piece that is shorter than the axis': (x) => g.split(x, 1, [1]),
  'one piece of an axis that is not there': (x) => g.split(x, 7, [2]),
  'to join one value along an axis that is not there': (x) => g.concat([x], 9),
  'to take nothing': (x) => g.take(x, [], 1),
  'the largest along an axis that is not there': (x) => g.argMax(x, 9),
  'the sum of nothing': () => g.addAll([]),
}

describe.each(Object.entries(refused))('%s', (_, build) => {
  test('is refused', () => {
    const graph = new Graph()
    expect(() => build(pictures(graph), kernel(graph))).toThrow(GraphError)
  })
})

test('an axis from the end is that axis, for the largest too', async () => {
  const graph = new Graph()
  const x = g.constant(graph, { dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, 3, 2, 6, 5, 4) })
  const best = g.argMax(x, -1)
  expect(best.shape).toEqual([2, 1])
  graph.output('best', best)
  const { best: found } = await evaluate(graph)
  expect(found).toMatchObject({ shape: [2, 1], data: BigInt64Array.of(1n, 0n) })
})
