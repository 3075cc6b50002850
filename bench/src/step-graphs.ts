// The training steps that are timed, each with one batch of smooth, moving pictures.
import type { WarpOptions } from '../../src/evaluate/warp.ts'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { add, cast, input, mul, reduceMean, square, sub, transpose } from '../../src/graph/ops/index.ts'
import { floats, type Tensor, tensor } from '../../src/graph/tensor.ts'
import { Scope } from '../../src/layers/scope.ts'
import { type MotionConfig, publishedConfig, smallConfig } from '../../src/motion/config.ts'
import { detect } from '../../src/motion/model.ts'
import { drawTransform } from '../../src/train/augment.ts'
import { type TrainingConfig, trainingConfigSchema } from '../../src/train/config.ts'
import { buildTrainingStep } from '../../src/train/reconstruction/step.ts'
import { type TrainingStep, withState } from '../../src/train/step.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import { findNet } from '../../src/zoo/registry.ts'

/** `step`: the step of the whole model. `detector`: the step of the detector alone, towards given keypoints (distillation). */
export type StepKind = 'step' | 'detector'

/** Generators that are timed. `published` is the whole published model, with its heads and conventions. */
export const stepGenerators = ['small', 'light', 'published'] as const
export type StepGenerator = (typeof stepGenerators)[number]

/** A model whose steps are timed. */
export interface StepModel {
  /** Backbone of the detector: a name of the zoo. */
  readonly net: string
  /** Default: `small`. */
  readonly generator?: StepGenerator
  /** Side of the frames in pixels (default 64). */
  readonly size?: number
}

export interface StepChoice extends StepModel {
  readonly what: StepKind
  /** Number of pairs of frames; number of frames for the detector's step (default: as in training). */
  readonly batch?: number
}

/** A model as it is named: `lednet`, `ficelle:light` or `ficelle:light:128`. @throws InputError */
export function parseStepModel(text: string): Required<StepModel> {
  const [net = '', kind = 'small', side = '64', ...others] = text.trim().split(':')
  const generator = stepGenerators.find((one) => one === kind)
  const { name } = findNet(net)
  if (generator !== undefined && /^[1-9]\d{0,3}$/.test(side) && others.length === 0) {
    return { net: name, generator, size: Number(side) }
  }
  throw new InputError({
    what: 'there is no such training step',
    got: text,
    expected: `a network, and after colons a generator (${stepGenerators.join(', ')}) and a size, such as ficelle:light:128`,
  })
}

/** What figures of the model are called: `lednet`, or `ficelle.light128`. */
export const stepModelName = ({ net, generator = 'small', size = 64 }: StepModel): string =>
  generator === 'small' && size === 64 ? net : `${net}.${generator}${size}`

export interface BenchStep extends TrainingStep {
  readonly model: MotionConfig
  readonly training: TrainingConfig
  /** One batch. */
  readonly inputs: Readonly<Record<string, Tensor>>
}

/** The training settings of all steps. */
const settings = { clips: ['none'], steps: 1, learningRate: 2e-3 }

/** Builds a step. @throws InputError for an unknown network, or a size that it does not accept */
export function makeStep({ what, batch, size = 64, ...choice }: StepChoice): BenchStep {
  const model = modelOf({ ...choice, size })
  const training = trainingConfigSchema.parse({ ...settings, ...(batch !== undefined && { batch }) })
  if (what === 'detector') return detectorStep(model, training)
  const { losses: weights, scales, transform } = training
  const options = { batch: training.batch, scales, weights, transform, adam: training.adam, colour: false }
  const step = buildTrainingStep(model, options)
  return { ...step, model, training, inputs: wholeBatch(size, training.batch, transform) }
}

function modelOf({ net, size, generator = 'small' }: StepModel & { readonly size: number }): MotionConfig {
  if (generator !== 'published') return smallConfig({ net, size, generator })
  if (net === publishedConfig.net) return { ...publishedConfig, size }
  throw new InputError({
    what: 'the published model has another network',
    got: net,
    expected: publishedConfig.net,
  })
}

/** The detector's step is made of the same parts as the whole model's. */
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

/** The inputs of the whole model's step. */
function wholeBatch(size: number, batch: number, options: WarpOptions): Record<string, Tensor> {
  const random = new Random(7)
  const { theta, spline } = drawTransform(random, batch, options)
  return {
    frames: tensor('uint8', [2 * batch, size, size, 3], drawFrames(random, batch, size, 2)),
    theta: floats(theta, [batch, 2, 3]),
    spline: floats(spline, [batch, options.points ** 2, 1]),
  }
}

/** The inputs of the detector's step: frames, and the keypoints that it learns to find in them. */
function detectorBatch(size: number, batch: number, keypoints: number): Record<string, Tensor> {
  const random = new Random(7)
  const around = (count: number, middle: (i: number) => number, deviation: number) =>
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

/** Soft blobs in front of a gradient: `moments` of each picture, in which the blobs have moved. */
function drawFrames(random: Random, count: number, size: number, moments: number): Uint8Array<ArrayBuffer> {
  const frames = new Uint8Array(moments * count * size * size * 3)
  for (let picture = 0; picture < count; picture++) {
    const blobs = Array.from({ length: 6 }, () => ({
      at: [random.between(-0.8, 0.8), random.between(-0.8, 0.8)] as const,
      speed: [random.between(-0.2, 0.2), random.between(-0.2, 0.2)] as const,
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
            sum += colour[c]! * Math.exp(-(dx * dx + dy * dy) / (2 * width * width))
          }
          frames[first + 3 * i + c] = Math.min(255, Math.max(0, Math.round(sum)))
        }
      }
    }
  }
  return frames
}
