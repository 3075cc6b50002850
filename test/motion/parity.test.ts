import { describe, expect, it } from 'vitest'
import type { Graph } from '../../src/graph/graph.ts'
import { countParameters, parametersOf } from '../../src/graph/ops/leaf.ts'
import { floats, type Tensor } from '../../src/graph/tensor.ts'
import { type MotionConfig, publishedConfig } from '../../src/motion/config.ts'
import { detectorGraph, generatorGraph } from '../../src/motion/model.ts'
import { evaluate } from '../../src/runtime/node.ts'
import {
  type Fixture,
  fillByFormula,
  formulaInput,
  loadFixture,
  relativeError,
  stateOf,
} from '../support/fixture.ts'

/** Our motion model against the published reference, under the same formulas for all parameters. */

const withoutPrefix = (name: string) => name.slice(name.indexOf('.') + 1)

function expectSameState(graph: Graph, fixture: Fixture): void {
  const ours = new Map(parametersOf(graph).map(({ name, shape }) => [withoutPrefix(name), [...shape]]))
  const theirs = new Map(stateOf(fixture).map(({ name, shape }) => [name, shape]))
  expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(theirs))
  expect(countParameters(parametersOf(graph))).toBe(fixture.parameters)
}

async function expectSameOutputs(
  graph: Graph,
  fixture: Fixture,
  feeds: Record<string, Tensor>,
  ourNames: Readonly<Record<string, string>>,
): Promise<void> {
  const weights = fillByFormula(parametersOf(graph), withoutPrefix)
  const results = await evaluate(graph, feeds, weights)
  for (const [theirs, stored] of Object.entries(fixture.outputs)) {
    const error = relativeError(results[ourNames[theirs] ?? theirs]!, stored)
    expect(error, theirs).toBeLessThan(1e-4)
  }
}

const detector = loadFixture('fomm-kp-detector')
describe.skipIf(detector === undefined)('FOMM keypoint detector (skipped without its fixture)', () => {
  const graph = detectorGraph(publishedConfig, { details: true })

  it('has the published names, shapes and number of parameters', () => {
    expectSameState(graph, detector!)
    expect(countParameters(parametersOf(graph))).toBe(14_215_368)
  })

  it('computes what the reference computes', async () => {
    const names = { kp_map: 'kpMap', jacobian_map: 'jacobianMap' }
    await expectSameOutputs(graph, detector!, { frame: formulaInput([1, 3, 256, 256]) }, names)
  })
})

const generator = loadFixture('fomm-generator')
describe.skipIf(generator === undefined)('FOMM generator (skipped without its fixture)', () => {
  // The fixture's reduced widths.
  const config: MotionConfig = {
    ...publishedConfig,
    size: 64,
    denseMotion: {
      ...publishedConfig.denseMotion,
      blockExpansion: 8,
      maxFeatures: 64,
      blocks: 3,
      scaleFactor: 1,
    },
    generator: {
      ...publishedConfig.generator,
      blockExpansion: 8,
      maxFeatures: 64,
      bottleneckBlocks: 2,
    },
  }
  const graph = generatorGraph(config, { details: true })

  it('has the published names, shapes and number of parameters', () => {
    expectSameState(graph, generator!)
    expect(countParameters(parametersOf(graph))).toBe(141_783)
  })

  it('computes what the reference computes', async () => {
    const values = (s: number) =>
      floats(
        Array.from({ length: 20 }, (_, i) => 0.8 * Math.sin(1.7 * i + s)),
        [1, 10, 2],
      )
    const jacobians = (s: number) =>
      floats(
        Array.from(
          { length: 40 },
          (_, i) => (i % 4 === 0 || i % 4 === 3 ? 1 : 0) + 0.2 * Math.sin(0.9 * i + s),
        ),
        [1, 10, 2, 2],
      )
    const feeds = {
      source: formulaInput([1, 3, 64, 64]),
      valueSource: values(1),
      jacobianSource: jacobians(1),
      valueDriving: values(2),
      jacobianDriving: jacobians(2),
    }
    const names = { occlusion_map: 'occlusionMap', sparse_deformed: 'sparseDeformed' }
    await expectSameOutputs(graph, generator!, feeds, names)
  })
})
