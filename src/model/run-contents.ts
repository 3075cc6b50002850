import { z } from 'zod'
import type { ParameterInfo } from '../graph/ops/leaf.ts'
import { formatShape, sameShape, type Tensor } from '../graph/tensor.ts'
import { fitModes } from '../media/fit.ts'
import { type MotionConfig, motionConfigSchema } from '../motion/config.ts'
import { FormatError, InputError } from '../util/errors.ts'

/** A run as animation reads it, wherever its files are. */

/** What animation reads of a run's config.json. The rest, which is training's, may change freely. */
export const animatedRunSchema = z.looseObject({
  model: motionConfigSchema.optional(),
  network: z.looseObject({ net: z.string() }).optional(),
  training: z.looseObject({ fit: z.enum(fitModes).default('crop') }).default({ fit: 'crop' }),
})

export type AnimatedRun = z.infer<typeof animatedRunSchema>

/** A trained model, read. */
export interface LoadedRun {
  /** The folder, absolute; in a browser the run's name. */
  readonly path: string
  readonly config: MotionConfig
  /** How clips were made square in training. */
  readonly fit: (typeof fitModes)[number]
  /** By checkpoint name. */
  readonly weights: ReadonlyMap<string, Tensor>
}

/**
 * The motion model of a run's config.json, and the fit of its clips.
 *
 * @param where the run, for messages.
 * @throws InputError where it has none.
 */
export function modelOf(
  { model, network, training }: AnimatedRun,
  where: string,
): Pick<LoadedRun, 'config' | 'fit'> {
  if (model === undefined) {
    throw new InputError({
      what: 'the folder holds no motion model',
      where,
      got: network === undefined ? 'a config.json without a model' : `the plain network ${network.net}`,
      expected: 'what train or distil makes, or import of a First Order Motion Model',
    })
  }
  return { config: model, fit: training.fit }
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
