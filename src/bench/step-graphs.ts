import { Graph, type Value } from '../graph/graph.ts'
import { add, cast, input, mul, reduceMean, square, sub, transpose } from '../graph/ops/index.ts'
import type { Tensor } from '../graph/tensor.ts'
import { Scope } from '../layers/scope.ts'
import { type MotionConfig, smallConfig } from '../motion/config.ts'
import { detect } from '../motion/model.ts'
import { type TrainingConfig, trainingConfigSchema } from '../train/config.ts'
import { buildTrainingStep } from '../train/step.ts'
import { type TrainingStep, withState } from '../train/step-state.ts'
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
  return { ...step, model, training, inputs: wholeBatch(size, training.batch, transform) }
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

  const step = withState(scope, { loss, value, jacobian }, training.adam)
  return { ...step, model, training, inputs: detectorBatch(size, batch, keypoints) }
}
