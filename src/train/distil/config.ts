import { z } from 'zod'
import { motionConfigSchema } from '../../motion/config.ts'
import { shapeOf } from '../../util/option-schema.ts'
import { settingsSchema } from '../config.ts'
import { distillationOptions } from '../options.ts'

/** What a student is held to, and how much each counts. */

const weight = z.number().nonnegative()

/**
 * Weights of the losses between student and teacher; 0 leaves one out. Published (AIOZ, "Lightweight models for
 * motion driving", part 4): `value` and `jacobian`, then `heatmap`, then `attention`, added one after the other.
 */
export const distilLossesSchema = z.strictObject({
  /** Mean squared difference of the keypoints' coordinates. */
  value: weight,
  /** Mean distance of the keypoints: what is measured in the end. */
  distance: weight,
  /** Mean squared difference of the jacobians' entries. */
  jacobian: weight,
  /** Squared difference of the heatmaps, summed over a map. */
  heatmap: weight,
  /** Jensen-Shannon divergence of the heatmaps, in nats. */
  divergence: weight,
  /** Mean squared difference of the attention maps (Zagoruyko and Komodakis 2017). */
  attention: weight,
  /** Mean squared difference of the features, the student's through a 1x1 convolution (Romero et al. 2015). */
  features: weight,
})
export type DistilLosses = z.infer<typeof distilLossesSchema>

export const distilLossDefaults: DistilLosses = {
  value: 0,
  distance: 10,
  jacobian: 1,
  heatmap: 0,
  divergence: 1,
  attention: 0,
  features: 0,
}

export const distillationSchema = z.object({
  /** Run folder or ONNX file, as given. */
  teacher: z.string(),
  losses: distilLossesSchema.default(distilLossDefaults),
  ...shapeOf(distillationOptions),
})
export type Distillation = z.infer<typeof distillationSchema>

/** config.json of a run that `distil` made. */
export const distilConfigSchema = z.object({
  model: motionConfigSchema,
  training: settingsSchema,
  distillation: distillationSchema,
})
export type DistilConfig = z.infer<typeof distilConfigSchema>
