// A training step as ONNX bytes with one batch, to time in a browser and, beside it, on Node.
import { floats, scalar, type Tensor, tensor } from '../../src/graph/tensor.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { createSession } from '../../src/runtime/node.ts'
import type { Session, Tensors } from '../../src/runtime/session.ts'
import { adamInputs, adamScalars } from '../../src/train/adam.ts'
import { drawTransform } from '../../src/train/augment.ts'
import { trainingConfigSchema } from '../../src/train/config.ts'
import { buildTrainingStep } from '../../src/train/reconstruction/step.ts'
import { initialState, type StateName, stateOutputs } from '../../src/train/state.ts'
import { Random } from '../../src/util/random.ts'

/** A training step as ONNX bytes with one batch, for any runtime. */
export interface StepModel {
  readonly onnx: Uint8Array
  /** Inputs that are fed to each step. */
  readonly feeds: Tensors
  /** Inputs that hold the state, with their first values. */
  readonly state: Readonly<Record<StateName, Tensor>>
  readonly batch: number
  readonly size: number
  /** Names of the values in the output `losses`. */
  readonly reports: readonly string[]
}

/**
 * The learning rate is small: at a usual rate, Adam's first steps amplify rounding. At 4e-3 the losses of one runtime,
 * with and without its graph optimisation, differ by 5e-3 after five steps; at 1e-5 they differ by 1e-7.
 */
const learningRate = 1e-5

/** Input of each part of the state, and the output of its next value. */
export const carriedState: Readonly<Record<StateName, string>> = stateOutputs

/** The training step of LEDNet's preset, with its batch and its first weights. Time does not depend on the frames. */
export function lednetStep(): StepModel {
  const training = trainingConfigSchema.parse({ clips: ['none'], steps: 1 })
  const { batch, losses: weights, scales, transform, adam } = training
  const model = smallConfig({ net: 'lednet' })
  const step = buildTrainingStep(model, { batch, scales, weights, transform, adam, colour: false })
  const random = new Random(7)
  const frames = drawFrames(random, batch, model.size)
  const { theta, spline } = drawTransform(random, batch, transform)
  const { rate, correction } = adamScalars(1, learningRate, adam)
  const state = initialState(step, new Random(1))
  const vector = (name: StateName) => tensor('float32', [state[name].length], state[name])
  return {
    onnx: toOnnx(step.graph, { weights: step.fixed }),
    reports: step.reports,
    feeds: {
      frames: tensor('uint8', [2 * batch, model.size, model.size, 3], frames),
      theta: floats(theta, [batch, 2, 3]),
      spline: floats(spline, [batch, transform.points ** 2, 1]),
      [adamInputs.rate]: scalar(rate),
      [adamInputs.correction]: scalar(correction),
    },
    state: {
      weights: vector('weights'),
      buffers: vector('buffers'),
      firstMoment: vector('firstMoment'),
      secondMoment: vector('secondMoment'),
    },
    batch,
    size: model.size,
  }
}

/**
 * Soft waves that move between source and driving frame, as [2 batch, size, size, 3]. On noise, rounding would decide
 * the direction of gradients, and the losses of two runtimes would differ after one step.
 */
function drawFrames(random: Random, batch: number, size: number): Uint8Array<ArrayBuffer> {
  const frames = new Uint8Array(2 * batch * size * size * 3)
  for (let pair = 0; pair < batch; pair++) {
    const waves = Array.from({ length: 3 }, () => ({
      x: random.between(-6, 6),
      y: random.between(-6, 6),
      phase: random.between(0, 6),
      speed: random.between(-1, 1),
    }))
    for (const moment of [0, 1]) {
      const first = (moment * batch + pair) * size * size
      for (let i = 0; i < size * size; i++) {
        const [x, y] = [(i % size) / size, Math.floor(i / size) / size]
        for (const [c, wave] of waves.entries()) {
          const angle = wave.x * x + wave.y * y + wave.phase + wave.speed * moment
          frames[3 * (first + i) + c] = Math.round(127.5 + 100 * Math.sin(angle))
        }
      }
    }
  }
  return frames
}

/** The step on Node's CPU provider. As in training, each step writes the new state beside the old one. */
export class NativeStep {
  private constructor(
    private readonly session: Session,
    private readonly feeds: Tensors,
    private current: Tensors,
    private spare: Tensors,
  ) {}

  static async create({ onnx, feeds, state }: StepModel, threads: number): Promise<NativeStep> {
    const session = await createSession(onnx, { device: 'cpu', threads })
    const copy = () =>
      Object.fromEntries(
        Object.entries(state).map(([name, { shape, data }]) => [
          name,
          tensor('float32', shape, Float32Array.from(data as Float32Array)),
        ]),
      )
    return new NativeStep(session, feeds, copy(), copy())
  }

  /** Takes one step. @returns the losses */
  async run(): Promise<number[]> {
    const into = Object.fromEntries(
      Object.entries(carriedState).map(([name, output]) => [output, this.spare[name]!]),
    )
    const { losses } = await this.session.run({ ...this.feeds, ...this.current }, into)
    ;[this.current, this.spare] = [this.spare, this.current]
    return Array.from<number | bigint, number>(losses!.data, Number)
  }

  close(): Promise<void> {
    return this.session.close()
  }
}
