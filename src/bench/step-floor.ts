import { detectorGraph, generatorGraph } from '../motion/model.ts'
import { profile } from '../profile/profile.ts'
import type { Figure } from './figure.ts'
import type { MachineRates } from './machine-rates.ts'
import { makeStep, type StepChoice } from './step-graphs.ts'

/** Passes over each weight, moment and gradient that an update cannot do without: 3 reads, 3 writes, 1 of the gradient. */
const passes = 7
/** Forward, and the gradients of maps and of kernels. */
const directions = 3

/**
 * The least time of a step: the multiply-adds of its convolutions and matrix products, forward and both gradients,
 * at the rate of a large product; then the weights, moments and gradient once through memory.
 */
export function stepFloor(choice: StepChoice, rates: MachineRates): NonNullable<Figure['floor']> {
  const { model, training, weights } = makeStep(choice)
  const { batch } = training
  const detector = profile(detectorGraph(model)).macs
  // The whole step's detector sees source, driving and warped frames.
  const forward =
    choice.what === 'detector'
      ? batch * detector
      : 3 * batch * detector + batch * profile(generatorGraph(model)).macs
  const macs = directions * forward
  const bytes = 4 * passes * weights.size
  const [compute, memory] = [(1000 * macs) / rates.macs, (1000 * bytes) / rates.bytes]
  return {
    value: compute + memory,
    because:
      `${(macs / 1e9).toPrecision(3)} G multiply-adds (forward, gradients of maps and of kernels) at ` +
      `${(rates.macs / 1e9).toPrecision(3)} G/s, as a product of 1024x1024 matrices, and ` +
      `${(bytes / 1e6).toPrecision(3)} MB of weights, moments and gradient at ` +
      `${(rates.bytes / 1e9).toPrecision(3)} GB/s, as a sum of large vectors`,
  }
}
