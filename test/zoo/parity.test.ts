import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { countParameters, input, parametersOf } from '../../src/graph/ops/leaf.ts'
import { sizeOf } from '../../src/graph/tensor.ts'
import { Scope } from '../../src/layers/scope.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { createSession, evaluate } from '../../src/runtime/node.ts'
import { findNet } from '../../src/zoo/registry.ts'
import {
  fillByFormula,
  formulaInput,
  loadFixture,
  relativeError,
  type StoredOutput,
  stateOf,
} from '../support/fixture.ts'
import { fedTo } from './build.ts'

/** Networks of the zoo against their references, under the same formulas for all parameters. */

const published = [
  { name: 'lednet', parameters: 915_029 },
  { name: 'enet', parameters: 357_974 },
  { name: 'erfnet', parameters: 2_064_896 },
  { name: 'esnet', parameters: 1_658_486 },
  { name: 'edanet', parameters: 685_426 },
] as const

describe.each(published)('$name', ({ name, parameters }) => {
  const net = findNet(name)
  const fixture = loadFixture(name)
  const graph = new Graph()
  const scope = Scope.root(graph, { training: false, dilations: 'published' })
  const x = input(graph, 'x', 'float32', [1, 3, 64, 64])
  graph.output('output', net.build(scope, x, { outputs: 10 }))
  const infos = parametersOf(graph)
  const unused = net.unused?.({ outputs: 10 }) ?? []

  it(`has ${parameters} parameters with 10 outputs`, () => {
    const idle = unused.filter(({ alias }) => !alias).reduce((sum, { shape }) => sum + sizeOf(shape), 0)
    expect(countParameters(infos) + idle).toBe(parameters)
  })

  it.skipIf(fixture === undefined)(
    'has the reference’s names and shapes (skipped without its fixture)',
    () => {
      const ours = [...infos, ...unused].map((info) => [info.name, [...info.shape]] as const)
      expect(new Set(ours.map(([key]) => key)).size).toBe(ours.length)
      expect(Object.fromEntries(ours)).toEqual(
        Object.fromEntries(stateOf(fixture!).map((entry) => [entry.name, entry.shape])),
      )
    },
  )

  it.skipIf(fixture === undefined)('computes what the reference computes (skipped without it)', async () => {
    const { output } = await evaluate(graph, { x: formulaInput([1, 3, 64, 64]) }, fillByFormula(infos))
    expect(relativeError(output!, fixture!.outputs.output!)).toBeLessThan(1e-4)
  })
})

/** Stored here, at another size, batch and number of outputs: see references/README.md. */
const file = new URL('references/outputs.json', import.meta.url)
const references = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, Reference>)

interface Reference {
  readonly input_shape: readonly number[]
  readonly classes: number
  readonly output: StoredOutput
}

describe.each(references)('%s at a size of its own', (name, { input_shape: shape, classes, output }) => {
  it('computes what the reference computes', async () => {
    const graph = new Graph()
    const scope = Scope.root(graph, { training: false, dilations: 'published' })
    const x = input(graph, 'x', 'float32', shape)
    graph.output('output', findNet(name).build(scope, x, { outputs: classes }))
    const session = await createSession(toOnnx(graph, { feedParameters: true }), { device: 'cpu' })
    const weights = fillByFormula(parametersOf(graph))
    const result = await session.run(fedTo(session, { x: formulaInput(shape) }, weights))
    await session.close()
    expect(relativeError(result.output!, output)).toBeLessThan(1e-5)
  })
})
