// What a student is held to and how much each part counts, and how the options of `distil` become its configuration.
import { z } from 'zod'
import type { Tensor } from '../../graph/tensor.ts'
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
import { type DistilLosses, distilLosses, type LabelName } from '../losses.ts'
import { distillationOptions } from '../options.ts'
import { pairLayout } from './labels.ts'

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
  /** A run folder, a starter, or an ONNX file with an output `value` [N, K, 2] in [-1, 1]. For the whole model, a run that animates. */
  readonly teacher: string
  /** Weights of losses; losses that are not given have their defaults, or 0 where the teacher does not give what they need. */
  readonly losses?: DistilLosses
  /** The student's whole model, instead of `net` and the like. It has the teacher's size and keypoints. */
  readonly model?: MotionConfig
  /** Folder that keeps what teachers said, for other students of the same clips (default: none is kept). */
  readonly cache?: string
}

/** A teacher that is a run. */
export interface TaughtBy {
  readonly config: MotionConfig
  /** Weights of its dense motion and generator; empty if it is a detector alone. */
  readonly weights: ReadonlyMap<string, Tensor>
}

/**
 * Options with their defaults.
 *
 * @param run the teacher's model, where it is a run
 * @throws InputError that names the option.
 */
export function resolveDistil(
  clips: readonly string[],
  teacher: KeypointDetector,
  run: TaughtBy | undefined,
  options: DistilOptions,
): DistilConfig {
  const { teacher: path, losses, model: whole, what = distillationOptions.what.default } = options
  assertUsable(detectorOptions, options)
  if (what === 'model') assertAnimates(path, run, options)
  const model = whole ?? studentConfig(teacher, run?.config, options)
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
      losses: lossesFor({ ...teacher, ...pairGives(what, run, model) }, losses),
    }),
  }
}

/** @throws InputError if the teacher of a whole model cannot drive pictures, or an option is for detectors. */
function assertAnimates(where: string, run: TaughtBy | undefined, { mix = 0 }: DistilOptions): void {
  if (run === undefined || run.weights.size === 0) {
    throw new InputError({
      what: 'the teacher finds keypoints and makes no pictures, so it cannot teach a whole model',
      where,
      got: run === undefined ? 'an ONNX file' : 'a run of a detector alone',
      expected: 'a run with a generator, as train and import make it',
      remedy: 'name such a run as --teacher, or leave --what model out',
    })
  }
  if (mix === 0) return
  throw new InputError({
    what: 'pairs of frames are not blended',
    where: '--mix',
    got: String(mix),
    remedy: 'leave --mix out, or leave --what model out',
  })
}

/**
 * A detector for what the teacher sees, with the teacher's motion and generator behind it, or with light ones.
 *
 * A detector of a run sees as many pixels as that run's: with half of them, a student of `face` stayed 0.0123 away from
 * its teacher on strangers (docs/results.md). One on the same network has its teacher's shape, where it is asked for none.
 */
function studentConfig(
  { size, keypoints, jacobian }: KeypointDetector,
  teacher: MotionConfig | undefined,
  { net = defaultNet, netOptions, design, what, ...others }: DetectorChoices & Pick<DistilOptions, 'what'>,
): MotionConfig {
  const choices = defined({ ...given(detectorOptions, others), netOptions, design })
  const own = smallConfig({ net, size, keypoints, jacobian, generator: 'light', ...choices })
  if (teacher === undefined) return own
  const { alignCorners, denseMotion, generator } = teacher
  // Motions of two models are compared, so both read coordinates alike.
  if (what === 'model') return { ...own, alignCorners }
  const { widths: _pruned, ...taught } = teacher.detector
  const { scaleFactor, filter } = taught
  const isAlike = teacher.net === net && Object.keys(choices).length === 0
  const detector = isAlike ? taught : { ...own.detector, scaleFactor, filter }
  return { ...own, detector, alignCorners, denseMotion, generator }
}

/** What there is to compare besides keypoints, each as something that is not nothing. */
type Gives = { readonly [K in LabelName]?: unknown }

function pairGives(what: 'detector' | 'model', run: TaughtBy | undefined, student: MotionConfig): Gives {
  if (what === 'detector' || run === undefined) return {}
  return { driving: true, picture: true, flow: true, occlusion: pairLayout(run.config, student).occlusion }
}

const isOfPairs = (needs: LabelName) => ['driving', 'picture', 'flow', 'occlusion'].includes(needs)

/**
 * Weights of losses: the given ones, and the usual ones; 0 if there is nothing that a loss needs. Losses of pairs are left
 * out then, so that configurations of detectors do not name them.
 *
 * @throws InputError if a loss of pairs is given and there is nothing that it needs.
 */
export function lossesFor(gives: Gives, given: DistilLosses = {}): Record<string, number> {
  const all: Gives = { value: true, ...gives }
  const lacking = distilLosses.all.filter(({ needs }) => !all[needs])
  const ofPairs = lacking.filter(({ needs }) => isOfPairs(needs)).map(({ name }) => name)
  const asked = ofPairs.filter((name) => (given[name] ?? 0) > 0)
  if (asked.length > 0) {
    throw new InputError({
      what: 'a loss compares pairs of frames, and there is nothing to compare',
      where: 'losses',
      got: asked.join(', '),
      expected: 'a whole model that is distilled; for occlusion, maps of both models',
      remedy: 'add --what model, or leave the loss out',
    })
  }
  const none = Object.fromEntries(lacking.map(({ name }) => [name, 0]))
  const weights = Object.entries(distilLosses.weights({ ...none, ...given }))
  return Object.fromEntries(weights.filter(([name]) => !ofPairs.includes(name)))
}
