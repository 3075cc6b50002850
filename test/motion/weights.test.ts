import { describe, expect, it } from 'vitest'
import { countParameters, initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { detectorGraph, generatorGraph } from '../../src/motion/model.ts'
import { Random } from '../../src/util/random.ts'

const parameters = parametersOf(generatorGraph(smallConfig({ net: 'lednet' })))

describe('initialise', () => {
  it('gives each parameter the same numbers in any order and company', () => {
    const first = initialise(parameters, new Random(42))
    const second = initialise([...parameters].reverse().slice(0, 12), new Random(42))
    for (const [name, value] of second) expect(first.get(name)).toEqual(value)
  })

  it('gives other numbers for another seed', () => {
    const name = 'generator.first.conv.weight'
    const [a, b] = [1, 2].map((seed) => initialise(parameters, new Random(seed)).get(name)!.data)
    expect(a).not.toEqual(b)
  })

  it('stays within the bounds that the layer asks for', () => {
    const weights = initialise(parameters, new Random(1))
    const { data, shape } = weights.get('generator.first.conv.weight')!
    const bound = 1 / Math.sqrt(shape.slice(1).reduce((a, b) => a * b))
    expect(Math.max(...data.map(Math.abs))).toBeLessThanOrEqual(bound)
    expect(Math.max(...data.map(Math.abs))).toBeGreaterThan(0.9 * bound)
  })

  it('starts every jacobian as the identity', () => {
    const detector = parametersOf(detectorGraph(smallConfig({ net: 'lednet', keypoints: 2 })))
    const weights = initialise(detector, new Random(1))
    expect([...weights.get('kp_detector.jacobian.bias')!.data]).toEqual([1, 0, 0, 1, 1, 0, 0, 1])
    expect(weights.get('kp_detector.jacobian.weight')!.data.every((x) => x === 0)).toBe(true)
  })
})

describe('countParameters', () => {
  it('leaves buffers out', () => {
    const weights = parameters.filter(({ role }) => role === 'weight')
    expect(weights.length).toBeLessThan(parameters.length)
    expect(countParameters(parameters)).toBe(countParameters(weights))
  })
})
