import type { KeypointDetector } from '../../model/keypoint-detector.ts'
import { type MotionConfig, smallConfig } from '../../motion/config.ts'
import { detectorOptions } from '../../motion/options.ts'
import type { Run } from '../../run/run.ts'
import { InputError } from '../../util/errors.ts'
import { checkedOptions } from '../../util/option-schema.ts'
import { assertUsable, defined, given } from '../../util/options.ts'
import { defaultNet } from '../../zoo/registry.ts'
import { type Settings, settingsSchema } from '../config.ts'
import { makeRun } from '../make-run.ts'
import { distillationOptions } from '../options.ts'
import {
  type DetectorChoices,
  detectorFacts,
  type RunOptions,
  runLength,
  settingsFacts,
} from '../run-options.ts'
import {
  type DistilConfig,
  type DistilLosses,
  type Distillation,
  distilConfigSchema,
  distillationSchema,
} from './config.ts'
import { lossesFor } from './labels.ts'

/** What a student is asked for, and the run folder that comes of it. */

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
  { net = defaultNet, design, ...choices }: DetectorChoices,
): MotionConfig {
  const own = smallConfig({
    ...{ net, size, keypoints, jacobian, generator: 'light' },
    ...given(detectorOptions, choices),
    ...defined({ design }),
  })
  if (motion === undefined) return own
  const { alignCorners, denseMotion, generator } = motion
  return { ...own, alignCorners, denseMotion, generator }
}

/** Makes the run folder, or opens it to go on. @throws InputError where the folder or an option does not fit. */
export function beginDistil(config: DistilConfig, options: DistilOptions): Promise<Run<DistilConfig>> {
  const reads = { init: config.training.init, teacher: config.distillation.teacher }
  return makeRun({ config, options, schema: distilConfigSchema, facts, always: ['clips', 'teacher'], reads })
}

function facts({ model, training, distillation }: DistilConfig) {
  return { ...settingsFacts(training), ...distillation, ...detectorFacts(model) }
}
