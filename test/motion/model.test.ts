import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { gradient, input, reduceMean, square } from '../../src/graph/ops/index.ts'
import { parametersOf } from '../../src/graph/ops/leaf.ts'
import { floats, sizeOf } from '../../src/graph/tensor.ts'
import { Scope } from '../../src/layers/scope.ts'
import { motionConfigSchema, publishedConfig, smallConfig } from '../../src/motion/config.ts'
import {
  animateFrame,
  detect,
  detectorGraph,
  generatorGraph,
  splitGenerator,
} from '../../src/motion/model.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { InputError } from '../../src/util/errors.ts'
import { netNames } from '../../src/zoo/registry.ts'
import { noise, still, tiny, tinyLight, weightsOf } from './tiny.ts'

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
    // 28 halves often enough for the generator, and not for the motion.
    expect(() => generatorGraph({ ...tiny, size: 30 })).toThrow('multiples of 8')
    expect(() => generatorGraph({ ...tiny, size: 28 })).toThrow('resize to 32x32')
  })

  it('speaks of pictures as they are given, where networks see them smaller', () => {
    const light = smallConfig({ net: 'lednet', size: 128, generator: 'light' })
    const published = publishedConfig
    const given = (side: number) => ({ height: side, width: side })
    const refusals = [
      [() => detectorGraph(light, given(100)), '100x100', 16, '96x96'],
      [() => generatorGraph(light, given(100)), '100x100', 32, '96x96'],
      [() => detectorGraph(published, given(64)), '64x64', 128, '128x128'],
      [() => detectorGraph({ ...light, size: 256, net: 'resnet18' }, given(250)), '250x250', 64, '256x256'],
    ] as const
    for (const [build, got, multiple, near] of refusals) {
      expect(build).toThrow(InputError)
      expect(build, near).toThrow(
        expect.objectContaining({
          problem: expect.objectContaining({
            got: `${got} (width x height)`,
            ...{ expected: `multiples of ${multiple}`, remedy: `resize to ${near}` },
          }),
        }),
      )
      const [side] = near.split('x').map(Number)
      expect(side! % multiple).toBe(0)
    }
    // What is meant is taken.
    const detector = detectorGraph(light, given(96))
    expect(detector.outputs.get('value')!.shape).toEqual([1, light.keypoints, 2])
    expect(generatorGraph(light, given(96)).outputs.get('prediction')!.shape).toEqual([1, 3, 96, 96])
    // The Gaussian keeps the first pixel of a part, so that other sizes do, too.
    expect(detectorGraph(published, given(125)).outputs.get('value')!.shape).toEqual([1, 10, 2])
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
