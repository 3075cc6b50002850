// Removes random channels of a network, and compares what is left with the whole network; a run to prune.
import { expect } from 'vitest'
import { Prunable, silenced } from '../../src/compress/prunable.ts'
import { Graph } from '../../src/graph/graph.ts'
import { initialise, input, parameterInfo, parametersOf } from '../../src/graph/ops/leaf.ts'
import type { Tensor } from '../../src/graph/tensor.ts'
import { Scope } from '../../src/layers/scope.ts'
import { type MotionConfig, smallConfig } from '../../src/motion/config.ts'
import { detect, detectorGraph } from '../../src/motion/model.ts'
import { createRun } from '../../src/run/run.ts'
import { createSession } from '../../src/runtime/node.ts'
import { Random } from '../../src/util/random.ts'
import { findNet } from '../../src/zoo/registry.ts'
import { noise, openWeights } from '../zoo/build.ts'

/** Channels that go by chance, and what is left. */
export function prunedByChance(net: string, head: 'light' | 'fomm', { part = 0.3, seed = 5 } = {}) {
  const size = Math.max(32, findNet(net).multiple())
  const config = smallConfig({ net, size, keypoints: 3, head })
  const prunable = Prunable.of(config)
  const random = new Random(seed)
  const importance = new Map(prunable.channels.groups.map((group) => [group, random.uniform()]))
  const target = (1 - part) * prunable.macs
  return { prunable, target, ...prunable.choose(importance, target) }
}

/**
 * Holds the network without channels to the whole network with zeros where it reads them, and to being a network like any
 * other: a training step asks for the same parameters.
 */
export async function expectSame({ prunable, target, groups, config }: ReturnType<typeof prunedByChance>) {
  const own = Prunable.of(config)
  expect(own.macs).toBeLessThanOrEqual(target)
  expect(own.macs).toBeGreaterThan(0.85 * target)
  const weights = openWeights(detectorGraph(prunable.config))
  const run = async (of: MotionConfig, filled: ReadonlyMap<string, Tensor>) => {
    await using session = await createSession(detectorGraph(of), { device: 'cpu', weights: filled })
    return await session.run({ frame: noise([1, 3, of.size, of.size], 4) })
  }
  const left = prunable.weightsWithout(weights, groups)
  const [whole, masked, pruned] = [
    await run(prunable.config, weights),
    await run(prunable.config, silenced(weights, groups)),
    await run(config, left),
  ]
  for (const name of Object.keys(masked)) {
    const [a, b, c] = [pruned, masked, whole].map((results) => results[name]!.data as Float32Array)
    const largest = Math.max(1, ...b!.map(Math.abs))
    const far = (x: Float32Array, y: Float32Array) => Math.max(...x.map((v, i) => Math.abs(v - y[i]!)))
    expect(far(a!, b!) / largest, name).toBeLessThan(1e-4)
    expect(far(a!, c!) / largest, name).toBeGreaterThan(1e-4)
  }
  expect(trainedShapes(config)).toEqual(new Map(Array.from(left, ([name, { shape }]) => [name, shape])))
}

function trainedShapes(config: MotionConfig) {
  const graph = new Graph()
  const scope = Scope.root(graph, { training: true })
  detect(scope, input(graph, 'frame', 'float32', [2, 3, config.size, config.size]), config)
  return new Map(Array.from(scope.parameters, ([name, { node }]) => [name, parameterInfo(node)!.shape]))
}

/** A small detector, and how frames are taken for it. */
export const model = smallConfig({ net: 'ficelle', size: 32, keypoints: 3 })
export const few = { frames: 4, crop: 'middle' } as const

/** A run of it that was never trained. */
export async function untrained(path: string): Promise<string> {
  const run = await createRun(path, { config: { model, training: { fit: 'crop' } }, version: '0.1.0' })
  await run.saveWeights(initialise(parametersOf(detectorGraph(model)), new Random(7)))
  run.close()
  return path
}
