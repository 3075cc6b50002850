import { openDetector } from '../../model/open-detector.ts'
import { detectorOptions } from '../../motion/options.ts'
import { settingsOptions } from '../../train/options.ts'
import { InputError } from '../../util/errors.ts'
import { checkedOptions } from '../../util/option-schema.ts'
import { given } from '../../util/options.ts'
import { contentsOf } from '../plan-contents.ts'
import { planSchema, type TrialPlan, type TrialSettings, trialSettingsSchema } from './plan.ts'
import { alikeSkips, usableNets } from './plan-nets.ts'

/** What a comparison is asked for. */
export interface PlanOptions extends Partial<Omit<TrialSettings, 'clips' | 'test' | 'jacobian'>> {
  readonly test?: readonly string[]
  /** Default: both, or scratch where there is no teacher. */
  readonly methods?: readonly TrialPlan['methods'][number][]
  /** Default: all and none. */
  readonly skips?: readonly TrialPlan['skips'][number][]
  /** Names of networks (default: all; then those that do not take such pictures are left out). */
  readonly nets?: readonly string[]
  /** Number of seeds (default 3). */
  readonly seeds?: number
}

/** The first seed is that of `train` and `distil`, so that a trial can be repeated with their defaults. */
const firstSeed = 42
const defaultSteps = 1000

/**
 * Resolves a plan, and opens all that it names once, so that what cannot be used is known before the first trial.
 *
 * @param clips videos or puppet specs to train on
 * @throws InputError for clips, a teacher, networks or options that cannot be used.
 */
export async function makePlan(clips: readonly string[], options: PlanOptions): Promise<TrialPlan> {
  const {
    teacher,
    test = [],
    methods = teacher === undefined ? ['scratch'] : ['distilled', 'scratch'],
  } = options
  const { skips = ['all', 'none'] as const, seeds = 3, steps, minutes } = options
  if (methods.includes('distilled') && teacher === undefined) {
    throw new InputError({
      what: 'there is no teacher to distil from',
      where: '--methods',
      got: methods.join(','),
      remedy: 'name a run or an ONNX file with --teacher, or take --methods scratch',
    })
  }
  const seen = await whatTeacherSees(options)
  const settings = checkedOptions(trialSettingsSchema, {
    clips: [...clips],
    test: [...test],
    ...(teacher !== undefined && { teacher }),
    ...seen,
    ...given(detectorOptions, options),
    ...(minutes === undefined ? { steps: steps ?? defaultSteps } : { minutes }),
    batch: options.batch ?? settingsOptions.batch.default,
    holdout: options.holdout ?? (test.length > 0 ? 0 : settingsOptions.holdout.default),
    fit: options.fit ?? settingsOptions.fit.default,
    device: options.device ?? settingsOptions.device.default,
  })
  const chosen = usableNets(options.nets, settings, skips)
  return planSchema.parse({
    format: 1,
    settings,
    contents: await contentsOf(settings),
    ...chosen,
    alike: alikeSkips(chosen.nets, settings, skips),
    methods,
    skips,
    seeds: Array.from({ length: seeds }, (_, i) => firstSeed + i),
  })
}

/** Students see what their teacher sees, and those from scratch what students see. */
async function whatTeacherSees({ teacher, size, keypoints, device }: PlanOptions) {
  if (teacher === undefined) return { size: size ?? 64, keypoints: keypoints ?? 10, jacobian: true }
  const detector = await openDetector(teacher, device === undefined ? {} : { device })
  await detector.close()
  for (const [what, got, expected] of [
    ['size', size, detector.size],
    ['number of keypoints', keypoints, detector.keypoints],
  ] as const) {
    if (got === undefined || got === expected) continue
    throw new InputError({
      what: `the teacher has another ${what}`,
      where: teacher,
      got: String(got),
      expected: String(expected),
      remedy: "leave it out: it is the teacher's",
    })
  }
  return { size: detector.size, keypoints: detector.keypoints, jacobian: detector.jacobian }
}
