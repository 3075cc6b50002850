// What the configuration of dense motion and of sampling changes in the picture.
import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { input } from '../../src/graph/ops/index.ts'
import { floats, type Tensor } from '../../src/graph/tensor.ts'
import type { MotionConfig } from '../../src/motion/config.ts'
import { kp2gaussian } from '../../src/motion/keypoints.ts'
import { generatorGraph, splitGenerator } from '../../src/motion/model.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { still, tiny, tinyLight, weightsOf } from './tiny.ts'

describe('the configuration of motion', () => {
  it('moves a new model with the nearest keypoint, if its motion has the prior', async () => {
    const [k, size] = [2, 32]
    const places = floats([-0.5, -0.5, 0.5, 0.5], [1, k, 2])
    const moved = floats([-0.5, -0.5, 0.7, 0.5], [1, k, 2])
    const feeds = { ...still(tiny), valueSource: moved, valueDriving: places }
    const shiftAt = async (prior: boolean, x: number, y: number) => {
      const config = { ...tiny, denseMotion: { ...tiny.denseMotion, scaleFactor: 1, prior } }
      const graph = generatorGraph(config, { details: ['deformation'] })
      const { deformation } = await evaluate(graph, feeds, weightsOf(graph))
      const [column, row] = [x, y].map((place) => Math.round(((place + 1) / 2) * (size - 1)))
      return Number(deformation!.data[2 * (row! * size + column!)]) - ((2 * column!) / (size - 1) - 1)
    }
    expect(await shiftAt(true, 0.5, 0.5)).toBeGreaterThan(0.15)
    expect(Math.abs(await shiftAt(true, -0.5, -0.5))).toBeLessThan(0.03)
    expect(Math.abs(await shiftAt(true, -1, 1))).toBeLessThan(0.03)
    expect(await shiftAt(false, 0.5, 0.5)).toBeLessThan(0.12)
  })

  it('moves what is next to a local keypoint, and leaves the rest to the others', async () => {
    const size = 64
    // The lower lid of an eye rests, the upper one moves, and so does the head around them.
    const places = floats([0, 0.05, 0, -0.05, 0.4, 0], [1, 3, 2])
    const moved = floats([0, 0.05, 0, -0.15, 0.6, 0], [1, 3, 2])
    const config = (localKeypoints: number): MotionConfig => ({
      ...tiny,
      ...{ size, keypoints: 3 },
      denseMotion: { ...tiny.denseMotion, scaleFactor: 1, prior: true, localKeypoints },
    })
    const shiftAt = async (local: number, x: number, y: number) => {
      const graph = generatorGraph(config(local), { details: ['deformation'] })
      const feeds = { ...still(config(local)), valueSource: moved, valueDriving: places }
      const { deformation } = await evaluate(graph, feeds, weightsOf(graph))
      const [column, row] = [x, y].map((place) => Math.round(((place + 1) / 2) * (size - 1)))
      const at = 2 * (row! * size + column!)
      const [dx, dy] = [Number(deformation!.data[at]), Number(deformation!.data[at + 1])]
      return [dx - ((2 * column!) / (size - 1) - 1), dy - ((2 * row!) / (size - 1) - 1)] as const
    }
    const between = async (local: number) =>
      (await shiftAt(local, 0, 0.08))[1] - (await shiftAt(local, 0, -0.08))[1]
    expect(await between(2)).toBeGreaterThan(0.06)
    expect(await between(0)).toBeLessThan(0.03)
    const [aside] = await shiftAt(2, 0.4, 0.1)
    expect(aside).toBeGreaterThan(0.12)
  })

  it('gives a motion all of the place of its keypoint, if motion is peaked', async () => {
    const size = 64
    // A point of a brow moves, and its neighbours rest.
    const places = floats([0, 0, -0.06, 0, 0.06, 0], [1, 3, 2])
    const moved = floats([0, 0.1, -0.06, 0, 0.06, 0], [1, 3, 2])
    const config = (peaked: boolean): MotionConfig => ({
      ...tiny,
      ...{ size, keypoints: 3 },
      denseMotion: { ...tiny.denseMotion, scaleFactor: 1, prior: true, localKeypoints: 3, peaked },
    })
    const shift = async (peaked: boolean) => {
      const graph = generatorGraph(config(peaked), { details: ['mask'] })
      const feeds = { ...still(config(peaked)), valueSource: moved, valueDriving: places }
      const { mask } = await evaluate(graph, feeds, weightsOf(graph))
      // The pixel whose centre is next to the keypoint.
      return Number(mask!.data[size * size + 32 * size + 32])
    }
    expect(await shift(true)).toBeGreaterThan(0.9)
    expect(await shift(false)).toBeLessThan(0.75)
  })

  it('adds a motion that no keypoint has, once it is trained and if a keypoint moves', async () => {
    const config = { ...tinyLight, denseMotion: { ...tinyLight.denseMotion, residual: true } }
    const details = { details: ['deformation'] }
    const graph = generatorGraph(config, details)
    const weights = weightsOf(graph)
    const gain = 'generator.dense_motion_network.residual.gain'
    expect([...weights.get(gain)!.data]).toEqual([0, 0])
    const trained = new Map(weights).set(gain, floats([0.5, 0.5], [2]))
    const motion = async (built: Graph, used: typeof weights, shift: number) =>
      Array.from((await evaluate(built, still(tinyLight, shift), used)).deformation!.data, Number)
    const plain = await motion(generatorGraph(tinyLight, details), weights, 0.2)
    expect(await motion(graph, weights, 0.2)).toEqual(plain)
    const apart = (a: readonly number[], b: readonly number[]) =>
      Math.max(...a.map((x, i) => Math.abs(x - b[i]!)))
    expect(apart(await motion(graph, trained, 0.2), plain)).toBeGreaterThan(0.02)
    expect(await motion(graph, trained, 0)).toEqual(await motion(graph, weights, 0))
  })

  it('reads brightness between pixels by a cubic, if it is told to', async () => {
    const side = 32
    const sampling = 'cubic' as const
    const denseMotion = { ...tinyLight.denseMotion, scaleFactor: 1 }
    const bilinear = { ...tinyLight, denseMotion }
    const cubic = { ...bilinear, generator: { ...tinyLight.generator, sampling } }
    const details = { details: ['deformation', 'deformed'] }
    // Grey stripes: brightness changes along x alone.
    const line = Array.from({ length: side }, (_, x) => 0.5 + 0.4 * Math.sin(1.3 * x + 0.1 * x ** 2))
    const source = floats(
      Array.from({ length: 3 * side ** 2 }, (_, i) => line[i % side]!),
      [1, 3, side, side],
    )
    const graph = generatorGraph(cubic, details)
    const weights = weightsOf(graph)
    const resultOf = async (config: MotionConfig, shift: number) =>
      evaluate(generatorGraph(config, details), { ...still(config, shift), source }, weights)
    const { deformation, deformed } = await resultOf(cubic, 0.1)
    // A cubic with the weights of four pixels.
    const read = (x: number) => {
      const at = Math.floor(x)
      const f = x - at
      const s = 0.83 * f * (1 - f)
      const weights = [-s * (1 - f), 1 - f + s * (2 - 3 * f), f + s * (3 * f - 1), -s * f]
      return weights.reduce((sum, weight, i) => sum + weight * line[at - 1 + i]!, 0)
    }
    let [compared, outside] = [0, 0]
    for (let i = 0; i < side ** 2; i++) {
      const [x, y] = [0, 1].map((axis) => ((Number(deformation!.data[2 * i + axis]) + 1) / 2) * (side - 1))
      const beyond = x! < 0 ? line[0] : x! > side - 1 ? line.at(-1) : undefined
      if (beyond !== undefined) {
        expect(Number(deformed!.data[i])).toBeCloseTo(beyond, 4)
        outside++
      }
      if (x! < 1.01 || x! > side - 2.01 || y! < 0 || y! > side - 1) continue
      expect(Number(deformed!.data[i])).toBeCloseTo(read(x!), 4)
      compared++
    }
    expect(compared).toBeGreaterThan(side ** 2 / 2)
    expect(outside).toBeGreaterThan(side / 2)
    const plain = (await resultOf(bilinear, 0.1)).deformed!
    const apart = (a: Tensor, b: Tensor) =>
      Math.max(
        ...Array.from<number | bigint, number>(a.data, (x, i) => Math.abs(Number(x) - Number(b.data[i]))),
      )
    expect(apart(plain, deformed!)).toBeGreaterThan(0.02)
    expect(apart((await resultOf(cubic, 0)).deformed!, source)).toBeLessThan(1e-5)
  })

  it('makes in two parts what it makes in one, with cubic sampling', async () => {
    const cubic = { ...tinyLight, generator: { ...tinyLight.generator, sampling: 'cubic' as const } }
    const { source, frame } = splitGenerator(cubic)
    const feeds = still(cubic, 0.2)
    const weights = weightsOf(generatorGraph(cubic))
    const encoded = await evaluate(source, { source: feeds.source! }, weights)
    const { prediction } = await evaluate(frame, { ...feeds, ...encoded }, weights)
    const whole = await evaluate(generatorGraph(cubic), feeds, weights)
    expect(prediction!.data).toEqual(whole.prediction!.data)
  })

  it('leaves no traces in heatmaps and mask, which would be slow to compute with', async () => {
    const config = {
      ...tinyLight,
      denseMotion: { ...tinyLight.denseMotion, scaleFactor: 1, prior: true, localKeypoints: 1 },
    }
    const graph = generatorGraph(config, { details: ['mask'] })
    const corner = floats([-1, -1, 0.9, 0.9], [1, 2, 2])
    const feeds = { ...still(config), valueDriving: corner }
    const { mask } = await evaluate(graph, feeds, weightsOf(graph))
    const heatmaps = new Graph()
    heatmaps.output('heat', kp2gaussian(input(heatmaps, 'value', 'float32', [1, 2, 2]), [64, 64], 0.01))
    const { heat } = await evaluate(heatmaps, { value: corner })
    for (const { data } of [mask!, heat!]) {
      const numbers = Array.from<number | bigint, number>(data, Number)
      expect(Math.max(...numbers)).toBeGreaterThan(0.5)
      expect(numbers.filter((x) => x !== 0 && Math.abs(x) < 1e-26)).toHaveLength(0)
      expect(numbers.filter((x) => x === 0).length).toBeGreaterThan(20)
    }
  })

  it('mixes what dense motion sees, and sees as before if nothing is lost', async () => {
    const { keypoints, denseMotion } = tinyLight
    const channels = 4 * (keypoints + 1)
    const mixed: MotionConfig = { ...tinyLight, denseMotion: { ...denseMotion, mixed: channels } }
    const graph = generatorGraph(mixed, { details: ['features'] })
    const weights = weightsOf(graph)
    const name = 'generator.dense_motion_network.mix.weight'
    expect(weights.get(name)!.shape).toEqual([channels, channels, 1, 1])
    // Each mixture is one channel.
    const one = Array.from({ length: channels ** 2 }, (_, i) => (i % (channels + 1) === 0 ? 1 : 0))
    weights.set(name, floats(one, [channels, channels, 1, 1]))
    const feeds = still(mixed, 0.2)
    const plain = generatorGraph(tinyLight, { details: ['features'] })
    const [made, expected] = [await evaluate(graph, feeds, weights), await evaluate(plain, feeds, weights)]
    for (const output of ['features', 'prediction']) {
      expect(made[output]!.data, output).toEqual(expected[output]!.data)
    }

    const few = generatorGraph(
      { ...tinyLight, denseMotion: { ...denseMotion, mixed: 5, colours: 2 } },
      { details: ['features', 'sparseDeformed'] },
    )
    expect(few.outputs.get('features')!.shape[1]).toBe(denseMotion.blockExpansion + 5)
    expect(few.outputs.get('sparseDeformed')!.shape[2]).toBe(2)
  })
})
