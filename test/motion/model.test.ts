import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { gradient, input, reduceMean, square } from '../../src/graph/ops/index.ts'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { floats, sizeOf, type Tensor } from '../../src/graph/tensor.ts'
import { Scope } from '../../src/layers/scope.ts'
import {
  type MotionConfig,
  motionConfigSchema,
  publishedConfig,
  smallConfig,
} from '../../src/motion/config.ts'
import { kp2gaussian } from '../../src/motion/keypoints.ts'
import {
  animateFrame,
  detect,
  detectorGraph,
  generatorGraph,
  splitGenerator,
} from '../../src/motion/model.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import { netNames } from '../../src/zoo/registry.ts'

const small = smallConfig({ net: 'lednet', size: 32, keypoints: 2 })
const tiny: MotionConfig = {
  ...small,
  net: 'hourglass',
  detector: { ...small.detector, hourglass: { blockExpansion: 4, maxFeatures: 8, blocks: 2 } },
  denseMotion: { ...small.denseMotion, blockExpansion: 4, maxFeatures: 8, blocks: 2 },
  generator: { ...small.generator, blockExpansion: 4, maxFeatures: 8, downBlocks: 2, bottleneckBlocks: 1 },
}

/** A light model whose detector sees the frames at half their size. */
const light = smallConfig({ net: 'lednet', size: 128, keypoints: 2, generator: 'light' })
const tinyLight: MotionConfig = {
  ...tiny,
  detector: { ...tiny.detector, scaleFactor: 0.5, filter: 'box' },
  denseMotion: { ...tiny.denseMotion, scaleFactor: 0.25 },
  generator: { ...light.generator, blockExpansion: 4, maxFeatures: 16, bottleneckBlocks: 1 },
}

function noise(shape: readonly number[], seed: number): Tensor<'float32'> {
  const random = new Random(seed)
  return floats(
    Array.from({ length: sizeOf(shape) }, () => random.uniform()),
    shape,
  )
}

/** Feeds of a generator graph: everything in its place, but the driving keypoints moved by `shift`. */
function still(config: MotionConfig, shift = 0) {
  const { size, keypoints: k } = config
  const identities = floats(
    Array.from({ length: 4 * k }, (_, i) => (i % 4 === 0 || i % 4 === 3 ? 1 : 0)),
    [1, k, 2, 2],
  )
  const values = (by: number) =>
    floats(
      Array.from({ length: 2 * k }, (_, i) => 0.1 * i + by),
      [1, k, 2],
    )
  return {
    source: noise([1, 3, size, size], 1),
    valueSource: values(0),
    jacobianSource: identities,
    valueDriving: values(shift),
    jacobianDriving: identities,
  }
}

const weightsOf = (graph: Graph) => initialise(parametersOf(graph), new Random(4))

