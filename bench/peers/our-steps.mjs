/**
 * Our side of the comparison: the same step, batch and session that training has. It uses the built package
 * (`npm run build`), whose inner modules are files of their own.
 */
import { parseArgs } from 'node:util'
import { Graph } from '../../dist/graph/graph.js'
import { add, mul, reduceMean, sub } from '../../dist/graph/ops/arithmetic.js'
import { gradient, simplify } from '../../dist/graph/ops/autodiff.js'
import { cast } from '../../dist/graph/ops/compare.js'
import { input } from '../../dist/graph/ops/leaf.js'
import { concat, reshape, transpose } from '../../dist/graph/ops/shape.js'
import { square } from '../../dist/graph/ops/unary.js'
import { floats, scalar, tensor } from '../../dist/graph/tensor.js'
import { Scope } from '../../dist/layers/scope.js'
import { smallConfig } from '../../dist/motion/config.js'
import { detect } from '../../dist/motion/model.js'
import { createSession } from '../../dist/runtime/node.js'
import { adam, adamInputs, adamScalars } from '../../dist/train/adam.js'
import { trainingConfigSchema } from '../../dist/train/config.js'
import { copyWithFlat, flatLayout, flatten } from '../../dist/train/flat.js'
import { initialState } from '../../dist/train/state.js'
import { buildTrainingStep, lossNames, stateOutputs } from '../../dist/train/step.js'
import { drawTransform } from '../../dist/train/transform.js'
import { Random } from '../../dist/util/random.js'

export const learningRate = 2e-3

const training = trainingConfigSchema.parse({ clips: ['none'], steps: 1, learningRate })
const { batch } = training
const stateNames = Object.keys(stateOutputs)

/** Options of the command line that all scripts here have, and `more`. */
export function readOptions(more) {
  const { values } = parseArgs({
    options: {
      net: { type: 'string', default: 'lednet' },
      what: { type: 'string', default: 'step' },
      ...more,
    },
  })
  return values
}

/**
 * The graph of a step, its layouts of weights and buffers, the names of what `losses` holds, and a batch.
 *
 * @param what `step`: a training step of the whole model. `detector`: one of the detector alone, towards given
 * keypoints.
 */
export function makeStep(what, net) {
  const model = smallConfig({ net })
  if (what === 'detector') return { ...detectorStep(model), inputs: detectorBatch(model) }
  const { losses: weights, scales, transform, adam } = training
  const step = buildTrainingStep(model, { batch, scales, weights, transform, adam, colour: false })
  return { ...step, lossNames, inputs: wholeBatch(model) }
}

/** The detector's distillation step, of the same parts as the whole model's. */
function detectorStep(model) {
  const { size, keypoints } = model
  const traced = new Graph()
  const scope = Scope.root(traced, { training: true })
  const frames = input(traced, 'frames', 'uint8', [batch, size, size, 3])
  const pixels = mul(transpose(cast(frames, 'float32'), [0, 3, 1, 2]), 1 / 255)
  const found = detect(scope, pixels, model).keypoints
  const mse = (got, name, shape) => reduceMean(square(sub(got, input(traced, name, 'float32', shape))))
  const value = mse(found.value, 'value', [batch, keypoints, 2])
  const jacobian = mse(found.jacobian, 'jacobian', [batch, keypoints, 2, 2])
  const loss = add(value, jacobian)

  const parameters = [...scope.parameters.values()]
  const weights = flatLayout(parameters, 'weight')
  const buffers = flatLayout(parameters, 'buffer')
  const leaves = weights.entries.map(({ name }) => scope.parameters.get(name))
  const grads = gradient(loss, leaves)
  const grad = flatten(new Map(weights.entries.map(({ name }, i) => [name, grads[i]])), weights)
  const nextBuffers = flatten(new Map([...scope.parameters, ...scope.updates]), buffers)
  const losses = concat(
    [loss, value, jacobian].map((term) => reshape(term, [1])),
    0,
  )
  const flat = copyWithFlat([losses, grad, nextBuffers], { weights, buffers })
  const { graph } = flat
  const moment = (name) => input(graph, name, 'float32', [weights.size])
  const state = {
    weights: flat.weights,
    firstMoment: moment('firstMoment'),
    secondMoment: moment('secondMoment'),
  }
  const next = adam(state, flat.copy(grad), training.adam)
  graph.output('losses', flat.copy(losses))
  graph.output(stateOutputs.weights, next.weights)
  graph.output(stateOutputs.buffers, flat.copy(nextBuffers))
  graph.output(stateOutputs.firstMoment, next.firstMoment)
  graph.output(stateOutputs.secondMoment, next.secondMoment)
  return {
    graph: simplify(graph),
    weights,
    buffers,
    fixed: new Map(),
    lossNames: ['loss', 'value', 'jacobian'],
  }
}

