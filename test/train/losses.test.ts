import { describe, expect, test } from 'vitest'
import { parseLosses } from '../../src/cli/training.ts'
import { Graph } from '../../src/graph/graph.ts'
import { constant, mul, reduceMean, square, sub } from '../../src/graph/ops/index.ts'
import { floats, tensor } from '../../src/graph/tensor.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { trainingConfigSchema } from '../../src/train/config.ts'
import { lossesFor } from '../../src/train/distil/config.ts'
import {
  type DistilLoss,
  distilLosses,
  registerLoss,
  type TrainLoss,
  trainLosses,
} from '../../src/train/losses.ts'
import { pyramidLoss } from '../../src/train/reconstruction/losses.ts'
import { buildTrainingStep } from '../../src/train/reconstruction/step.ts'
import { tinyModel } from './tiny.ts'

describe('the loss over a pyramid', () => {
  /** The losses of pictures of 16 pixels a side that differ by a formula, by the number of scales. */
  async function losses(difference: (x: number, y: number) => number): Promise<number[]> {
    const graph = new Graph()
    const [a, b] = [difference, () => 0].map((value) =>
      constant(
        graph,
        floats(
          Array.from({ length: 3 * 256 }, (_, i) => value(i % 16, Math.floor(i / 16) % 16)),
          [1, 3, 16, 16],
        ),
      ),
    )
    for (const scales of [1, 2, 4]) graph.output(`of ${scales}`, pyramidLoss(a!, b!, scales))
    const found = await evaluate(graph, {})
    return [1, 2, 4].map((scales) => (found[`of ${scales}`]!.data as Float32Array)[0]!)
  }

  test('is the mean over its scales: of a constant difference, this difference', async () => {
    expect(await losses(() => 0.3)).toEqual([0.3, 0.3, 0.3].map((value) => expect.closeTo(value, 5)))
  })

  test('averages where it halves: stripes of a pixel are seen at the first scale alone', async () => {
    const first = 0.4 + 0.8
    const expected = [first, first / 2, first / 4]
    expect(await losses((x) => (x % 2 === 0 ? 0.4 : -0.4))).toEqual(expected.map((v) => expect.closeTo(v, 5)))
  })
})

describe('the tables of losses', () => {
  const names = ['value', 'distance', 'jacobian', 'heatmap', 'divergence', 'attention', 'features']

  test('have the usual weights, and read others from configurations and the command line', () => {
    expect(distilLosses.names.slice(0, 7)).toEqual(names)
    const usual = { reconstruction: 10, perceptual: 10, equivarianceValue: 1, equivarianceJacobian: 1 }
    expect(trainLosses.weights()).toMatchObject(usual)
    expect(trainingConfigSchema.parse({ clips: ['x'] }).losses).toMatchObject(usual)
    expect(parseLosses('perceptual=0,reconstruction=2', trainLosses)).toEqual({
      perceptual: 0,
      reconstruction: 2,
    })
    expect(() => parseLosses('distnce=1')).toThrow(/no loss "distnce"[\s\S]*did you mean "distance"/)
    expect(() => trainingConfigSchema.parse({ clips: ['x'], losses: { sharpnes: 1 } })).toThrow(
      /expected a loss of train: reconstruction/,
    )
  })

  test('have losses of pairs for a whole model alone', () => {
    const bare = { jacobian: true, heatmap: undefined, features: undefined }
    expect(Object.keys(lossesFor(bare))).not.toContain('flow')
    expect(() => lossesFor(bare, { flow: 1 })).toThrow(/nothing to compare[\s\S]*--what model/)
    const pairs = { driving: true, picture: true, flow: true, occlusion: false }
    expect(lossesFor({ ...bare, ...pairs })).toEqual(
      expect.not.objectContaining({ occlusion: expect.anything() }),
    )
    expect(lossesFor({ ...bare, ...pairs })).toMatchObject({ reconstruction: 10, flow: 20 })
  })

  test('leave out what a teacher does not give', () => {
    const bare = { jacobian: false, heatmap: undefined, features: undefined }
    expect(lossesFor(bare)).toMatchObject({ distance: 10, jacobian: 0, divergence: 0 })
    expect(lossesFor({ ...bare, jacobian: true }, { divergence: 2 })).toMatchObject({
      jacobian: 1,
      divergence: 2,
    })
  })
})