describe('generatorGraph', () => {
  it.each([
    ['small', tiny],
    ['light', tinyLight],
  ])('leaves the source where it is when nothing moves: %s', async (_, config) => {
    const graph = generatorGraph(config, { details: true })
    const feeds = still(config)
    const { deformed } = await evaluate(graph, feeds, weightsOf(graph))
    const error = Array.from(deformed!.data, Number).map((x, i) => Math.abs(x - feeds.source.data[i]!))
    expect(Math.max(...error)).toBeLessThan(1e-4)
  })

  it('shows the source itself when nothing moves, if it is made for it, and paints where something does', async () => {
    const graph = generatorGraph(tinyLight)
    expect(tinyLight.generator.atRest).toBe('source')
    const weights = weightsOf(graph)
    const difference = async (built: Graph, shift: number) => {
      const feeds = still(tinyLight, shift)
      const { prediction } = await evaluate(built, feeds, weights)
      return Math.max(
        ...Array.from(prediction!.data, Number).map((x, i) => Math.abs(x - feeds.source.data[i]!)),
      )
    }
    expect(await difference(graph, 0)).toBeLessThan(1e-4)
    expect(await difference(graph, 0.2)).toBeGreaterThan(0.05)
    const free = generatorGraph({ ...tinyLight, generator: { ...tinyLight.generator, atRest: 'free' } })
    expect(await difference(free, 0)).toBeGreaterThan(0.05)
  })

  it.each(['none', 'coarse', 'all'] as const)('predicts within [0, 1] with skips: %s', async (skips) => {
    const graph = generatorGraph({ ...tiny, generator: { ...tiny.generator, skips } })
    const { prediction } = await evaluate(graph, still(tiny, 0.2), weightsOf(graph))
    expect(prediction!.shape).toEqual([1, 3, 32, 32])
    for (const x of prediction!.data) expect(Math.abs(Number(x) - 0.5)).toBeLessThanOrEqual(0.5)
  })

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

  describe('with openings', () => {
    const side = 64
    /** An eye that is open in the source, and whose lids meet in the driving frame, as the motion map's pixels are coarse. */
    const config = (openings: MotionConfig['denseMotion']['openings']): MotionConfig => ({
      ...tinyLight,
      size: side,
      denseMotion: {
        ...tinyLight.denseMotion,
        ...{ scaleFactor: 0.5, prior: true, localKeypoints: 2, peaked: true, openings },
      },
    })
    const lids: [number, number][] = [[0, 1]]
    const open = floats([0, -0.08, 0, 0.08], [1, 2, 2])
    const shut = floats([0, 0.04, 0, 0.04], [1, 2, 2])
    /** Red between the source's lids, from row 30 to row 33, and grey elsewhere. */
    const source = floats(
      Array.from({ length: 3 * side ** 2 }, (_, i) => {
        const row = Math.floor(i / side) % side
        return row > 29.9 && row < 33.1 ? Number(i < side ** 2) : 0.5
      }),
      [1, 3, side, side],
    )
    const feeds = (shown: MotionConfig) => ({
      ...still(shown),
      ...{ source, valueSource: open, valueDriving: shut },
    })

    it('moves what is beyond an edge with this edge, and shows nothing of what was between two edges that meet', async () => {
      const shown = config(lids)
      const graph = generatorGraph(shown, { details: ['deformed', 'deformation'] })
      const weights = weightsOf(graph)
      const { deformed, deformation } = await evaluate(graph, feeds(shown), weights)
      const redOf = (data: Tensor['data']) => {
        const column = Array.from({ length: side }, (_, y) => Number(data[y * side + side / 2]))
        return column.filter((red) => red > 0.6).length
      }
      expect(redOf(deformed!.data)).toBeLessThanOrEqual(1)
      // Rows of the map of 32 x 32 that are next to the closed lids, over and under them.
      const shift = (row: number) => Number(deformation!.data[2 * (row * 32 + 16) + 1]) - ((2 * row) / 31 - 1)
      expect(shift(15)).toBeLessThan(-0.1)
      expect(shift(17)).toBeGreaterThan(0.03)

      const plain = generatorGraph(config(undefined), { details: ['deformed'] })
      const without = await evaluate(plain, feeds(config(undefined)), weights)
      expect(redOf(without.deformed!.data)).toBeGreaterThan(2)
    })

    it('leaves the source where it is when nothing moves', async () => {
      const shown = config(lids)
      const graph = generatorGraph(shown, { details: ['deformed'] })
      const still = { ...feeds(shown), valueDriving: open }
      const { deformed } = await evaluate(graph, still, weightsOf(graph))
      const error = Array.from(deformed!.data, Number).map((x, i) => Math.abs(x - source.data[i]!))
      expect(Math.max(...error)).toBeLessThan(1e-4)
    })

    it('makes in two parts what it makes in one', async () => {
      const shown = config(lids)
      const weights = weightsOf(generatorGraph(shown))
      const { prediction } = await evaluate(generatorGraph(shown), feeds(shown), weights)
      const parts = splitGenerator(shown)
      const encoded = await evaluate(parts.source, { source }, weights)
      const made = await evaluate(parts.frame, { ...feeds(shown), ...encoded }, weights)
      expect(made.prediction!.data).toEqual(prediction!.data)
    })

    it('refuses an edge that is no keypoint', () => {
      expect(() => generatorGraph(config([[0, 2]]))).toThrow(InputError)
    })
  })

  it('shows the light decoder the driving keypoints, if it is guided', async () => {
    const guided = { ...tinyLight, generator: { ...tinyLight.generator, guided: true } }
    const graph = generatorGraph(guided)
    const weights = weightsOf(graph)
    const feeds = still(tinyLight, 0.2)
    const plain = await evaluate(generatorGraph(tinyLight), feeds, weights)
    const untrained = await evaluate(graph, feeds, weights)
    expect([...untrained.prediction!.data]).toEqual([...plain.prediction!.data])
    const trained = new Map(weights).set(
      'generator.guide.norm.weight',
      floats(new Float32Array(16).fill(3), [16]),
    )
    expect(weights.get('generator.guide.norm.weight')!.shape).toEqual([16])
    const { prediction } = await evaluate(graph, feeds, trained)
    const before = Array.from(plain.prediction!.data, Number)
    const differences = Array.from(prediction!.data, Number).map((x, i) => Math.abs(x - before[i]!))
    expect(Math.max(...differences)).toBeGreaterThan(0.01)
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
      const s = 0.8 * f * (1 - f)
      const weights = [-s * (1 - f), 1 - f + s * (2 - 3 * f), f + s * (3 * f - 1), -s * f]
      return weights.reduce((sum, weight, i) => sum + weight * line[at - 1 + i]!, 0)
    }
    let compared = 0
    for (let i = 0; i < side ** 2; i++) {
      const [x, y] = [0, 1].map((axis) => ((Number(deformation!.data[2 * i + axis]) + 1) / 2) * (side - 1))
      if (x! < 1.01 || x! > side - 2.01 || y! < 0 || y! > side - 1) continue
      expect(Number(deformed!.data[i])).toBeCloseTo(read(x!), 4)
      compared++
    }
    expect(compared).toBeGreaterThan(side ** 2 / 2)
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

  it('estimates motion at any scale that fits', async () => {
    for (const scaleFactor of [1, 0.5, 0.25]) {
      const config = { ...tiny, denseMotion: { ...tiny.denseMotion, scaleFactor } }
      const graph = generatorGraph(config, { details: true })
      const side = 32 * scaleFactor
      const { deformation, occlusionMap, sparseDeformed } = await evaluate(
        graph,
        still(config),
        weightsOf(graph),
      )
      expect(deformation!.shape).toEqual([1, side, side, 2])
      expect(occlusionMap!.shape).toEqual([1, 1, side, side])
      expect(sparseDeformed!.shape).toEqual([1, 3, 3, side, side])
    }
  })

  it('works from points alone, without jacobians or occlusion map', async () => {
    const config = { ...tiny, jacobian: false, denseMotion: { ...tiny.denseMotion, occlusion: false } }
    const graph = generatorGraph(config, { details: true })
    const { source, valueSource, valueDriving } = still(config, 0.1)
    const outputs = await evaluate(graph, { source, valueSource, valueDriving }, weightsOf(graph))
    expect(outputs.occlusionMap).toBeUndefined()
    expect(outputs.prediction!.shape).toEqual([1, 3, 32, 32])
    expect([...detectorGraph(config).outputs.keys()]).toEqual(['value'])
  })

  it('refuses a size that does not halve often enough', () => {
    expect(() => generatorGraph({ ...tiny, size: 30 })).toThrow(InputError)
    expect(() => generatorGraph({ ...tiny, size: 30 })).toThrow('multiples of 4')
  })
})

describe('splitGenerator', () => {
  const published = { ...tiny, generator: { ...tiny.generator, skips: 'none' as const } }
  const whole = { ...tiny, denseMotion: { ...tiny.denseMotion, scaleFactor: 1 } }
  it.each([
    ['small', tiny],
    ['light', tinyLight],
    ['without skips', published],
    ['motion at full size', whole],
    ['points alone', { ...tiny, jacobian: false }],
  ])('makes in two parts what the generator makes in one: %s', async (_, config) => {
    const graph = generatorGraph(config)
    const weights = weightsOf(graph)
    const { jacobianSource, jacobianDriving, ...points } = still(config, 0.2)
    const feeds = config.jacobian ? { ...points, jacobianSource, jacobianDriving } : points
    const { prediction } = await evaluate(graph, feeds, weights)
    const parts = splitGenerator(config)
    const encoded = await evaluate(parts.source, { source: points.source }, weights)
    const { source, ...others } = feeds
    const picture = config.generator.skips === 'none' ? {} : { source }
    const made = await evaluate(parts.frame, { ...others, ...picture, ...encoded }, weights)
    const expected = Array.from(prediction!.data, Number)
    const error = Array.from(made.prediction!.data, Number).map((x, i) => Math.abs(x - expected[i]!))
    expect(Math.max(...error)).toBeLessThan(1e-6)
  })

  it('leaves no work on the source to the frames', () => {
    for (const config of [tiny, tinyLight]) {
      const { source, frame } = splitGenerator(config)
      const perFrame = new Set(parametersOf(frame).map(({ name }) => name))
      expect(parametersOf(source).filter(({ name }) => perFrame.has(name))).toEqual([])
    }
  })
})

describe('training', () => {
  it.each([
    ['small', tiny],
    ['light', tinyLight],
  ])('reaches every weight of detector and generator from the prediction: %s', async (_, tiny) => {
    const graph = new Graph()
    const scope = Scope.root(graph, { training: false })
    const [source, driving] = ['source', 'driving'].map((name) =>
      input(graph, name, 'float32', [1, 3, 32, 32]),
    )
    const kpSource = detect(scope, source!, tiny).keypoints
    const kpDriving = detect(scope, driving!, tiny).keypoints
    const { prediction } = animateFrame(scope, source!, kpSource, kpDriving, tiny)
    graph.output('prediction', prediction)
    const names = parametersOf(graph).flatMap(({ name, role }) => (role === 'weight' ? [name] : []))
    const leaves = names.map((name) => scope.parameters.get(name)!)
    gradient(reduceMean(square(prediction)), leaves).forEach((value, i) => {
      graph.output(`gradient of ${names[i]}`, value)
    })
    const weights = weightsOf(graph)
    for (const [name, { shape }] of weights) {
      // Open every ReLU: a unit that is shut by chance is not what is tested.
      if (/norm\d?\.bias$/.test(name))
        weights.set(name, floats(new Array<number>(sizeOf(shape)).fill(1), shape))
      // At 0, where it starts, both frames have one jacobian, and it has no influence.
      if (name.endsWith('jacobian.weight')) weights.set(name, noise(shape, 5))
    }
    const feeds = { source: noise([1, 3, 32, 32], 1), driving: noise([1, 3, 32, 32], 2) }
    const outputs = await evaluate(graph, feeds, weights)
    const still = names.filter((name) => outputs[`gradient of ${name}`]!.data.every((x) => Number(x) === 0))
    expect(still).toEqual([])
  })
})

describe('configurations', () => {
  it.each(netNames)('smallConfig of %s is valid and builds', (net) => {
    const config = smallConfig({ net })
    expect(motionConfigSchema.parse(JSON.parse(JSON.stringify(config)))).toEqual(config)
    const detector = detectorGraph(config)
    expect(detector.outputs.get('value')!.shape).toEqual([1, 10, 2])
    expect(generatorGraph(config).outputs.get('prediction')!.shape).toEqual([1, 3, 64, 64])
  })

  it.each([32, 64, 128, 256])('the light model is valid and builds at %d pixels', (size) => {
    const config = smallConfig({ net: 'lednet', size, generator: 'light' })
    expect(motionConfigSchema.parse(JSON.parse(JSON.stringify(config)))).toEqual(config)
    expect(generatorGraph(config).outputs.get('prediction')!.shape).toEqual([1, 3, size, size])
    expect(detectorGraph(config, { details: true }).outputs.get('down')!.shape[3]).toBe(Math.min(size, 64))
  })

  it('reads the generator of a run that does not say its kind as the published one', () => {
    const { kind, ...generator } = publishedConfig.generator
    expect(motionConfigSchema.parse({ ...publishedConfig, generator }).generator.kind).toBe(kind)
  })

  it.each<[string, object]>([
    ['keypoints', { keypoints: 1e8 }],
    ['size', { size: 2 ** 20 }],
    ['detector.scaleFactor', { detector: { ...publishedConfig.detector, scaleFactor: 1e-9 } }],
    ['denseMotion.blocks', { denseMotion: { ...publishedConfig.denseMotion, blocks: 1e8 } }],
    ['denseMotion.kernel', { denseMotion: { ...publishedConfig.denseMotion, kernel: 1e8 + 1 } }],
    ['generator.bottleneckBlocks', { generator: { ...publishedConfig.generator, bottleneckBlocks: 1e8 } }],
    ['generator.maxFeatures', { generator: { ...publishedConfig.generator, maxFeatures: 1e8 } }],
  ])('asks for no more than %s that can be built', (path, part) => {
    const { error } = motionConfigSchema.safeParse({ ...publishedConfig, ...part })
    expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path])
  })

  it('publishedConfig is valid', () => {
    expect(motionConfigSchema.parse(publishedConfig)).toEqual(publishedConfig)
  })

  it('names what is wrong', () => {
    expect(() => smallConfig({ net: 'lednet', size: 60 })).toThrow('a multiple of 16')
    expect(() => smallConfig({ net: 'lednet', size: 96, generator: 'light' })).toThrow('a multiple of 64')
    expect(() => smallConfig({ net: 'ledent' })).toThrow('did you mean "lednet"?')
    expect(motionConfigSchema.safeParse({ ...publishedConfig, keypoints: 0 }).success).toBe(false)
  })
})
