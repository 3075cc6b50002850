import { loadRun } from '../animate/load.ts'
import { type MotionConfig, smallConfig } from '../motion/config.ts'
import type { Run } from '../store/run.ts'
import { InputError } from '../util/errors.ts'
import { defaultNet } from '../zoo/registry.ts'
import { type RunConfig, runConfigSchema, type TrainingConfig, trainingConfigSchema } from './config.ts'
import {
  checkedOptions,
  type DetectorChoices,
  detectorFacts,
  makeRun,
  type RunOptions,
  runLength,
} from './run-options.ts'

/** What a run of `train` is asked for, and the run folder that comes of it. */

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

const modelOptions = [
  'net',
  'size',
  'keypoints',
  'head',
  'skip',
  'dilations',
  'design',
  'generator',
  'model',
  'init',
] as const

/** Puts the model of the run that is to be trained further into the options. @throws InputError */
export async function withFinetuned({ finetune, ...options }: TrainOptions): Promise<TrainOptions> {
  if (finetune === undefined) return options
  const given = modelOptions.filter((name) => options[name] !== undefined)
  if (given.length > 0) {
    throw new InputError({
      what: 'a run that is trained further keeps its model',
      got: `finetune, and ${given.join(', ')}`,
      remedy: 'leave these out, or take --init, which begins another model with what fits',
    })
  }
  const { config } = await loadRun(finetune)
  return { ...options, model: config, init: finetune }
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

/** Makes the run folder, or opens it to go on. @throws InputError where the folder or an option does not fit. */
export function beginRun(config: RunConfig, options: TrainOptions): Promise<Run<RunConfig>> {
  return makeRun({ config, options, schema: runConfigSchema, facts, always: ['clips'] })
}

function facts({ model, training }: RunConfig) {
  const { clips, steps, minutes, batch, seed, holdout, fit, augment } = training
  const { size, keypoints, generator } = model
  return {
    ...{ clips, steps, minutes, batch, seed, holdout, fit, augment, size, keypoints },
    ...detectorFacts(model),
    generator: generator.kind === 'light' ? 'light' : 'small',
  }
}
