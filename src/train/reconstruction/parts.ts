// The parts of a run that differ in what is painted and trained: smaller pictures first, patches of them, motion at rest.
import type { MotionConfig } from '../../motion/config.ts'
import { InputError } from '../../util/errors.ts'
import { type TrainLosses, trainLosses } from '../losses.ts'

/** How steps of one part of a run differ from those of the whole. */
export interface StepPart {
  /** Pictures are painted and compared this many times smaller. */
  readonly reduction: number
  /** Side of the square that is painted and compared, over the picture's; 1 for the whole picture. */
  readonly patch: number
  /** Whether detector and dense motion stay as they are. */
  readonly motionRests: boolean
}

/** Steps of whole frames, in which everything is trained. */
export const wholeStep: StepPart = { reduction: 1, patch: 1, motionRests: false }

/** What divides a run, as its options say: see `reconstructionOptions`. */
export interface PartOptions {
  readonly grow?: string | undefined
  readonly patch?: number | undefined
  readonly rest?: number | undefined
}

/**
 * The parts of a run in order, each with its end as a part of the run.
 *
 * @returns one or more; the last one ends at 1
 * @throws InputError if a size is none that pictures of the model can have
 */
export function partsOf(
  model: MotionConfig,
  { grow, patch, rest = 0 }: PartOptions,
): { readonly until: number; readonly part: StepPart }[] {
  const { size } = model
  const sizes = grow === undefined || grow === 'none' ? [] : sizesOf(grow)
  for (const one of sizes) assertSmaller('grow', one.size, model)
  if (patch !== undefined && patch !== size) assertSmaller('patch', patch, model)
  const ends = sizes.map((_, i) => sizes.slice(0, i + 1).reduce((sum, { share }) => sum + share, 0))
  const given = ends.at(-1) ?? 0
  if (given >= 1) {
    throw new InputError({
      what: 'nothing of the run is left for pictures of full size',
      where: 'grow',
      got: grow!,
      expected: 'shares whose sum is less than 1',
    })
  }
  const bounds = [...new Set([...ends, ...(rest > 0 ? [1 - rest] : []), 1])].sort((a, b) => a - b)
  return bounds.map((until, i) => {
    const from = bounds[i - 1] ?? 0
    const smaller = sizes[ends.findIndex((end) => from < end)]
    return {
      until,
      part: {
        reduction: smaller === undefined ? 1 : size / smaller.size,
        patch: smaller === undefined && patch !== undefined ? patch / size : 1,
        motionRests: rest > 0 && from >= 1 - rest,
      },
    }
  })
}

/** Pictures of a new run are not painted smaller than this, unless somebody says so. */
const leastSide = 64

/**
 * The first sizes of a new run, if none are given. (256x256 with the light generator, 3 minutes on one core, the last fifth of
 * a clip: 0.543 of the still picture's L1, and 0.601 without them.)
 */
export function usualGrowth({ size, generator }: MotionConfig): string {
  const sizes = [size / 4, size / 2].filter((side) => side >= leastSide && Number.isInteger(side))
  return generator.kind === 'light' && sizes.length > 0 ? sizes.join(',') : 'none'
}

/** Sizes as they are written, with the part of the run that each has: equal parts if none are given. */
function sizesOf(text: string): { readonly size: number; readonly share: number }[] {
  const all = text.split(',').map((one) => one.split(':').map(Number))
  return all.map(([size, share = 1 / (all.length + 1)]) => ({ size: size!, share }))
}

/** @throws InputError if pictures of the model cannot be painted at this size */
function assertSmaller(option: string, side: number, { size, generator }: MotionConfig): void {
  const least = 2 ** (generator.downBlocks + 1)
  const times = size / side
  if (times > 1 && Number.isInteger(Math.log2(times)) && side % least === 0) return
  throw new InputError({
    what: 'pictures of this model cannot be painted at this size',
    where: option,
    got: String(side),
    expected: `${size} divided by 2, 4, 8 and so on, and a multiple of ${least}`,
  })
}

/** Weights of the losses in a part of a run: 0 for losses that cannot count in it. */
export function weightsIn({ patch, motionRests }: StepPart, weights: TrainLosses): TrainLosses {
  const left = trainLosses.all.filter(
    ({ name, sees }) =>
      weights[name] !== undefined &&
      (((sees === 'motion' || sees === 'keypoints') && motionRests) ||
        (sees === 'whole pictures' && patch < 1)),
  )
  return { ...weights, ...Object.fromEntries(left.map(({ name }) => [name, 0])) }
}

/** Whether a step with these weights trains a discriminator. */
export const needsDiscriminator = (weights: TrainLosses): boolean =>
  trainLosses.all.some(({ name, judged }) => (weights[name] ?? 0) > 0 && judged === true)

/** Whether a step with these weights shows the detector warped frames. */
export const needsWarps = (weights: TrainLosses): boolean =>
  trainLosses.all.some(({ name, warps }) => (weights[name] ?? 0) > 0 && warps !== false)

/** Whether a step with these weights compares with the detector that training began with. */
export const needsBefore = (weights: TrainLosses): boolean =>
  trainLosses.all.some(({ name, keeps }) => (weights[name] ?? 0) > 0 && keeps === true)

/** Whether a step with these weights trains the detector alone. */
export const needsKeypointsAlone = (weights: TrainLosses): boolean =>
  trainLosses.all.every(({ name, sees }) => !((weights[name] ?? 0) > 0) || sees === 'keypoints')
