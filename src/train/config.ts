// What a run of training computes, as config.json records it, and how the options of `train` become that.
import { z } from 'zod'
import { warpDefaults } from '../evaluate/warp.ts'
import { defaultCrop, formatCrop, parseCrop } from '../faces/box.ts'
import { type MotionConfig, motionConfigSchema, smallConfig } from '../motion/config.ts'
import { detectorOptions, modelOptions } from '../motion/options.ts'
import { InputError } from '../util/errors.ts'
import { checkedOptions, schemaOf, shapeOf } from '../util/option-schema.ts'
import { assertUsable, defined, given, type OptionValues } from '../util/options.ts'
import type { Design } from '../zoo/design.ts'
import type { Net } from '../zoo/net.ts'
import { defaultNet } from '../zoo/registry.ts'
import { adamDefaults } from './adam.ts'
import { type TrainLosses, trainLosses } from './losses.ts'
import {
  augmentOptions,
  defaultMinutes,
  isModelOption,
  reconstructionOptions,
  settingsOptions,
} from './options.ts'
import { partsOf, usualGrowth } from './reconstruction/parts.ts'
import type { TrainEvent } from './step.ts'

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
  /** Weights of losses by name. */
  losses: z.lazy(() => trainLosses.schema).default(() => trainLosses.weights()),
  ...shapeOf(reconstructionOptions),
  /** Random changes of frame pairs. */
  augment: z
    .object({
      /** Whether half of the pairs are mirrored. */
      flip: z.boolean(),
      /** Strength of random changes of colour, 0 for none. */
      colour: schemaOf(augmentOptions.colour),
      /** Strength of random changes of the light's colour, 0 for none (default). */
      tint: schemaOf(augmentOptions.tint).optional(),
      /** How much synthetic pictures are changed as cameras, light and faces differ, 0 for not at all (default). */
      vary: schemaOf(augmentOptions.vary).optional(),
    })
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

/** What every way of training is asked for. */
export interface RunOptions {
  /** The run folder to make, or to continue with `resume`. */
  readonly out: string
  /** Continue the run in `out` from its last checkpoint, by its own configuration but for device and threads. */
  readonly resume?: boolean
  /** Replace a run that is in `out`. */
  readonly force?: boolean
  /** Ends training early: the state is saved, and `interrupted` says so. */
  readonly signal?: AbortSignal
  /**
   * Told how training goes. If a promise is returned for `saved`, training waits for it: until then the files of the run
   * stay as they are, and the time does not count.
   */
  onEvent?(event: TrainEvent): void
}

/** How the detector is made. */
export interface DetectorChoices extends OptionValues<typeof detectorOptions> {
  /** Network of the detector: its name, or a network of your own (default: ficelle). */
  readonly net?: string | Net
  /** The network's own options, if it has some (default: its own). */
  readonly netOptions?: unknown
  /** The same for ficelle: its design. */
  readonly design?: Design
}

/** What a run of `train` is asked for. */
export interface TrainOptions
  extends RunOptions,
    DetectorChoices,
    OptionValues<typeof modelOptions>,
    Partial<Omit<TrainingConfig, 'clips' | 'losses'>> {
  /** Weights of losses by name; the others have their usual ones. */
  readonly losses?: TrainLosses
  /** The whole model, instead of the options above. */
  readonly model?: MotionConfig
  /** A run or a starter whose model and weights training begins with, instead of `model` and `init`. */
  readonly from?: string
  /** Folder that keeps decoded frames, for further runs on the same clips (default: none are kept). */
  readonly cache?: string
}

/** The options of `train` with their defaults. @throws InputError that names the option. */
export function resolveConfig(clips: readonly string[], options: TrainOptions): RunConfig {
  assertUsable(detectorOptions, options)
  assertUsable(modelOptions, options)
  const { net = defaultNet, netOptions, design } = options
  const model =
    options.model ??
    smallConfig({
      net,
      ...given(detectorOptions, options),
      ...given(modelOptions, options),
      ...defined({ netOptions, design }),
    })
  const losses = trainLosses.weights(options.losses)
  const { grow = usualGrowth(model), ...others } = options
  const training = {
    ...{ ...others, ...croppedBy(options), ...runLength(options), clips: [...clips], losses },
    ...(grow !== 'none' && { grow }),
  }
  const config = { model, training: checkedOptions(trainingConfigSchema, training) }
  // Sizes that do not fit are refused before anything is written.
  partsOf(model, config.training)
  return config
}

/**
 * The options of training that goes on from a model which knows much, with what suits it: small batches, so that minutes
 * have many steps, a higher learning rate, and no equivariance, which the model has learned. (From the starter `face`, on
 * the clip of a person, 100 such steps of 178 s came to 0.515 of the still picture's L1; 45 usual ones of 170 s to 0.575.)
 * With pictures of 256 pixels or more, most steps paint half of that, and in the last ones motion rests. (On two other clips, two
 * minutes on one core: 0.283 and 0.423 of the still picture's L1 without, 0.258 and 0.417 with; rest without growth was worse.)
 *
 * @param model that training goes on from
 */
export function finetuning<
  T extends Pick<TrainOptions, 'batch' | 'learningRate' | 'losses' | 'grow' | 'rest'>,
>(options: T, { size, generator }: Pick<MotionConfig, 'size' | 'generator'>): T {
  const grows = generator.kind === 'light' && size >= 256 && Number.isInteger(size / 2)
  return {
    ...options,
    grow: options.grow ?? (grows ? `${size / 2}:0.6` : 'none'),
    ...(grows && options.rest === undefined && { rest: 0.4 }),
    batch: options.batch ?? 4,
    learningRate: options.learningRate ?? 4e-3,
    losses: { equivarianceValue: 0, equivarianceJacobian: 0, ...options.losses },
  }
}

/** Refuses another model beside `from`. @throws InputError that names the options */
export function assertKeepsModel(options: object): void {
  const given = Object.entries(options).flatMap(([name, value]) =>
    isModelOption(name) && value !== undefined ? [name] : [],
  )
  if (given.length === 0) return
  throw new InputError({
    what: 'a run that is trained further keeps its model',
    got: `from, and ${given.join(', ')}`,
    remedy: 'leave these out, or take init, which begins another model with what fits',
  })
}

/**
 * The crop that a new run records. A configuration without one is an older run's, whose frames were cropped to what moves.
 *
 * @throws InputError if it is none.
 */
export function croppedBy({ crop = defaultCrop }: { crop?: string | undefined }): { crop: string } {
  return { crop: formatCrop(parseCrop(crop)) }
}

/** The length of a run. @throws InputError if it is given twice. */
export function runLength({ steps, minutes }: { steps?: number | undefined; minutes?: number | undefined }) {
  if (steps !== undefined && minutes !== undefined) {
    throw new InputError({ what: 'a run ends after steps or after minutes, not both', remedy: 'give one' })
  }
  return steps === undefined ? { minutes: minutes ?? defaultMinutes } : { steps }
}
