// What a student is held to and how much each part counts, and how the options of `distil` become its configuration.
import { z } from 'zod'
import type { KeypointDetector } from '../../model/keypoint-detector.ts'
import { type MotionConfig, motionConfigSchema, smallConfig } from '../../motion/config.ts'
import { detectorOptions } from '../../motion/options.ts'
import { InputError } from '../../util/errors.ts'
import { checkedOptions, shapeOf } from '../../util/option-schema.ts'
import { assertUsable, defined, given } from '../../util/options.ts'
import { defaultNet } from '../../zoo/registry.ts'
import { type DetectorChoices, type RunOptions, runLength, type Settings, settingsSchema } from '../config.ts'
import { distillationOptions } from '../options.ts'

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

/** What a student is asked for. */
export interface DistilOptions
  extends RunOptions,
    DetectorChoices,
    Partial<Omit<Settings, 'clips'>>,
    Partial<Omit<Distillation, 'teacher' | 'losses'>> {
  /** A run folder, or an ONNX file with an output `value` [N, K, 2] in [-1, 1]. */
  readonly teacher: string
  /** Weights of losses; those that are not given have their defaults, or 0 where the teacher does not give what they need. */
  readonly losses?: Partial<DistilLosses>
  /** The student's whole model, in place of `net` and the like; of the teacher's size and keypoints. */
  readonly model?: MotionConfig
  /** Folder that keeps what teachers said, for other students of the same clips (default: none is kept). */
  readonly cache?: string
}

/**
 * Options with their defaults.
 *
 * @param motion the teacher's model, where it is a run
 * @throws InputError that names the option.
 */
export function resolveDistil(
  clips: readonly string[],
  teacher: KeypointDetector,
  motion: MotionConfig | undefined,
  options: DistilOptions,
): DistilConfig {
  const { teacher: path, losses, model: whole } = options
  assertUsable(detectorOptions, options)
  const model = whole ?? studentConfig(teacher, motion, options)
  if (model.size !== teacher.size || model.keypoints !== teacher.keypoints) {
    throw new InputError({
      what: 'student and teacher do not see the same',
      got: `${model.keypoints} keypoints in pictures of ${model.size} pixels`,
      expected: `${teacher.keypoints} in pictures of ${teacher.size}, as the teacher`,
    })
  }
  return {
    model,
    training: checkedOptions(settingsSchema, { ...options, ...runLength(options), clips: [...clips] }),
    distillation: checkedOptions(distillationSchema, {
      ...given(distillationOptions, options),
      teacher: path,
      losses: lossesFor(teacher, losses),
    }),
  }
}

/** A light detector for what the teacher sees, with the teacher's motion and generator behind it. */
function studentConfig(
  { size, keypoints, jacobian }: KeypointDetector,
  motion: MotionConfig | undefined,
  { net = defaultNet, netOptions, design, ...choices }: DetectorChoices,
): MotionConfig {
  const own = smallConfig({
    ...{ net, size, keypoints, jacobian, generator: 'light' },
    ...given(detectorOptions, choices),
    ...defined({ netOptions, design }),
  })
  if (motion === undefined) return own
  const { alignCorners, denseMotion, generator } = motion
  return { ...own, alignCorners, denseMotion, generator }
}

/** Weights of losses: those that are given, and otherwise the defaults. A default is 0 if the teacher does not give what its loss needs. */
export function lossesFor(
  teacher: Pick<KeypointDetector, 'jacobian' | 'heatmap'>,
  given: Partial<DistilLosses> = {},
): DistilLosses {
  return {
    ...distilLossDefaults,
    ...(!teacher.jacobian && { jacobian: 0 }),
    ...(teacher.heatmap === undefined && { divergence: 0 }),
    ...given,
  }
}
