import { z } from 'zod'
import type { ParameterInfo } from '../graph/ops/leaf.ts'
import { formatShape, sameShape, type Tensor } from '../graph/tensor.ts'
import { type MotionConfig, motionConfigSchema } from '../motion/config.ts'
import { openRun } from '../store/run.ts'
import { FormatError, InputError } from '../util/errors.ts'
import { fitModes } from './fit.ts'

/** What animation reads of a run's config.json. The rest, which is training's, may change freely. */
const schema = z.looseObject({
  model: motionConfigSchema.optional(),
  network: z.looseObject({ net: z.string() }).optional(),
  training: z.looseObject({ fit: z.enum(fitModes).default('crop') }).default({ fit: 'crop' }),
})

/** A trained model on disk, read. */
export interface LoadedRun {
  /** The folder, absolute. */
  readonly path: string
  readonly config: MotionConfig
  /** How clips were made square in training. */
  readonly fit: (typeof fitModes)[number]
  /** By checkpoint name. */
  readonly weights: ReadonlyMap<string, Tensor>
}

/**
 * Reads a run folder's configuration and weights.
 *
 * @throws InputError where there is no run or no weights, FormatError where a file does not fit.
 */
export async function loadRun(path: string): Promise<LoadedRun> {
  const run = await openRun(path, schema)
  const { model, network, training } = run.config
  if (model === undefined) {
    throw new InputError({
      what: 'the folder holds no motion model',
      where: run.path,
      got: network === undefined ? 'a config.json without a model' : `the plain network ${network.net}`,
      expected: 'what train or distil makes, or import of a First Order Motion Model',
    })
  }
  const { tensors } = await run.loadWeights()
  return { path: run.path, config: model, fit: training.fit, weights: tensors }
}

/**
 * Holds weights to what a model needs: all of it, in its shapes, all numbers finite.
 *
 * @param where the file they are from, for messages.
 * @throws FormatError
 */
export function checkWeights(
  weights: ReadonlyMap<string, Tensor>,
  needed: Iterable<ParameterInfo>,
  where: string,
): void {
  for (const { name, shape } of needed) {
    const found = weights.get(name)
    const expected = `float32${formatShape(shape)}`
    const remedy = 'train again, or take the config.json and weights.safetensors of one run'
    if (found === undefined) {
      throw new FormatError({ what: `the weight "${name}" is missing`, where, expected, remedy })
    }
    if (found.dtype !== 'float32' || !sameShape(found.shape, shape)) {
      const got = `${found.dtype}${formatShape(found.shape)}`
      throw new FormatError({
        what: `the weight "${name}" does not fit the model`,
        where,
        got,
        expected,
        remedy,
      })
    }
    const bad = found.data.find((number) => !Number.isFinite(number))
    if (bad !== undefined) {
      const what = `the weight "${name}" holds a number that is not finite`
      throw new FormatError({ what, where, got: String(bad), remedy: 'train again' })
    }
  }
}
