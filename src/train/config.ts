// Everything that decides what a training run computes. It is written to config.json as resolved.
import { z } from 'zod'
import { warpDefaults } from '../evaluate/warp.ts'
import { motionConfigSchema } from '../motion/config.ts'
import { schemaOf, shapeOf } from '../util/option-schema.ts'
import { adamDefaults } from './adam.ts'
import { augmentOptions, reconstructionOptions, settingsOptions } from './options.ts'

const positive = z.number().positive()
const share = z.number().min(0).lt(1)

/** What every way of training is told. */
const settings = {
  /** Videos, or puppet specs, as given. */
  clips: z.array(z.string()).min(1),
  ...shapeOf(settingsOptions),
  /** The optimiser, Adam (Kingma and Ba 2015). */
  adam: z
    .object({
      /** Decay of the mean of gradients. */
      beta1: share,
      /** Decay of the mean of squared gradients. */
      beta2: share,
      /** Added to the root of the mean of squares. */
      epsilon: positive,
    })
    .default({ ...adamDefaults }),
  /** Random warps: of equivariance, and of frames that a teacher looks at. */
  transform: z
    .object({
      /** Standard deviation of the affine part. */
      sigmaAffine: z.number().nonnegative(),
      /** Standard deviation of the thin-plate spline's weights. */
      sigmaTps: z.number().nonnegative(),
      /** Control points of the spline along each side. */
      points: z.int().min(2),
    })
    .default({ ...warpDefaults }),
}
export const settingsSchema = z.object(settings)
export type Settings = z.infer<typeof settingsSchema>

export const trainingConfigSchema = z.object({
  ...settings,
  losses: z
    .object({
      reconstruction: z.number().nonnegative(),
      perceptual: z.number().nonnegative(),
      equivarianceValue: z.number().nonnegative(),
      equivarianceJacobian: z.number().nonnegative(),
    })
    .default({ reconstruction: 10, perceptual: 10, equivarianceValue: 1, equivarianceJacobian: 1 }),
  ...shapeOf(reconstructionOptions),
  augment: z
    .object({ flip: z.boolean(), colour: schemaOf(augmentOptions.colour) })
    .default({ flip: false, colour: augmentOptions.colour.default }),
})

/** The options of `train` as resolved: `training` in config.json. */
export type TrainingConfig = z.infer<typeof trainingConfigSchema>

/** config.json of a run that `train` made. */
export const runConfigSchema = z.object({
  model: motionConfigSchema,
  training: trainingConfigSchema,
  distillation: z.undefined('it was distilled: continue it with distil').optional(),
})
/** The config.json of a run that `train` made. */
export type RunConfig = z.infer<typeof runConfigSchema>
