// Trains the two face networks on synthetic heads, and writes assets/faces.safetensors: the parts of `run.mjs`.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  faceAsset,
  finderMaps,
  finderStride,
  landmarkMaps,
  landmarkSize,
  readFaceWeights,
} from '../../src/faces/networks.ts'
import { decodeSafetensors, encodeSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { Graph, type Value } from '../../src/graph/graph.ts'
import {
  abs,
  add,
  exp,
  input,
  log,
  mul,
  neg,
  reduceSum,
  relu,
  sigmoid,
  square,
  sub,
} from '../../src/graph/ops/index.ts'
import type { Tensor } from '../../src/graph/tensor.ts'
import { Scope } from '../../src/layers/scope.ts'
import { landmarkCount } from '../../src/synthetic/made-clips.ts'
import { learningRate } from '../../src/train/adam.ts'
import { initialState, namedState, stateFrom } from '../../src/train/state.ts'
import { type Terms, type TrainingStep, withState } from '../../src/train/step.ts'
import { stepsOn } from '../../src/train/training-run.ts'
import { Random } from '../../src/util/random.ts'
import { finderSample, finderSize, landmarkSample, type Sample, stack } from './batches.ts'
import { paintBackgrounds } from './compose.ts'
import { poolSize, readPool, renderPool } from './pool.ts'

const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }

const batchSize = 8
/** How many steps see a picture, on average: making one costs as much as learning from it. */
const uses = 4
/** Pictures that wait to be used again. */
const kept = 1000

interface Task {
  /** Steps of the whole training, and the largest learning rate. */
  readonly steps: number
  readonly rate: number
  readonly step: () => TrainingStep
  readonly sample: typeof finderSample
}

/** log(1 + e^x), for any x. */
const softplus = (x: Value): Value => add(relu(x), log(add(1, exp(neg(abs(x))))))

/** Focal cross entropy of logits (Lin et al. 2017, Focal Loss): places that are known already count little. */
function focal(logits: Value, target: Value): Value {
  const p = sigmoid(logits)
  const missed = mul(mul(target, square(sub(1, p))), softplus(neg(logits)))
  return add(missed, mul(mul(sub(1, target), square(p)), softplus(logits)))
}

/** The mean of |x| under weights. */
const weightedMean = (x: Value, weights: Value): Value =>
  mul(reduceSum(mul(x, weights)), reciprocal(add(reduceSum(weights), 1e-3)))
const reciprocal = (x: Value): Value => exp(neg(log(x)))

function finderStep(): TrainingStep {
  const graph = new Graph()
  const scope = Scope.root(graph, { training: true })
  const cells = finderSize / finderStride
  const map = (name: string, channels: number) =>
    input(graph, name, 'float32', [batchSize, channels, cells, cells])
  const picture = input(graph, 'picture', 'float32', [batchSize, 3, finderSize, finderSize])
  const maps = finderMaps(scope.child('finder'), picture)
  const presence = mul(
    reduceSum(mul(focal(maps.presence, map('target', 1)), map('weight', 1))),
    1 / batchSize,
  )
  const box = weightedMean(abs(sub(maps.box, map('box', 3))), map('boxWeight', 1))
  return withState(scope, { loss: add(presence, box), presence, box } satisfies Terms, adam)
}

function landmarkStep(): TrainingStep {
  const graph = new Graph()
  const scope = Scope.root(graph, { training: true })
  const squares = input(graph, 'square', 'float32', [batchSize, 3, landmarkSize, landmarkSize])
  const result = landmarkMaps(scope.child('landmarks'), squares)
  const points = input(graph, 'points', 'float32', [batchSize, landmarkCount, 2])
  const weights = input(graph, 'pointWeights', 'float32', [batchSize, landmarkCount, 1])
  const isFace = input(graph, 'isFace', 'float32', [batchSize, 1])
  const distance = weightedMean(abs(sub(result.landmarks, points)), weights)
  const presence = mul(reduceSum(focal(result.presence, isFace)), 1 / batchSize)
  return withState(
    scope,
    { loss: add(mul(10, distance), presence), distance, presence } satisfies Terms,
    adam,
  )
}

const tasks: Readonly<Record<string, Task>> = {
  finder: { steps: 6000, rate: 2e-3, step: finderStep, sample: finderSample },
  landmarks: { steps: 8000, rate: 2e-3, step: landmarkStep, sample: landmarkSample },
}

/** Seeds of the heads to learn from, `head:1..1600`. Others are for tests. */
const trainingSeeds = Array.from({ length: 1600 }, (_, i) => i + 1)

/** Frames of each head in the pool. */
const framesOfHead = 3

/**
 * Makes the asset, or one part of it.
 *
 * @param folder keeps the pool and the checkpoints
 * @param part `--pool`, `--finder`, `--landmarks` or `--pack`; default: all, one after the other
 * @param steps of the training, instead of its own
 */
