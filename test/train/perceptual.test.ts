import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { constant, initialise, input, parametersOf } from '../../src/graph/ops/leaf.ts'
import { relu } from '../../src/graph/ops/unary.ts'
import { floats } from '../../src/graph/tensor.ts'
import { conv2d } from '../../src/layers/conv2d.ts'
import { Scope } from '../../src/layers/scope.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { readMetrics } from '../../src/run/run.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { perceptualLoss } from '../../src/train/reconstruction/judges.ts'
import { train } from '../../src/train/train.ts'
import { Random } from '../../src/util/random.ts'
import { modelBytes, node } from '../onnx/models.ts'
import { tinyModel } from './tiny.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pantin-perceptual-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A network as another tool would export it: two feature maps, made for another size than it is used at. */
function features(): Uint8Array {
  const graph = new Graph()
  const image = input(graph, 'image', 'float32', [2, 3, 32, 32])
  const scope = Scope.root(graph, { training: false })
  const first = relu(conv2d(scope.child('first'), image, 6, { kernel: 3 }))
  graph.output('first', first)
  graph.output('second', relu(conv2d(scope.child('second'), first, 8, { kernel: 3, stride: 2, padding: 1 })))
  return toOnnx(graph, { weights: initialise(parametersOf(graph), new Random(1)) })
}

const clip = 'puppet:3,frames=24,size=48'
const common = { model: tinyModel(), batch: 2, scales: 1, logEvery: 10, device: 'cpu' } as const
const onlyPerceptual = { reconstruction: 0, perceptual: 10, equivarianceValue: 0, equivarianceJacobian: 0 }

test('a perceptual network alone teaches the model, and its own weights stay out of the run', async () => {
  const perceptual = join(folder, 'features.onnx')
  await writeFile(perceptual, features())
  const run = await train(clip, {
    ...common,
    out: join(folder, 'run'),
    steps: 30,
    perceptual,
    losses: onlyPerceptual,
  })
  const records = await readMetrics(join(run.path, 'metrics.jsonl'))
  const losses = records.flatMap(({ perceptual: value }) => (typeof value === 'number' ? [value] : []))
  expect(losses.at(-1)).toBeGreaterThan(0)
  expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!)
})

/** Losses of pictures of 16 pixels a side, by the number of scales. The one feature of a pixel is twice its value. */
async function lossesOf(difference: (x: number) => number): Promise<number[]> {
  const bytes = modelBytes({
    inputs: { image: ['n', 3, 'height', 'width'] },
    nodes: [node('Add', ['image', 'image'], ['y'])],
  })
  const graph = new Graph()
  const [made, wanted] = [difference, () => 0].map((value) =>
    constant(
      graph,
      floats(
        Array.from({ length: 3 * 256 }, (_, i) => value(i % 16)),
        [1, 3, 16, 16],
      ),
    ),
  )
  for (const scales of [1, 2, 4]) {
    graph.output(`of ${scales}`, perceptualLoss(bytes, 'doubled.onnx', scales).build(graph, made!, wanted!))
  }
  const found = await evaluate(graph, {})
  return [1, 2, 4].map((scales) => (found[`of ${scales}`]!.data as Float32Array)[0]!)
}

test('its loss is the mean over scales, and pictures are averaged where they are halved', async () => {
  expect(await lossesOf(() => 0.3)).toEqual([0.6, 0.6, 0.6].map((value) => expect.closeTo(value, 5)))
  // Stripes of a pixel are seen at the first scale alone.
  const stripes = await lossesOf((x) => (x % 2 === 0 ? 0.4 : -0.4))
  expect(stripes).toEqual([0.8, 0.4, 0.2].map((value) => expect.closeTo(value, 5)))
})

test('a file that is no network is refused, and says which', async () => {
  const perceptual = join(folder, 'not.onnx')
  await writeFile(perceptual, 'nothing of the kind')
  const run = train(clip, { ...common, out: join(folder, 'bad'), steps: 2, perceptual })
  await expect(run).rejects.toThrow(/not\.onnx/)
  expect(await readdir(folder)).not.toContain('bad')
})
