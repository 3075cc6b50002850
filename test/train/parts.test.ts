import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { warpDefaults } from '../../src/evaluate/warp.ts'
import { readSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { Graph } from '../../src/graph/graph.ts'
import { input } from '../../src/graph/ops/index.ts'
import { initialise, parameterInfo } from '../../src/graph/ops/leaf.ts'
import { floats, type Tensor } from '../../src/graph/tensor.ts'
import { Scope } from '../../src/layers/scope.ts'
import { type MotionConfig, smallConfig } from '../../src/motion/config.ts'
import type { Painting } from '../../src/motion/generator.ts'
import { animateFrame, detectorGraph } from '../../src/motion/model.ts'
import { createSession } from '../../src/runtime/node.ts'
import { adamDefaults } from '../../src/train/adam.ts'
import { finetuning, resolveConfig } from '../../src/train/config.ts'
import { type TrainLosses, trainLosses } from '../../src/train/losses.ts'
import { partsOf, type StepPart, weightsIn, wholeStep } from '../../src/train/reconstruction/parts.ts'
import { buildTrainingStep } from '../../src/train/reconstruction/step.ts'
import type { TrainingStep } from '../../src/train/step.ts'
import { type TrainOptions, train } from '../../src/train/train.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import { tinyModel } from './tiny.ts'

/** Parts of a run: smaller pictures first, patches, and motion at rest. */

const light = smallConfig({ net: 'ficelle', size: 128, generator: 'light', keypoints: 3 })

describe('the parts of a run', () => {
  test('are one without options', () => {
    expect(partsOf(light, {})).toEqual([{ until: 1, part: wholeStep }])
  })

  test('have equal shares of the run, or the given shares, and the rest at the end', () => {
    const third = partsOf(light, { grow: '32,64' })
    expect(third.map(({ until }) => until)).toEqual([1 / 3, 2 / 3, 1])
    expect(third.map(({ part }) => part.reduction)).toEqual([4, 2, 1])
    const parts = partsOf(light, { grow: '32:0.5,64:.2', patch: 64, rest: 0.4 })
    expect(parts).toEqual([
      { until: 0.5, part: { reduction: 4, patch: 1, motionRests: false } },
      { until: 0.6, part: { reduction: 2, patch: 1, motionRests: false } },
      { until: 0.7, part: { reduction: 2, patch: 1, motionRests: true } },
      { until: 1, part: { reduction: 1, patch: 0.5, motionRests: true } },
    ])
  })

  test.each([
    [{ grow: '48' }, /grow[\s\S]*48[\s\S]*128 divided by 2/],
    [{ grow: '128' }, /grow/],
    [{ grow: '4' }, /multiple of 8/],
    [{ patch: 100 }, /patch[\s\S]*100/],
    [{ grow: '32:0.5,64:0.5' }, /less than 1/],
  ])('are refused if a size cannot be: %o', (options, words) => {
    expect(() => partsOf(light, options)).toThrow(InputError)
    expect(() => partsOf(light, options)).toThrow(words)
  })

  test('of a new run with the light generator grow, and others do not', () => {
    const growOf = (options: Omit<TrainOptions, 'out'>) =>
      resolveConfig(['a.mp4'], { out: 'run', ...options }).training.grow
    expect(growOf({ size: 256, generator: 'light' })).toBe('64,128')
    expect(growOf({ size: 128, generator: 'light' })).toBe('64')
    expect(growOf({ size: 64, generator: 'light' })).toBeUndefined()
    expect(growOf({ size: 128 })).toBeUndefined()
    expect(growOf({ size: 256, generator: 'light', grow: 'none' })).toBeUndefined()
    const more = (size: number) => {
      const model = smallConfig({ net: 'ficelle', size, generator: 'light' })
      return growOf(finetuning<Omit<TrainOptions, 'out'>>({ model }, model))
    }
    expect(more(128)).toBeUndefined()
    expect(more(256)).toBe('128:0.6')
  })

  test('leave out losses that cannot count', () => {
    const all = trainLosses.weights()
    const patched = weightsIn({ ...wholeStep, patch: 0.5 }, all)
    expect(patched).toEqual({ ...all, nearPoints: 0 })
    const resting = weightsIn({ ...wholeStep, motionRests: true }, all)
    expect(resting).toMatchObject({ equivarianceValue: 0, flow: 0, reconstruction: 10, nearPoints: 5 })
  })
})

describe('a patch', () => {
  const published: MotionConfig = { ...light, alignCorners: false }

  test.each([
    ['light', light],
    ['light, without aligned corners', published],
    ['fomm', { ...light, generator: { ...tinyModel().generator, downBlocks: 2 } }],
  ] as const)('shows what the whole picture shows there: %s', async (_, model) => {
    const random = new Random(4)
    const numbers = (length: number) => Float32Array.from({ length }, () => random.uniform())
    const feeds = {
      source: floats(numbers(3 * 128 * 128), [1, 3, 128, 128]),
      from: floats(numbers(6), [1, 3, 2]),
      to: floats(numbers(6), [1, 3, 2]),
    }
    // Pixels 32 to 96 along x, and 64 to 128 along y.
    const corner = floats([0.25, 0.5], [1, 2])
    const whole = await paint(model, {}, feeds)
    const part = await paint(model, { patch: 0.5 }, { ...feeds, corner })
    const at = (x: number, y: number, c: number) => whole[(c * 128 + y) * 128 + x]!
    let differs = 0
    for (let c = 0; c < 3; c++) {
      // Beyond its borders a convolution sees zeros: the middle of the patch is the same.
      for (let y = 31; y < 33; y++) {
        for (let x = 31; x < 33; x++) {
          expect(part[(c * 64 + y) * 64 + x]).toBeCloseTo(at(32 + x, 64 + y, c), 2)
          differs = Math.max(differs, Math.abs(at(32 + x, 64 + y, c) - at(x, y, c)))
        }
      }
    }
    // Elsewhere the picture is another.
    expect(differs).toBeGreaterThan(0.05)
  })

  /** What the model paints with random weights, in evaluation mode. */
  async function paint(
    model: MotionConfig,
    { patch }: { readonly patch?: number },
    feeds: Readonly<Record<string, Tensor>>,
  ): Promise<Float32Array> {
    const graph = new Graph()
    const scope = Scope.root(graph, { training: false })
    const points = (name: string) => ({
      value: input(graph, name, 'float32', [1, 3, 2]),
      jacobian: undefined,
    })
    const painting: Painting =
      patch === undefined ? {} : { patch: { part: patch, corner: input(graph, 'corner', 'float32', [1, 2]) } }
    const source = input(graph, 'source', 'float32', [1, 3, 128, 128])
    const { prediction } = animateFrame(
      ...([scope, source, points('from'), points('to'), model, painting] as const),
    )
    graph.output('prediction', prediction)
    const infos = [...scope.parameters.values()].map((value) => parameterInfo(value.node)!)
    const session = await createSession(graph, {
      device: 'cpu',
      threads: 1,
      weights: initialise(infos, new Random(5)),
    })
    const { prediction: painted } = await session.run(feeds)
    await session.close()
    return painted!.data as Float32Array
  }
})

describe('steps of all parts', () => {
  const step = (part: StepPart) =>
    buildTrainingStep(light, {
      ...{ batch: 1, scales: 3, weights: trainLosses.weights(), transform: warpDefaults },
      ...{ adam: adamDefaults, colour: false, part },
    })
  const whole = step(wholeStep)
  const others = [
    { ...wholeStep, reduction: 4 },
    { ...wholeStep, patch: 0.5 },
    { ...wholeStep, motionRests: true },
    { reduction: 1, patch: 0.25, motionRests: true },
  ]

  test.each(others)('have the same state and report the same: %o', (part) => {
    const other = step(part)
    expect(other.weights).toEqual(whole.weights)
    expect(other.buffers).toEqual(whole.buffers)
    expect(other.reports).toEqual(whole.reports)
    const resting = other.resting!.filter((name) => !/^kp_detector|dense_motion/.test(name))
    expect(resting).toEqual([])
    expect(other.resting!.length > 100).toBe(part.motionRests)
    expect(other.feeds.has('corner')).toBe(part.patch < 1)
    expect(other.feeds.has('theta')).toBe(!part.motionRests)
  })
})

test('a step whose losses see keypoints alone trains the detector, and computes nothing of the generator', () => {
  const stepOf = (weights: TrainLosses) =>
    buildTrainingStep(light, {
      ...{ batch: 1, scales: 3, weights, transform: warpDefaults, adam: adamDefaults, colour: false },
      part: wholeStep,
    })
  const none = Object.fromEntries(trainLosses.names.map((name) => [name, 0]))
  const keypoints = { ...none, equivarianceValue: 1, equivarianceJacobian: 1 }
  const [alone, painting] = [stepOf(keypoints), stepOf({ ...keypoints, reconstruction: 1 })]
  expect(alone.weights).toEqual(painting.weights)
  expect(painting.resting).toEqual([])
  expect([...new Set(alone.resting!.map((name) => name.split('.')[0]))]).toEqual(['generator'])
  const convolutions = ({ graph }: TrainingStep) => graph.nodes.filter(({ op }) => op.name === 'conv').length
  const detector = detectorGraph(light)
  expect(convolutions(alone)).toBeLessThan(0.6 * convolutions(painting))
  expect(convolutions(alone)).toBeGreaterThan(detector.nodes.filter(({ op }) => op.name === 'conv').length)
})

describe('a run of several parts', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pantin-parts-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const options = (out: string, more: Partial<TrainOptions> = {}): TrainOptions => ({
    ...{ out: join(folder, out), model: tinyModel(), batch: 2, seed: 7, device: 'cpu', threads: 1, steps: 8 },
    ...{ grow: '16:0.25', patch: 16, rest: 0.5, ...more },
  })
  const weightsOf = async (out: string) =>
    (await readSafetensors(join(folder, out, 'weights.safetensors'))).tensors
  const clip = 'puppet:3,frames=8,size=48'

  test('is the same, wherever it is stopped and goes on', async () => {
    await train(clip, options('whole'))
    // At the end of the first part, of the second, and within the third.
    for (const at of [2, 4, 5]) {
      const abort = new AbortController()
      const stop = {
        signal: abort.signal,
        onEvent: ({ kind, ...event }: { kind: string }) => {
          if (kind === 'step' && (event as { step: number }).step === at) abort.abort()
        },
      }
      await train(clip, options('stopped', { ...stop, force: true }))
      await train(clip, options('stopped', { resume: true }))
      expect(await weightsOf('stopped'), `stopped after step ${at}`).toEqual(await weightsOf('whole'))
    }
  })

  test('does not move what rests', async () => {
    // A run of 4 steps has another learning rate: the state after half of the run is that of a stopped run.
    const abort = new AbortController()
    await train(
      clip,
      options('half', {
        signal: abort.signal,
        onEvent: (event) => {
          if (event.kind === 'step' && event.step === 4) abort.abort()
        },
      }),
    )
    const [half, whole] = [await weightsOf('half'), await weightsOf('whole')]
    let moved = 0
    for (const [name, before] of half) {
      const isOfMotion = name.startsWith('kp_detector.') || name.includes('dense_motion_network')
      if (isOfMotion) expect(whole.get(name), name).toEqual(before)
      else moved += Number(JSON.stringify(whole.get(name)!.data) !== JSON.stringify(before.data))
    }
    expect(moved).toBeGreaterThan(10)
  })

  test('refuses sizes that do not fit before anything is written', async () => {
    await expect(train(clip, options('none', { grow: '20' }))).rejects.toThrow(/32 divided by 2/)
    await expect(train(clip, options('none', { patch: 64 }))).rejects.toThrow(/patch/)
  })
})
