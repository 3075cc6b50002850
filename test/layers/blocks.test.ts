import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { input } from '../../src/graph/ops/leaf.ts'
import { blocks } from '../../src/layers/index.ts'
import { Scope } from '../../src/layers/scope.ts'
import { profile } from '../../src/profile/profile.ts'
import { examine, notFinite } from '../zoo/build.ts'

/** What every block must do: cost what its formula says, and train. */

const cases = blocks.flatMap((block) => block.examples.map((example) => ({ name: block.name, ...example })))

describe.each(cases)('$name, $label', ({ input: shape, build, cost }) => {
  it('costs what its formulas say', () => {
    const graph = new Graph()
    const scope = Scope.root(graph, { training: false })
    graph.output('y', build(scope, input(graph, 'x', 'float32', shape)))
    const { params, macs } = profile(graph)
    expect({ params, macs }).toEqual(cost)
  })

  it('is finite and trains every parameter', async () => {
    const { outputs, untrained } = await examine([2, ...shape.slice(1)], (scope, x) => ({
      y: build(scope, x),
    }))
    expect(notFinite(outputs)).toEqual([])
    expect(untrained).toEqual([])
  })
})

it('has a name for each block', () => {
  expect(new Set(blocks.map(({ name }) => name)).size).toBe(blocks.length)
})
