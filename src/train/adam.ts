// Adam (Kingma and Ba 2015) over one flat vector of all weights: as graph ops, and as a loop over a part of the vector. Its
// learning rate over a run.
import type { Value } from '../graph/graph.ts'
import { add, div, input, mul, sqrt, square, sub } from '../graph/ops/index.ts'

export interface AdamOptions {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
}

/** The published values of the motion model: a first moment that forgets fast. */
export const adamDefaults: AdamOptions = { beta1: 0.5, beta2: 0.999, epsilon: 1e-8 }

/** The optimiser's inputs and results within a graph; all vectors are float32 [size]. */
export interface AdamStep {
  readonly weights: Value
  readonly firstMoment: Value
  readonly secondMoment: Value
}

/** Names of the inputs that a step with Adam takes, besides weights and moments. */
export const adamInputs = { rate: 'adam.rate', correction: 'adam.correction' } as const

/** One update: θ - rate · m̂ / (√v̂ + ε). `rate` and `correction` are scalars fed by the loop. */
export function adam(state: AdamStep, grad: Value, { beta1, beta2, epsilon }: AdamOptions): AdamStep {
  const { graph } = grad
  const rate = input(graph, adamInputs.rate, 'float32', [])
  const correction = input(graph, adamInputs.correction, 'float32', [])
  const firstMoment = add(mul(state.firstMoment, beta1), mul(grad, 1 - beta1))
  const secondMoment = add(mul(state.secondMoment, beta2), mul(square(grad), 1 - beta2))
  const size = add(mul(sqrt(secondMoment), correction), epsilon)
  const weights = sub(state.weights, div(mul(firstMoment, rate), size))
  return { weights, firstMoment, secondMoment }
}

/** What the update of a part of the weights reads and writes: vectors of one length. */
export interface AdamPart {
  readonly weights: Float32Array
  readonly firstMoment: Float32Array
  readonly secondMoment: Float32Array
  readonly gradient: Float32Array
}

/** The same update in place, for weights that lie in memory that threads share, which ONNX Runtime does not take. */
export function adamInPlace(
  { weights, firstMoment, secondMoment, gradient }: AdamPart,
  { rate, correction }: ReturnType<typeof adamScalars>,
  { beta1, beta2, epsilon }: AdamOptions,
): void {
  for (let i = 0; i < weights.length; i++) {
    const slope = gradient[i]!
    const first = firstMoment[i]! * beta1 + slope * (1 - beta1)
    const second = secondMoment[i]! * beta2 + slope * slope * (1 - beta2)
    firstMoment[i] = first
    secondMoment[i] = second
    weights[i]! -= (first * rate) / (Math.sqrt(second) * correction + epsilon)
  }
}

/**
 * The two scalars of step `step` (from 1): the learning rate over the first moment's bias correction, and
 * the reciprocal root of the second's.
 */
export function adamScalars(step: number, learningRate: number, { beta1, beta2 }: AdamOptions) {
  return {
    rate: learningRate / (1 - beta1 ** step),
    correction: 1 / Math.sqrt(1 - beta2 ** step),
  }
}

/**
 * The learning rate of a step: a short linear rise, so that Adam's second moment is known before large steps are taken,
 * then half a cosine down to a hundredth (Loshchilov and Hutter 2017), since a run of minutes has no time for plateaus.
 *
 * @param peak the largest rate
 * @param progress part of the run that is done, 0 to 1
 * @param step number of the step, from 1
 */
export function learningRate(peak: number, progress: number, step: number): number {
  const rise = Math.min(1, step / 20)
  const fall = 0.01 + 0.99 * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)))
  return peak * rise * fall
}
