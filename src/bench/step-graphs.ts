import { Graph, type Value } from '../graph/graph.ts'
import {
  add,
  cast,
  concat,
  gradient,
  input,
  mul,
  reduceMean,
  reshape,
  simplify,
  square,
  sub,
  transpose,
} from '../graph/ops/index.ts'
import type { Tensor } from '../graph/tensor.ts'
import { Scope } from '../layers/scope.ts'
import { type MotionConfig, smallConfig } from '../motion/config.ts'
import { detect } from '../motion/model.ts'
import { adam } from '../train/adam.ts'
import { type TrainingConfig, trainingConfigSchema } from '../train/config.ts'
import { copyWithFlat, flatLayout, flatten } from '../train/flat.ts'
import { buildTrainingStep, lossNames, stateOutputs, type TrainingStep } from '../train/step.ts'
import { detectorBatch, wholeBatch } from './step-batches.ts'

/** The training steps that are timed. */

/** `step`: of the whole model. `detector`: of the detector alone, towards given keypoints (distillation). */
export type StepKind = 'step' | 'detector'

export interface StepChoice {
  readonly what: StepKind
  /** Backbone of the detector: a name of the zoo. */
  readonly net: string
  /** Pairs of frames, or frames of the detector's step (default: that of training). */
  readonly batch?: number
  /** Side of the frames in pixels (default 64). */
  readonly size?: number
}

export interface BenchStep extends TrainingStep {
  readonly model: MotionConfig
  readonly training: TrainingConfig
  /** What its output `losses` holds. */
  readonly lossNames: readonly string[]
  /** One batch. */
  readonly inputs: Readonly<Record<string, Tensor>>
}

/** The settings of training that all steps have. */
const settings = { clips: ['none'], steps: 1, learningRate: 2e-3 }

/** Builds a step. @throws InputError for an unknown network, or a size that it does not take. */
export function makeStep({ what, net, batch, size = 64 }: StepChoice): BenchStep {
  const model = smallConfig({ net, size })
  const training = trainingConfigSchema.parse({ ...settings, ...(batch !== undefined && { batch }) })
  if (what === 'detector') return detectorStep(model, training)
  const { losses: weights, scales, transform } = training
  const options = { batch: training.batch, scales, weights, transform, adam: training.adam, colour: false }
  const step = buildTrainingStep(model, options)
  return { ...step, model, training, lossNames, inputs: wholeBatch(size, training.batch, transform) }
}

/** Of the same parts as the whole model's. */
function detectorStep(model: MotionConfig, training: TrainingConfig): BenchStep {
  const { size, keypoints } = model
  const { batch } = training
  const traced = new Graph()
  const scope = Scope.root(traced, { training: true })
  const frames = input(traced, 'frames', 'uint8', [batch, size, size, 3])
  const pixels = mul(transpose(cast(frames, 'float32'), [0, 3, 1, 2]), 1 / 255)
  const found = detect(scope, pixels, model).keypoints
  const mse = (got: Value, name: string) =>
    reduceMean(square(sub(got, input(traced, name, 'float32', got.shape))))
  const value = mse(found.value, 'value')
  const jacobian = mse(found.jacobian!, 'jacobian')
  const loss = add(value, jacobian)

  const parameters = [...scope.parameters.values()]
  const weights = flatLayout(parameters, 'weight')
  const buffers = flatLayout(parameters, 'buffer')
  const leaves = weights.entries.map(({ name }) => scope.parameters.get(name)!)
  const grads = gradient(loss, leaves)
  const grad = flatten(new Map(weights.entries.map(({ name }, i) => [name, grads[i]!])), weights)
  const nextBuffers = flatten(new Map([...scope.parameters, ...scope.updates]), buffers)
  const losses = concat(
    [loss, value, jacobian].map((term) => reshape(term, [1])),
    0,
  )
  const flat = copyWithFlat([losses, grad, nextBuffers], { weights, buffers })
  const { graph } = flat
  const moment = (name: string) => input(graph, name, 'float32', [weights.size])
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
    model,
    training,
    lossNames: ['loss', 'value', 'jacobian'],
    inputs: detectorBatch(size, batch, keypoints),
  }
}