describe("a loss of one's own", () => {
  const sharpness: TrainLoss = {
    ...{ of: 'train', name: 'sharpness', weight: 0.5 },
    help: 'mean squared difference',
    build: ({ prediction, driving }) => reduceMean(square(sub(prediction, driving))),
  }
  const doubled: DistilLoss = {
    ...{ of: 'distil', name: 'doubled', weight: 3, needs: 'heatmap' },
    help: 'twice the mean squared difference of heatmaps',
    build: ({ found, label }) => mul(reduceMean(square(sub(found, label))), 2),
  }
  registerLoss(sharpness)
  registerLoss(doubled)

  test('counts with its weight, is reported, and is read by all that reads the table', () => {
    registerLoss(sharpness)
    expect(trainLosses.weights({ perceptual: 0 })).toMatchObject({ sharpness: 0.5, perceptual: 0 })
    expect(parseLosses('sharpness=2', trainLosses)).toEqual({ sharpness: 2 })
    expect(lossesFor({ jacobian: true, heatmap: undefined, features: undefined })).toMatchObject({
      doubled: 0,
    })
    const config = trainingConfigSchema.parse({ clips: ['x'], batch: 1 })
    const { losses: weights, transform, adam } = config
    const options = { batch: 1, scales: 1, transform, adam, colour: false }
    expect(buildTrainingStep(tinyModel(), { ...options, weights }).reports).toContain('sharpness')
    // A run that was begun without it goes on without it.
    const { sharpness: _, ...before } = weights
    expect(buildTrainingStep(tinyModel(), { ...options, weights: before }).reports).not.toContain('sharpness')
  })

  test('has warped frames if it reads them, and costs no third pass of the detector if it does not', () => {
    const adam = { beta1: 0.5, beta2: 0.99, epsilon: 1e-8 }
    const transform = { sigmaAffine: 0.05, sigmaTps: 0.005, points: 5 }
    const frames = (weights: Record<string, number>) => {
      const options = { batch: 2, scales: 1, transform, adam, colour: false }
      const { graph } = buildTrainingStep(tinyModel(), { ...options, weights })
      return Math.max(
        ...graph.nodes.filter(({ op }) => op.name === 'conv').map(({ inputs }) => inputs[0]!.shape[0]!),
      )
    }
    expect(frames({ reconstruction: 1, equivarianceValue: 1 })).toBe(6)
    expect(frames({ reconstruction: 1, equivarianceValue: 0 })).toBe(4)
  })

  test('sees both frames of a pair in the colours that were drawn for it, within 0 and 1', async () => {
    let graph = new Graph()
    const seen: TrainLoss = {
      ...{ of: 'train', name: 'seen', weight: 1, help: 'the frames that losses see' },
      build({ source, driving, prediction }) {
        graph = source.graph as Graph
        graph.output('source', source)
        graph.output('driving', driving)
        return reduceMean(square(sub(prediction, driving)))
      },
    }
    registerLoss(seen)
    const { transform, adam } = trainingConfigSchema.parse({ clips: ['x'] })
    const options = { batch: 2, scales: 1, transform, adam, colour: true }
    buildTrainingStep(tinyModel(), { ...options, weights: { seen: 1 } })
    // Two sources of one colour, then two driving frames of another.
    const ofSlot = (slot: number) => (slot < 2 ? [51, 102, 204] : [102, 153, 51])
    const bytes = Uint8Array.from({ length: 4 * 32 * 32 * 3 }, (_, i) => ofSlot(Math.floor(i / 3072))[i % 3]!)
    // The first pair stays as it is. In the second, red and green change places, blue becomes half, and all are changed.
    const same = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
    const changed = [0, 1, 0, 0.5, 1, 0, 0, -0.3, 0, 0, 0.5, 0.1]
    const found = await evaluate(graph, {
      frames: tensor('uint8', [4, 32, 32, 3], bytes),
      colour: floats([...same, ...changed], [2, 3, 4]),
    })
    const colours = (name: string, pair: number) =>
      [0, 1, 2].map((channel) => (found[name]!.data as Float32Array)[(3 * pair + channel) * 1024 + 500]!)
    const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 5))
    expect(colours('source', 0)).toEqual(close([0.2, 0.4, 0.8]))
    expect(colours('driving', 0)).toEqual(close([0.4, 0.6, 0.2]))
    expect(colours('source', 1)).toEqual(close([0.9, 0, 0.5]))
    expect(colours('driving', 1)).toEqual(close([1, 0.1, 0.2]))
  })

  test('is refused if it is none, or if its name is taken', () => {
    expect(() => registerLoss({ ...sharpness })).toThrow(/another loss "sharpness" of train/)
    expect(() => registerLoss({ ...sharpness, name: 'not good' })).toThrow(/name of a loss cannot be used/)
    expect(() => registerLoss({ ...sharpness, name: 'other', weight: Number.NaN })).toThrow(/no usual weight/)
    expect(() => registerLoss({} as TrainLoss)).toThrow(/this is not a loss/)
  })
})
