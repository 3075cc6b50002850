import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { input, parametersOf } from '../../src/graph/ops/leaf.ts'
import { Scope } from '../../src/layers/scope.ts'
import { profile } from '../../src/profile/profile.ts'
import { efficientnetLite, liteScalings } from '../../src/zoo/laednet.ts'

/** The encoders of LAEDNet against the published classifiers, by their counts and names. */

function trunk(name: keyof typeof liteScalings, size = 64) {
  const graph = new Graph()
  const x = input(graph, 'x', 'float32', [1, 3, size, size])
  const maps = efficientnetLite(Scope.root(graph, { training: false }), x, liteScalings[name])
  graph.output('deepest', maps.at(-1)!.value)
  return { graph, maps }
}

describe.each([
  { name: 'lite0', total: 4_652_008, convolutions: 1 + 2 + 3 * 15 },
  { name: 'lite1', total: 5_416_680, convolutions: 1 + 2 + 3 * 20 },
  { name: 'lite2', total: 6_092_072, convolutions: 1 + 2 + 3 * 20 },
] as const)('EfficientNet-$name', ({ name, total, convolutions }) => {
  const { graph, maps } = trunk(name)

  it('has the published parameters, once the classifier stands on it', () => {
    const width = maps.at(-1)!.value.shape[1]!
    // 1x1 to 1280, its norm, and 1000 classes.
    const classifier = width * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    expect(profile(graph).params + classifier).toBe(total)
  })

  it('has as many convolutions as blocks ask for', () => {
    const kernels = parametersOf(graph).filter(({ shape }) => shape.length === 4)
    expect(kernels.length).toBe(convolutions)
  })

  it('gives a map at each stride', () => {
    expect(maps.map(({ stride }) => stride)).toEqual([2, 4, 8, 16, 32])
    for (const { value, stride } of maps) expect(value.shape.slice(2)).toEqual([64 / stride, 64 / stride])
  })
})

describe('EfficientNet-Lite0', () => {
  const { graph, maps } = trunk('lite0')

  it('has 2,958,848 parameters and 29.7 million multiply-adds on 64x64', () => {
    const { params, macs } = profile(graph)
    expect(params).toBe(2_958_848)
    expect(macs / 1e6).toBeCloseTo(29.7, 1)
  })

  it('has the published widths', () => {
    expect(maps.map(({ value }) => value.shape[1])).toEqual([16, 24, 40, 112, 320])
  })

  it('names its parameters as timm does', () => {
    const names = new Set(parametersOf(graph).map(({ name }) => name))
    for (const name of [
      'conv_stem.weight',
      'bn1.running_var',
      'blocks.0.0.conv_dw.weight',
      'blocks.0.0.bn1.weight',
      'blocks.0.0.conv_pw.weight',
      'blocks.0.0.bn2.bias',
      'blocks.1.0.conv_pw.weight',
      'blocks.1.0.bn1.running_mean',
      'blocks.5.3.conv_dw.weight',
      'blocks.5.3.conv_pwl.weight',
      'blocks.6.0.bn3.bias',
    ]) {
      expect(names).toContain(name)
    }
    expect([...names].filter((name) => !/^(conv_stem|bn1|blocks\.[0-6]\.\d)\./.test(name))).toEqual([])
  })
})