function wholeBatch({ size }) {
  const random = new Random(7)
  const { theta, spline } = drawTransform(random, batch, training.transform)
  return {
    frames: tensor('uint8', [2 * batch, size, size, 3], drawFrames(random, batch, size, 2)),
    theta: floats(theta, [batch, 2, 3]),
    spline: floats(spline, [batch, training.transform.points ** 2, 1]),
  }
}

function detectorBatch({ size, keypoints }) {
  const random = new Random(7)
  const around = (count, middle, deviation) =>
    Float32Array.from({ length: count }, (_, i) => middle(i) + deviation * random.normal())
  const n = batch * keypoints
  return {
    frames: tensor('uint8', [batch, size, size, 3], drawFrames(random, batch, size, 1)),
    value: floats(
      around(2 * n, () => 0, 0.4),
      [batch, keypoints, 2],
    ),
    jacobian: floats(
      around(4 * n, (i) => (i % 4 === 0 || i % 4 === 3 ? 1 : 0), 0.2),
      [batch, keypoints, 2, 2],
    ),
  }
}

/** Pictures of soft blobs in front of a gradient: `moments` of each, in which the blobs have moved. */
function drawFrames(random, count, size, moments) {
  const frames = new Uint8Array(moments * count * size * size * 3)
  for (let picture = 0; picture < count; picture++) {
    const blobs = Array.from({ length: 6 }, () => ({
      at: [random.between(-0.8, 0.8), random.between(-0.8, 0.8)],
      speed: [random.between(-0.2, 0.2), random.between(-0.2, 0.2)],
      width: random.between(0.05, 0.35),
      colour: [0, 1, 2].map(() => random.between(-160, 160)),
    }))
    for (let moment = 0; moment < moments; moment++) {
      const first = (moment * count + picture) * size * size * 3
      for (let i = 0; i < size * size; i++) {
        const x = (2 * (i % size)) / (size - 1) - 1
        const y = (2 * Math.floor(i / size)) / (size - 1) - 1
        for (let c = 0; c < 3; c++) {
          let sum = 120 + 40 * (c === 0 ? x : y)
          for (const { at, speed, width, colour } of blobs) {
            const [dx, dy] = [x - at[0] - moment * speed[0], y - at[1] - moment * speed[1]]
            sum += colour[c] * Math.exp(-(dx * dx + dy * dy) / (2 * width * width))
          }
          frames[first + 3 * i + c] = Math.min(255, Math.max(0, Math.round(sum)))
        }
      }
    }
  }
  return frames
}

/** A session on a step with the state it works on, which each step writes anew in turn. */
export class Stepper {
  constructor(step, session) {
    this.step = step
    this.session = session
    this.state = initialState(step, new Random(1))
    this.spare = Object.fromEntries(
      stateNames.map((name) => [name, new Float32Array(this.state[name].length)]),
    )
    this.taken = 0
  }

  static async create(what, net, threads) {
    const step = makeStep(what, net)
    const options = { device: 'cpu', weights: step.fixed, ...(threads && { threads }) }
    return new Stepper(step, await createSession(step.graph, options))
  }

  /** What a step from `state` gives, written to `into`. @returns the losses */
  async compute(state, into) {
    const { rate, correction } = adamScalars(this.taken + 1, learningRate, training.adam)
    const feeds = {
      ...this.step.inputs,
      ...Object.fromEntries(stateNames.map((name) => [name, vector(state[name])])),
      [adamInputs.rate]: scalar(rate),
      [adamInputs.correction]: scalar(correction),
    }
    const results = Object.fromEntries(stateNames.map((name) => [stateOutputs[name], vector(into[name])]))
    const { losses } = await this.session.run(feeds, results)
    return losses.data
  }

  async run() {
    const losses = await this.compute(this.state, this.spare)
    ;[this.state, this.spare] = [this.spare, this.state]
    this.taken++
    return losses
  }
}

const vector = (data) => tensor('float32', [data.length], data)

export const beta1 = training.adam.beta1