export async function makeAsset(folder: string | undefined, part?: string, steps?: string): Promise<void> {
  const parts: Readonly<Record<string, (folder: string) => Promise<void>>> = {
    '--pool': (path) => renderPool(join(path, 'pool'), trainingSeeds, framesOfHead),
    '--finder': (path) => train('finder', path, steps),
    '--landmarks': (path) => train('landmarks', path, steps),
    '--pack': pack,
  }
  if (folder === undefined || (part !== undefined && !Object.hasOwn(parts, part))) {
    throw new Error(`usage: run.mjs FOLDER [${Object.keys(parts).join(' | ')}]`)
  }
  mkdirSync(folder, { recursive: true })
  for (const [name, make] of Object.entries(parts))
    if (part === undefined || part === name) await make(folder)
}

/** The weights of both networks, without the optimiser's state, in half precision. */
async function pack(folder: string): Promise<void> {
  const weights = new Map<string, Tensor>()
  for (const name of Object.keys(tasks)) {
    const file = join(folder, `${name}.checkpoint`)
    const { tensors } = await decodeSafetensors(readFileSync(file), file)
    for (const [key, value] of tensors) if (!key.startsWith('adam.')) weights.set(key, value)
  }
  const bytes = Buffer.concat(encodeSafetensors(weights, new Map(), { floats: 'F16' }))
  await readFaceWeights(bytes, faceAsset)
  writeFileSync(new URL(`../../assets/${faceAsset}`, import.meta.url), bytes)
  process.stderr.write(`assets/${faceAsset}: ${bytes.length} bytes\n`)
}

/** Backgrounds, painted once: a run that goes on need not wait for them. */
function keptBackgrounds(folder: string): Uint8Array[] {
  const file = join(folder, 'backgrounds')
  if (!existsSync(file)) {
    writeFileSync(`${file}.part`, Buffer.concat(paintBackgrounds(400, 7)))
    renameSync(`${file}.part`, file)
  }
  const bytes = new Uint8Array(readFileSync(file))
  const length = 3 * poolSize ** 2
  return Array.from({ length: bytes.length / length }, (_, i) => bytes.subarray(i * length, (i + 1) * length))
}

async function train(name: string, folder: string, given?: string): Promise<void> {
  const task = tasks[name]!
  const steps = given === undefined ? task.steps : Number(given)
  const step = task.step()
  const checkpoint = join(folder, `${name}.checkpoint`)
  let done = 0
  let state = initialState(step, new Random(1))
  if (existsSync(checkpoint)) {
    const { tensors, metadata } = await decodeSafetensors(readFileSync(checkpoint), checkpoint)
    state = stateFrom(tensors, step)
    done = Number(metadata.get('step'))
  }
  const random = new Random(100 + done)
  const material = {
    heads: readPool(join(folder, 'pool'), trainingSeeds),
    backgrounds: keptBackgrounds(folder),
  }
  process.stderr.write(
    `${name}: ${material.heads.length} heads, from step ${done}, ${step.weights.size} weights\n`,
  )
  const runner = await stepsOn({ device: 'cpu', threads: 1 })(step, adam, state)
  const samples: Sample[] = []
  const sums = new Map<string, number>()
  let [spent, made, since] = [0, 0, 0]
  const save = async () => {
    const pieces = encodeSafetensors(namedState(await runner.read(), step), new Map([['step', String(done)]]))
    writeFileSync(`${checkpoint}.part`, Buffer.concat(pieces))
    renameSync(`${checkpoint}.part`, checkpoint)
  }
  process.stderr.write(`${name}: session open\n`)
  while (done < steps) {
    const before = performance.now()
    const fresh = samples.length < 4 * batchSize ? 4 * batchSize : Math.ceil(batchSize / uses)
    for (let i = 0; i < fresh; i++) {
      const sample = await task.sample(material, random)
      if (samples.length < kept) samples.push(sample)
      else samples[random.integer(kept)] = sample
    }
    made += performance.now() - before
    const batch = stack(Array.from({ length: batchSize }, () => random.pick(samples)))
    done++
    const { report } = await runner.run(done, learningRate(task.rate, done / steps, done), [batch])
    spent += performance.now() - before
    since++
    for (const [key, value] of Object.entries(report)) sums.set(key, (sums.get(key) ?? 0) + value)
    if (done % 50 === 0) {
      const means = [...sums].map(([key, value]) => `${key} ${(value / since).toFixed(4)}`).join(', ')
      process.stderr.write(
        `${name} ${done}: ${means}; ${(spent / since).toFixed(0)} ms a step, ${(made / since).toFixed(0)} of it for pictures\n`,
      )
      sums.clear()
      ;[spent, made, since] = [0, 0, 0]
    }
    if (done % 100 === 0 || done === steps) await save()
  }
  await runner.close()
}
