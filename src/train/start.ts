import { startingWeights } from '../convert/starting-weights.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { MotionConfig } from '../motion/config.ts'
import type { Settings } from './config.ts'

/** Weights that a run begins with in place of fresh ones. @throws InputError, FormatError where they cannot be. */
export async function readStart({
  model,
  training,
}: {
  readonly model: MotionConfig
  readonly training: Pick<Settings, 'init'>
}): Promise<ReadonlyMap<string, Tensor> | undefined> {
  return training.init === undefined ? undefined : startingWeights(training.init, model)
}
