import { describe, expect, test } from 'vitest'
import { verify } from '../../src/graph/graph.ts'
import { toPlain } from '../../src/graph/ops/leaf.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { fromOnnx } from '../../src/onnx/import.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { feedsOf, weightsFor, worstDifference } from './feeds.ts'
import { graphs } from './graphs.ts'

/** Graphs of which every op is one ONNX node: their bytes are the same after the first trip. */
const exact = ['arithmetic', 'choices', 'leaves', 'pools', 'shapes', 'unary']

describe.each(Object.entries(graphs))('%s', (name, build) => {
  const first = toOnnx(build(), { weights: weightsFor(build()), metadata: { kind: 'test', version: '1' } })
  const again = (bytes: Uint8Array) => {
    const { graph, weights, metadata } = fromOnnx(bytes)
    verify(graph)
    return toOnnx(graph, { weights, metadata: Object.fromEntries(metadata) })
  }

  test.runIf(exact.includes(name))('comes back as the same bytes', () => {
    expect(again(first)).toEqual(first)
  })

  test('is stable from the second trip on', () => {
    const second = again(first)
    expect(again(second)).toEqual(second)
  })

  test('computes the same after a trip', async () => {
    const graph = build()
    const feeds = feedsOf(graph)
    const before = await evaluate(graph, feeds, weightsFor(graph))
    const { graph: copy, weights } = fromOnnx(first)
    const after = await evaluate(copy, feeds, weights)
    for (const [output, value] of Object.entries(before)) {
      expect(worstDifference(after[output]!, toPlain(value).data)).toBeLessThan(1e-5)
    }
  })

  test('keeps what its weights are', () => {
    const { graph } = fromOnnx(first)
    const roles = (of: typeof graph) =>
      of.nodes
        .filter((node) => node.op.name === 'parameter')
        .map(({ attrs }) => `${attrs.name}: ${attrs.role}`)
    expect(new Set(roles(graph))).toEqual(new Set(roles(build())))
  })
})
