import { type MotionConfig, smallConfig } from '../motion/config.ts'
import { InputError } from '../util/errors.ts'
import { defaultNet } from '../zoo/registry.ts'
import { type RunConfig, type TrainingConfig, trainingConfigSchema } from './config.ts'
import { checkedOptions, type DetectorChoices, type RunOptions, runLength } from './run-options.ts'

/** What a run of `train` is asked for. */
export interface TrainOptions extends RunOptions, DetectorChoices, Partial<Omit<TrainingConfig, 'clips'>> {
  /** Side of the square frames in pixels (default 64). */
  readonly size?: number
  /** Number of keypoints (default 10). */
  readonly keypoints?: number
  /** `light`: the model for motion in real time, see `smallConfig` (default small). */
  readonly generator?: 'small' | 'light'
  /** The whole model, in place of the options above. */
  readonly model?: MotionConfig
  /** A run whose model and weights training begins with, in place of `model` and `init`. */
  readonly finetune?: string
}

/** Options with their defaults. @throws InputError that names the option. */
export function resolveConfig(clips: readonly string[], options: TrainOptions): RunConfig {
  const {
    out,
    net = defaultNet,
    size,
    keypoints = 10,
    resume,
    force,
    signal,
    onProgress,
    ...others
  } = options
  const { model: given, head, skip, dilations, design, generator, ...rest } = others
  if (!Number.isInteger(keypoints) || keypoints < 1 || keypoints > 100) {
    throw new InputError({
      what: 'keypoints must be a whole number',
      got: String(keypoints),
      expected: '1 to 100',
      remedy: '10 is what the published model has',
    })
  }
  const length = runLength(rest)
  const model =
    given ??
    smallConfig({
      net,
      keypoints,
      ...(size !== undefined && { size }),
      ...(head && { head }),
      ...(skip && { skip }),
      ...(dilations && { dilations }),
      ...(design && { design }),
      ...(generator && { generator }),
    })
  return { model, training: checkedOptions(trainingConfigSchema, { ...rest, ...length, clips: [...clips] }) }
}
