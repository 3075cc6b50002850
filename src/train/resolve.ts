import { type MotionConfig, smallConfig } from '../motion/config.ts'
import { detectorOptions, modelOptions } from '../motion/options.ts'
import { checkedOptions } from '../util/option-schema.ts'
import { assertUsable, defined, given, type OptionValues } from '../util/options.ts'
import { defaultNet } from '../zoo/registry.ts'
import { type RunConfig, type TrainingConfig, trainingConfigSchema } from './config.ts'
import { type DetectorChoices, type RunOptions, runLength } from './run-options.ts'

/** What a run of `train` is asked for. */
export interface TrainOptions
  extends RunOptions,
    DetectorChoices,
    OptionValues<typeof modelOptions>,
    Partial<Omit<TrainingConfig, 'clips'>> {
  /** The whole model, in place of the options above. */
  readonly model?: MotionConfig
  /** A run whose model and weights training begins with, in place of `model` and `init`. */
  readonly finetune?: string
}

/** Options with their defaults. @throws InputError that names the option. */
export function resolveConfig(clips: readonly string[], options: TrainOptions): RunConfig {
  const { net = defaultNet, design, model: whole } = options
  assertUsable(detectorOptions, options)
  assertUsable(modelOptions, options)
  const length = runLength(options)
  const model =
    whole ??
    smallConfig({
      net,
      ...given(detectorOptions, options),
      ...given(modelOptions, options),
      ...defined({ design }),
    })
  return {
    model,
    training: checkedOptions(trainingConfigSchema, { ...options, ...length, clips: [...clips] }),
  }
}
