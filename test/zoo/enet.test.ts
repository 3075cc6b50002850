import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { input } from '../../src/graph/ops/leaf.ts'
import { Scope } from '../../src/layers/scope.ts'
import { profileNet } from '../../src/profile/profile.ts'
import { findNet } from '../../src/zoo/registry.ts'
import { expectNearInHalves } from './build.ts'

/** ENet and ERFNet: what their references cost, parameters that nothing reads included, and their skips. */

const references = [
  { name: 'enet', params10: 357_974, params19: 360_422, macs10: 30.87e6, macs19: 4.121e9 },
  { name: 'erfnet', params10: 2_064_896, params19: 2_066_642, macs10: 207.26e6, macs19: 26.604e9 },
]

describe.each(references)('$name', ({ name, params10, params19, macs10, macs19 }) => {
  it('costs what its reference costs', () => {
    const small = profileNet(name, { outputs: 10, input: [3, 64, 64] })
    const large = profileNet(name, { outputs: 19, input: [3, 512, 1024] })
    expect([small.params, large.params]).toEqual([params10, params19])
    expect(Math.abs(small.macs / macs10 - 1)).toBeLessThan(0.005)
    expect(Math.abs(large.macs / macs19 - 1)).toBeLessThan(0.005)
  })
})

it('the original ENet has about as many parameters as the paper says, 0.37 million', () => {
  const { params, unusedParams } = profileNet('enet-original', { outputs: 19, input: [3, 64, 64] })
  expect(Math.abs(params - 0.37e6)).toBeLessThan(0.01e6)
  expect(unusedParams).toBe(0)
})

it('ENet, whose places of maxima are whole numbers, computes in half precision too', () =>
  expectNearInHalves(findNet('enet')))

describe.each(['enet', 'enet-original', 'erfnet'])('%s as a backbone', (name) => {
  const features = (skip: 'none' | 'sum' | 'gated') => {
    const graph = new Graph()
    const scope = Scope.root(graph, { training: false })
    const x = input(graph, 'x', 'float32', [2, 3, 32, 64])
    const { deep, shallow } = findNet(name).features(scope, x, { channels: 8, skip })
    const skips = [...scope.parameters.keys()].filter((key) => key.includes('skip.'))
    return { maps: [deep, ...shallow].map(({ value, stride }) => [stride, ...value.shape]), skips }
  }

  it('gives its decoder’s map at 1/2 and its encoder’s at 1/2 and 1/4', () => {
    expect(features('none').maps).toEqual([
      [2, 2, 16, 16, 32],
      [2, 2, 16, 16, 32],
      [4, 2, 64, 8, 16],
    ])
  })

  it('takes a skip at 1/4 where it is asked to', () => {
    expect(features('none').skips).toEqual([])
    expect(features('sum').skips).toHaveLength(2)
    expect(features('gated').skips).toHaveLength(4)
  })
})
