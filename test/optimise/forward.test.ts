// Work on a picture that many runs share is done once, before them.
import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { add, input, mul, parameter, transpose } from '../../src/graph/ops/index.ts'
import { inputInfo } from '../../src/graph/ops/leaf.ts'
import { liveNodes } from '../../src/graph/rewrite.ts'
import { floats } from '../../src/graph/tensor.ts'
import { rewriteExactly } from '../../src/model/open-model.ts'
import type { MotionConfig } from '../../src/motion/config.ts'
import { generatorGraph, splitGenerator } from '../../src/motion/model.ts'
import { movedForward } from '../../src/optimise/rewrite-with.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { still, tinyLight, weightsOf } from '../motion/tiny.ts'

const opsOf = (graph: Graph) => liveNodes(graph).map((node) => node.op.name)

/** A first network that doubles x, and a second one that reads x, the double, a parameter and z. */
function twoNetworks() {
  const first = new Graph()
  first.output('double', mul(input(first, 'x', 'float32', [2, 3]), 2))
  const second = new Graph()
  const x = input(second, 'x', 'float32', [2, 3])
  const double = input(second, 'double', 'float32', [2, 3])
  const z = input(second, 'z', 'float32', [3, 2])
  const weight = parameter(second, 'weight', [2, 3], { kind: 'fill', value: 3 }, 'weight')
  const early = transpose(add(x, mul(double, x)), [1, 0])
  second.output('y', add(mul(early, z), transpose(mul(weight, x), [1, 0])))
  return { first, second }
}

describe('movedForward', () => {
  it('computes what reads the first picture alone once, and the rest as before', async () => {
    const before = twoNetworks()
    const { first, second } = movedForward(before.first, before.second)
    // The parameter's product stays, and with it the picture itself. Nobody reads the double any more.
    expect([...first.outputs.keys()]).toEqual(['early.0'])
    expect(opsOf(second).filter((name) => name === 'transpose')).toHaveLength(1)
    expect(opsOf(first)).toContain('transpose')

    const feeds = {
      x: floats([1, 2, 3, 4, 5, 6], [2, 3]),
      z: floats([1, -1, 2, -2, 3, -3], [3, 2]),
    }
    const weights = new Map([['weight', floats([1, 2, 3, 4, 5, 6], [2, 3])]])
    const shared = await evaluate(before.first, { x: feeds.x }, weights)
    const expected = await evaluate(before.second, { ...feeds, ...shared }, weights)
    const moved = await evaluate(first, { x: feeds.x }, weights)
    const { y } = await evaluate(second, { ...feeds, ...moved }, weights)
    expect(y!.data).toEqual(expected.y!.data)
  })

  it('leaves networks as they are if there is nothing to move, and is done after one time', () => {
    const { first, second } = twoNetworks()
    const once = movedForward(first, second)
    const twice = movedForward(once.first, once.second)
    expect(twice.first).toBe(once.first)
    expect(twice.second).toBe(once.second)
  })

  it.each([
    ['bilinear', 'native'],
    ['cubic', 'native'],
    ['cubic', 'wasm'],
  ] as const)('a generator in two parts makes the same frames: %s, %s', async (sampling, target) => {
    const config: MotionConfig = { ...tinyLight, generator: { ...tinyLight.generator, sampling } }
    const graph = generatorGraph(config)
    const weights = weightsOf(graph)
    const { source, ...points } = still(config, 0.2)
    const expected = await evaluate(graph, { source, ...points }, weights)

    const parts = splitGenerator(config)
    const [ofSource, ofFrame] = [
      await rewriteExactly({ graph: parts.source, weights }, { target }),
      await rewriteExactly({ graph: parts.frame, weights }, { target }),
    ]
    const { first, second } = movedForward(ofSource.graph, ofFrame.graph)
    expect([...first.outputs.keys()].some((name) => name.startsWith('early.'))).toBe(true)
    const encoded = await evaluate(first, { source }, ofSource.weights)
    const isRead = new Set(liveNodes(second).map((node) => inputInfo(node)?.name))
    const feeds = Object.entries({ source, ...points, ...encoded }).filter(([name]) => isRead.has(name))
    const { prediction } = await evaluate(second, Object.fromEntries(feeds), ofFrame.weights)
    const error = Array.from(prediction!.data, Number).map((x, i) =>
      Math.abs(x - Number(expected.prediction!.data[i])),
    )
    expect(Math.max(...error)).toBeLessThan(1e-5)
  })
})
