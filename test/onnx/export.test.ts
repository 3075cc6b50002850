import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { add } from '../../src/graph/ops/arithmetic.ts'
import { input, parameter, toPlain } from '../../src/graph/ops/leaf.ts'
import { relu } from '../../src/graph/ops/unary.ts'
import { interpret, liveNodes } from '../../src/graph/rewrite.ts'
import { tensor } from '../../src/graph/tensor.ts'
import { NodeCollector, producer } from '../../src/onnx/emitter.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { createSession, evaluate } from '../../src/runtime/node.ts'
import { feedsOf, someTensor, weightsFor, worstDifference } from './feeds.ts'
import { graphs } from './graphs.ts'

describe.each(Object.entries(graphs))('%s', (_, build) => {
  test('runs in ONNX Runtime as the plain references say', async () => {
    const graph = build()
    const feeds = feedsOf(graph)
    const weights = weightsFor(graph)
    const results = await evaluate(graph, feeds, weights)
    const plain = interpret(liveNodes(graph), (node) => {
      const name = String(node.attrs.name)
      const leaf = feeds[name] ?? weights.get(name)
      return leaf === undefined ? undefined : toPlain(leaf).data
    })
    for (const [name, value] of graph.outputs) {
      const got = results[name]!
      expect(got.dtype).toBe(value.dtype)
      expect(got.shape).toEqual(value.shape)
      expect(worstDifference(got, plain.get(value)!)).toBeLessThan(1e-5)
    }
  })

  test('gives the same bytes twice', () => {
    const weights = weightsFor(build())
    expect(toOnnx(build(), { weights })).toEqual(toOnnx(build(), { weights }))
  })
})

describe('names', () => {
  test('say where a node comes from, and outputs keep theirs', () => {
    const text = new TextDecoder().decode(toOnnx(graphs.arithmetic!()))
    expect(text).toContain('block/first/Add')
    expect(text).toContain('block/first/Add_1')
  })

  test('of a leaf and an output are different', () => {
    const graph = new Graph()
    graph.output('x', relu(input(graph, 'x', 'float32', [2])))
    expect(() => toOnnx(graph)).toThrowErrorMatchingInlineSnapshot(`
      [InputError: the output "x" has the name of an input or a parameter
        expected: a name of its own, since an ONNX file has one name for one value
        remedy:   give the output another name]
    `)
  })

  test('stand for one leaf each', () => {
    const graph = new Graph()
    graph.output('y', add(input(graph, 'x', 'float32', [2]), input(graph, 'x', 'float32', [1])))
    expect(() => toOnnx(graph)).toThrowErrorMatchingInlineSnapshot(`
      [InputError: the name "x" cannot stand for a leaf of the graph
        got:      input float32[2] and input float32[1]
        expected: a name of one letter or more, for leaves of one kind, type and shape
        remedy:   give them different names]
    `)
  })
})

describe('weights', () => {
  const build = () => {
    const graph = new Graph()
    graph.output('y', relu(parameter(graph, 'net.w', [2, 3], { kind: 'fill', value: 1 }, 'weight')))
    return graph
  }

  test('that are missing are named', () => {
    expect(() => toOnnx(build())).toThrowErrorMatchingInlineSnapshot(`
      [InputError: net.w: the weights lack a parameter
        got:      0 others
        expected: float32[2, 3]
        remedy:   give the weights of this very network, or initialise them first]
    `)
  })

  test('of another shape are refused', () => {
    const weights = new Map([['net.w', someTensor('float32', [3, 2])]])
    expect(() => toOnnx(build(), { weights })).toThrowErrorMatchingInlineSnapshot(`
      [InputError: net.w: a parameter has other weights than it needs
        got:      float32[3, 2]
        expected: float32[2, 3]
        remedy:   give the weights of this very network, or initialise them first]
    `)
  })

  test('can be fed instead', async () => {
    const session = await createSession(toOnnx(build(), { feedParameters: true }), { device: 'cpu' })
    expect([...session.inputs.keys()]).toEqual(['net.w'])
    await session.close()
  })
})

test('more than a file can hold is refused before any of it is copied', () => {
  const graph = new Graph()
  const size = 2 ** 29
  graph.output('y', relu(parameter(graph, 'huge.w', [size], { kind: 'fill', value: 1 }, 'weight')))
  // Memory that is never touched is never taken.
  const weights = new Map([['huge.w', tensor('float32', [size], new Float32Array(size))]])
  expect(() => toOnnx(graph, { weights })).toThrowErrorMatchingInlineSnapshot(`
    [InputError: the model is too large for one ONNX file
      got:      2.15 GB, of which 2.15 in "huge.w"
      expected: less than 2 GB
      remedy:   feed the parameters instead of writing them, or compute large constants in the graph]
  `)
})

test('an op of another domain is written with that domain', () => {
  const emitter = new NodeCollector([], new Set())
  const names = emitter.node('com.microsoft.FusedMatMul', ['a', 'b'], { transB: 1, alpha: { float: 1 } })
  expect(names).toEqual(['FusedMatMul'])
  expect(emitter.nodes[0]).toMatchObject({ domain: 'com.microsoft', opType: 'FusedMatMul' })
  expect(() => emitter.node('Elu', ['a'], { alpha: 0.5 })).toThrowErrorMatchingInlineSnapshot(`
    [GraphError: Elu: the attribute "alpha" is no whole number
      got:      0.5
      remedy:   write a float attribute as { float: value } in the ONNX form of the op]
  `)
})

test('the producer is this version of pantin', async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'))
  expect(producer.version).toBe(version)
})
