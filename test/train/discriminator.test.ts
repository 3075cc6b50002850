// Adversarial training: the discriminator's losses, and that each side minimises its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { concat, constant, mul, neg, reduceSum } from '../../src/graph/ops/index.ts'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { floats, scalar } from '../../src/graph/tensor.ts'
import { Scope } from '../../src/layers/scope.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { adamDefaults, adamInputs, adamScalars } from '../../src/train/adam.ts'
import {
  adversarialLoss,
  discriminatorLoss,
  featureMatchingLoss,
  type Judgement,
  judge,
} from '../../src/train/reconstruction/judges.ts'
import { withState } from '../../src/train/step.ts'
import { type TrainEvent, train } from '../../src/train/train.ts'
import { Random } from '../../src/util/random.ts'
import { computePlain, numericGradients, probe, relativeError } from '../support/gradcheck.ts'
import { tinyModel } from './tiny.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-gan-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('losses of a judgement', () => {
  const judgement = (real: Value, made: Value): Judgement => {
    return { real, made, realMaps: [real], madeMaps: [made] }
  }

  test('are those of least squares: 0 for the discriminator that is right, 0 for the model that deceives it', async () => {
    const graph = new Graph()
    const verdict = (value: number) => constant(graph, floats(new Float32Array(4).fill(value), [1, 1, 2, 2]))
    graph.output('right', discriminatorLoss(judgement(verdict(1), verdict(0))))
    graph.output('wrong', discriminatorLoss(judgement(verdict(0), verdict(1))))
    graph.output('deceived', adversarialLoss(judgement(verdict(1), verdict(1))))
    graph.output('seen', adversarialLoss(judgement(verdict(1), verdict(0))))
    graph.output('matched', featureMatchingLoss(judgement(verdict(0.3), verdict(0.5))))
    const found = await evaluate(graph, {})
    const of = (name: string) => (found[name]!.data as Float32Array)[0]
    expect(['right', 'wrong', 'deceived', 'seen'].map(of)).toEqual([0, 2, 0, 1])
    expect(of('matched')).toBeCloseTo(0.2, 6)
  })

  test.each([
    ['discriminator', discriminatorLoss],
    ['adversarial', adversarialLoss],
    ['feature matching', featureMatchingLoss],
  ] as const)('%s has the gradient of its formula', (_, loss) => {
    const shape = [2, 1, 2, 2]
    const check = probe([shape, shape], (real, made) => loss(judgement(real!, made!)), { range: [0.1, 0.9] })
    const numeric = numericGradients(check)
    const symbolic = computePlain(check, check.grads)
    expect(relativeError(symbolic, numeric)).toBeLessThan(1e-6)
    expect(
      relativeError(
        symbolic.map((grad) => grad.map((x) => 1.1 * x)),
        numeric,
      ),
    ).toBeGreaterThan(1e-3)
  })
})

test('a judgement is that of each picture by itself, in patches', async () => {
  const graph = new Graph()
  const random = new Random(3)
  const picture = () =>
    floats(
      Float32Array.from({ length: 3 * 32 * 32 }, () => random.uniform()),
      [1, 3, 32, 32],
    )
  const [a, b] = [constant(graph, picture()), constant(graph, picture())]
  const scope = Scope.root(graph, { training: true })
  const alone = judge(scope, a, b)
  const joined = judge(scope, concat([a, b], 0), concat([b, a], 0))
  for (const [name, value] of Object.entries({ real: alone.real, made: alone.made, joined: joined.real })) {
    graph.output(name, value)
  }
  const found = await evaluate(graph, {}, initialise(parametersOf(graph), new Random(1)))
  expect(found.real!.shape).toEqual([1, 1, 2, 2])
  const numbers = (name: string) => [...(found[name]!.data as Float32Array)]
  expect(numbers('joined')).toEqual([...numbers('real'), ...numbers('made')].map((x) => expect.closeTo(x, 5)))
})

test('each side moves by its own loss', async () => {
  const graph = new Graph()
  const scope = Scope.root(graph, { training: true })
  const one = (name: string) => scope.weight(name, [1], { kind: 'fill', value: 1 })
  // A step has running statistics, too.
  scope.buffer('mean', [1], { kind: 'fill', value: 0 })
  const product = mul(one('model'), one('other.weight'))
  const loss = reduceSum(product)
  const step = (adversary: boolean) =>
    withState(scope, { loss }, adamDefaults, {
      ...(adversary && { adversary: { prefix: 'other.', name: 'other', loss: neg(loss) } }),
    })
  const after = async (adversary: boolean) => {
    const { graph: built, reports } = step(adversary)
    const zeros = floats([0, 0])
    const { rate, correction } = adamScalars(1, 0.1, adamDefaults)
    const found = await evaluate(built, {
      ...{ weights: floats([1, 1]), buffers: floats([0]), firstMoment: zeros, secondMoment: zeros },
      ...{ [adamInputs.rate]: scalar(rate), [adamInputs.correction]: scalar(correction) },
    })
    return { reports, weights: [...(found['weights.next']!.data as Float32Array)] }
  }
  const near = (numbers: number[]) => numbers.map((x) => expect.closeTo(x, 4))
  expect((await after(false)).weights).toEqual(near([0.9, 0.9]))
  const both = await after(true)
  expect(both.weights).toEqual(near([0.9, 1.1]))
  expect(both.reports).toEqual(['loss', 'other', 'gradientNorm'])
})

test('train reports it, keeps it in checkpoints, and leaves it out of the weights', async () => {
  const reports: Readonly<Record<string, number>>[] = []
  const out = join(folder, 'run')
  const options = {
    ...{ out, model: tinyModel(), batch: 2, threads: 1 },
    device: 'cpu' as const,
    losses: { adversarial: 1, featureMatching: 10 },
  }
  const follow = (event: TrainEvent) => {
    if (event.kind === 'step') reports.push(event.terms)
  }
  const clips = ['puppet:3,frames=6,size=32']
  await train(clips, { ...options, steps: 4, onEvent: follow })
  expect(reports).toHaveLength(4)
  for (const { discriminator, adversarial, featureMatching } of reports) {
    for (const term of [discriminator, adversarial, featureMatching]) expect(term).toBeGreaterThan(0)
  }
  const { tensors } = await readSafetensors(join(out, 'weights.safetensors'))
  expect([...tensors.keys()].filter((name) => name.startsWith('discriminator'))).toEqual([])
  expect(tensors.size).toBeGreaterThan(50)
  await expect(train(clips, { ...options, steps: 4, resume: true })).resolves.toMatchObject({ steps: 4 })
})
