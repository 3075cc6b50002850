import { openRun } from '../run/run.ts'
import { animatedRunSchema, type LoadedRun, modelOf } from './run-contents.ts'

export { checkWeights, type LoadedRun } from './run-contents.ts'

/**
 * Reads a run folder's configuration and weights.
 *
 * @throws InputError where there is no run or no weights, FormatError where a file does not fit.
 */
export async function loadRun(path: string): Promise<LoadedRun> {
  const run = await openRun(path, animatedRunSchema)
  const model = modelOf(run.config, run.path)
  const { tensors } = await run.loadWeights()
  return { path: run.path, ...model, weights: tensors }
}
