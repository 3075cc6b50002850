import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { input } from '../../src/graph/ops/leaf.ts'
import { Scope } from '../../src/layers/scope.ts'
import { profileNet } from '../../src/profile/profile.ts'
import { findNet } from '../../src/zoo/registry.ts'

/** Networks built from what their papers say: the counts that their headers give, and that they say so. */

const names = ['lrdnet', 'laednet-s', 'laednet-m', 'laednet-l'] as const

describe.each(names)('%s', (name) => {
  it('says that it is a reconstruction, and names no licence', () => {
    expect(findNet(name).reconstruction).toBe(true)
    expect(findNet(name).licence).toBeUndefined()
  })

  it('joins the map of 1/4 by itself: a skip adds no parameters', () => {
    const parameters = (skip: 'none' | 'gated') => {
      const graph = new Graph()
      const scope = Scope.root(graph, { training: false })
      findNet(name).features(scope, input(graph, 'x', 'float32', [1, 3, 64, 64]), { channels: 32, skip })
      return [...scope.parameters.keys()]
    }
    expect(parameters('gated')).toEqual(parameters('none'))
  })
})

describe('LRDNet', () => {
  it('has the published 0.66 million parameters with 19 outputs', () => {
    const { params } = profileNet('lrdnet', { outputs: 19, input: [3, 64, 64] })
    expect(params).toBe(662_737)
  })
})

describe('LAEDNet', () => {
  it('grows from S to L', () => {
    const sizes = names.slice(1).map((name) => profileNet(name, { outputs: 10, input: [3, 64, 64] }))
    expect(sizes.map(({ params }) => params)).toEqual([3_026_112, 3_790_784, 4_437_156])
    const macs = sizes.map((size) => size.macs)
    expect([...macs].sort((a, b) => a - b)).toEqual(macs)
  })
})
