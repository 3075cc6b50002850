// What animation and tracking read of a run: its configuration and weights, checked. Works in Node and in a browser.
import { z } from 'zod'
import { type Crop, parseCrop } from '../faces/box.ts'
import type { ParameterInfo } from '../graph/ops/leaf.ts'
import { formatShape, sameShape, type Tensor } from '../graph/tensor.ts'
import { type FitMode, fitModes } from '../media/fit.ts'
import { type MotionConfig, motionConfigSchema } from '../motion/config.ts'
import type { EightBitPlan } from '../optimise/eight-bits.ts'
import { isHead } from '../synthetic/head/head.ts'
import { type Tie, ties } from '../synthetic/made-clips.ts'
import { FormatError, InputError } from '../util/errors.ts'

const eightBitPlanSchema = z.strictObject({
  graph: z.string().max(64),
  ops: z.array(z.string().max(1000)).max(100_000),
  scales: z.record(
    z.string().max(1000),
    z.tuple([z.number().positive().finite(), z.int().min(0).max(255)]).readonly(),
  ),
  largestWeight: z.union([z.literal(127), z.literal(63)]),
})

/** The entry `compression` of config.json: what `compress` decided. */
export const compressionSchema = z.looseObject({
  /** The device that it was measured on. */
  device: z.string().max(64),
  /** Networks of the run that compute in eight bits on a CPU. */
  eightBits: z
    .strictObject({
      detector: eightBitPlanSchema.optional(),
      source: eightBitPlanSchema.optional(),
      frame: eightBitPlanSchema.optional(),
    })
    .default({}),
  /** Whether networks compute in half precision on a GPU that can. */
  halves: z.boolean().default(false),
})

/**
 * What of a run's networks computes in eight bits: of the detector, of the part of the generator that sees the source
 * alone, and of the part that runs for each frame.
 */
export type EightBitPlans = { readonly [Part in ModelPart]?: EightBitPlan | undefined }

/** The networks of a run that are opened on their own. */
export type ModelPart = 'detector' | 'source' | 'frame'

/** The fields of config.json that animation reads. All other fields belong to training and may change freely. */
export const animatedRunSchema = z.looseObject({
  model: motionConfigSchema.optional(),
  network: z.looseObject({ net: z.string() }).optional(),
  compression: compressionSchema.optional(),
  training: z
    .looseObject({
      fit: z.enum(fitModes).default('crop'),
      crop: z.string().optional(),
      tie: z.enum(ties).optional(),
      clips: z.array(z.string()).optional(),
    })
    .default({ fit: 'crop' }),
})

/** A run's config.json, as animation reads it. */
export type AnimatedRun = z.infer<typeof animatedRunSchema>

/** A trained model in memory: configuration and weights. */
export interface LoadedRun {
  /** Absolute path of the run folder; in a browser the name of the run. */
  readonly path: string
  readonly config: MotionConfig
  /** How the training clips were made square. */
  readonly fit: FitMode
  /** How the square of other clips is chosen. */
  readonly crop: Crop
  /** What the first keypoints are tied to; see `tiedPoints`. */
  readonly tie: Tie
  /** What computes in eight bits on a CPU; undefined for a run that was not compressed so. */
  readonly eightBits?: EightBitPlans | undefined
  /** Whether the run was compressed to compute in half precision on a GPU that can (default: no). */
  readonly halves?: boolean | undefined
  /** Contents of the parameters, by checkpoint name. */
  readonly weights: ReadonlyMap<string, Tensor>
}

/**
 * The motion model that a config.json describes, and the fit of its clips.
 *
 * @param where the run, for messages.
 * @throws InputError if the file describes no motion model.
 */
export function modelOf(
  { model, network, training, compression }: AnimatedRun,
  where: string,
): Pick<LoadedRun, 'config' | 'fit' | 'crop' | 'tie' | 'eightBits' | 'halves'> {
  if (model === undefined) {
    throw new InputError({
      what: 'the folder holds no motion model',
      where,
      got: network === undefined ? 'a config.json without a model' : `the plain network ${network.net}`,
      expected: 'what train or distil makes, or import of a First Order Motion Model',
    })
  }
  const { fit, tie = 'none' } = training
  const halves = compression?.halves === true
  const own = { config: model, fit, crop: cropOf(training), tie, ...(halves && { halves }) }
  const eightBits = compression?.eightBits
  return eightBits === undefined || Object.keys(eightBits).length === 0 ? own : { ...own, eightBits }
}

/** How the clips of a run are cropped from now on. A square in pixels was that of its own clips. */
function cropOf({ crop: text, clips = [] }: AnimatedRun['training']): Crop {
  if (text === undefined) {
    // Runs from before there was a choice were cropped to what moves. A model of heads is for faces.
    return clips.length > 0 && clips.every(isHead) ? 'auto' : 'motion'
  }
  const crop = parseCrop(text)
  return typeof crop === 'string' ? crop : 'auto'
}

/**
 * Checks that weights hold each parameter of a model, in its shape, with finite numbers.
 *
 * @param where the file of the weights, for messages.
 * @throws FormatError if a parameter is missing, has another shape, or is not finite.
 */
export function checkWeights(
  weights: ReadonlyMap<string, Tensor>,
  needed: Iterable<ParameterInfo>,
  where: string,
): void {
  for (const { name, shape } of needed) {
    const found = weights.get(name)
    const expected = `float32${formatShape(shape)}`
    const remedy = 'train again, or take the config.json and weights.safetensors of one run'
    if (found === undefined) {
      throw new FormatError({ what: `the weight "${name}" is missing`, where, expected, remedy })
    }
    if (found.dtype !== 'float32' || !sameShape(found.shape, shape)) {
      const got = `${found.dtype}${formatShape(found.shape)}`
      throw new FormatError({
        what: `the weight "${name}" does not fit the model`,
        where,
        got,
        expected,
        remedy,
      })
    }
    const bad = found.data.find((number) => !Number.isFinite(number))
    if (bad !== undefined) {
      const what = `the weight "${name}" holds a number that is not finite`
      throw new FormatError({ what, where, got: String(bad), remedy: 'train again' })
    }
  }
}
