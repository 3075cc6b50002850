// What a student is held to and how much each part counts, and how the options of `distil` become its configuration.
import { z } from 'zod'
import type { KeypointDetector } from '../../model/keypoint-detector.ts'
import { type MotionConfig, motionConfigSchema, smallConfig } from '../../motion/config.ts'
import { detectorOptions } from '../../motion/options.ts'
import { InputError } from '../../util/errors.ts'
import { checkedOptions, shapeOf } from '../../util/option-schema.ts'
import { assertUsable, defined, given } from '../../util/options.ts'
import { defaultNet } from '../../zoo/registry.ts'
import {
  croppedBy,
  type DetectorChoices,
  type RunOptions,
  runLength,
  type Settings,
  settingsSchema,
} from '../config.ts'
import { type DistilLosses, distilLosses } from '../losses.ts'
import { distillationOptions } from '../options.ts'

/** Weights of losses, as configurations record them. */
export const distilLossesSchema = z.lazy(() => distilLosses.schema)

export const distillationSchema = z.object({
  /** Run folder or ONNX file, as given. */
  teacher: z.string(),
  losses: distilLossesSchema.default(() => distilLosses.weights()),
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
  /** Weights of losses; losses that are not given have their defaults, or 0 where the teacher does not give what they need. */
  readonly losses?: DistilLosses
  /** The student's whole model, instead of `net` and the like. It has the teacher's size and keypoints. */
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
    training: checkedOptions(settingsSchema, {
      ...options,
      ...croppedBy(options),
      ...runLength(options),
      clips: [...clips],
    }),
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

/** Weights of losses: the given ones, and the usual ones; 0 if the teacher does not give what a loss needs. */
export function lossesFor(
  teacher: Pick<KeypointDetector, 'jacobian' | 'heatmap' | 'features'>,
  given: DistilLosses = {},
): Record<string, number> {
  const gives = { value: true, ...teacher }
  const lacking = distilLosses.all.flatMap(({ name, needs }) => (gives[needs] ? [] : [[name, 0] as const]))
  return distilLosses.weights({ ...Object.fromEntries(lacking), ...given })
}
