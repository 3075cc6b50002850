// The plan of a study: a list of trials. Each network is trained by each method, with each skip, from each seed, on the
// same clips with the same budget and schedule.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { simplify } from '../../graph/ops/index.ts'
import { openDetector } from '../../model/open-detector.ts'
import { assertLoadable } from '../../model/plugin.ts'
import { type SmallConfigOptions, smallConfig } from '../../motion/config.ts'
import { detectorGraph } from '../../motion/model.ts'
import { detectorOptions } from '../../motion/options.ts'
import { toOnnx } from '../../onnx/export.ts'
import { settingsOptions } from '../../train/options.ts'
import { InputError } from '../../util/errors.ts'
import { checkedOptions, schemaOf, shapeOf } from '../../util/option-schema.ts'
import { given } from '../../util/options.ts'
import {
  contentFacts,
  contentsOf,
  contentsSchema,
  openPlanned,
  type PlanKind,
  planShape,
  readPlan,
} from '../../work/plan-folder.ts'
import { listNets } from '../../zoo/registry.ts'
import { reasonOf } from '../candidates.ts'

export const methods = ['distilled', 'scratch'] as const
/** How a detector is trained: to find what a teacher finds, or together with a generator from random weights. */
export type Method = (typeof methods)[number]

const skip = schemaOf(detectorOptions.skip)
/** Options of the detector that all trials share: each skip is tried in trials of its own. */
const { skip: _, ...sharedDetectorShape } = shapeOf(detectorOptions)

/** What is the same for all trials and decides their results. */
export const settingsSchema = z.object({
  ...planShape,
  /** Run folder or ONNX file, as given. */
  teacher: z.string().optional(),
  ...sharedDetectorShape,
  /** Steps of each training; undefined if `minutes` limits them. */
  steps: z.int().positive().optional(),
  /** Minutes of each training; undefined if `steps` limits it. */
  minutes: z.number().positive().optional(),
})
export type TrialSettings = z.infer<typeof settingsSchema>

const planSchema = z.object({
  /** Version of the format. */
  format: z.literal(1),
  /** The settings that all trials share. */
  settings: settingsSchema,
  /** The content behind the names. */
  contents: contentsSchema,
  /** Names of the networks. */
  nets: z.array(z.string()).min(1),
  /** How detectors are trained. */
  methods: z.array(z.enum(methods)).min(1),
  /** How the encoder's map of 1/4 joins: each is tried. */
  skips: z.array(skip).min(1),
  /** Seeds: each is tried. */
  seeds: z.array(z.int().nonnegative()).min(1),
  /** Networks that do not take frames of this size. */
  skipped: z.array(
    z.object({
      /** Name of the network. */
      net: z.string(),
      /** Why it is left out. */
      reason: z.string(),
    }),
  ),
  /** Skips that make the same detector of a network as an earlier skip: they are not tried again. */
  alike: z
    .array(
      z.object({
        /** Name of the network. */
        net: z.string(),
        /** The skip that is not tried. */
        skip,
        /** The skip that makes the same detector. */
        as: skip,
      }),
    )
    .default([]),
})
/** The content of plan.json. */
export type TrialPlan = z.infer<typeof planSchema>

/** The fields that tell one trial from another. */
export const trialShape = {
  /** Name of the network. */
  net: z.string(),
  /** How the detector is trained. */
  method: z.enum(methods),
  /** How the encoder's map of 1/4 joins. */
  skip,
  /** Seed of the training. */
  seed: z.int().nonnegative(),
}
export const trialSchema = z.object(trialShape)
/** One training of a study. */
export type Trial = z.infer<typeof trialSchema>

/** Networks of a plan of which this skip makes another detector than the skips before it. */
export const netsWith = ({ nets, alike }: TrialPlan, skip: Trial['skip']): Trial['net'][] =>
  nets.filter((net) => !alike.some((same) => same.net === net && same.skip === skip))

/** All trials in the order in which they run: whenever it stops, networks have been tried about equally often. */
export function trialsOf(plan: TrialPlan): Trial[] {
  const { methods: wanted, skips, seeds } = plan
  return seeds.flatMap((seed) =>
    wanted.flatMap((method) =>
      skips.flatMap((skip) => netsWith(plan, skip).map((net): Trial => ({ net, method, skip, seed }))),
    ),
  )
}

/** Name of a trial's folder. */
export const trialKey = ({ net, method, skip, seed }: Trial): string => `${net}-${method}-${skip}-${seed}`

/** The options that make a trial's detector. Both methods show it frames larger than 64x64 at 64x64. */
export function detectorChoices(settings: TrialSettings, skip: Trial['skip']) {
  const { size, keypoints, jacobian } = settings
  const generator = size > 64 ? 'light' : 'small'
  return { ...given(detectorOptions, settings), size, keypoints, jacobian, skip, generator } satisfies Omit<
    SmallConfigOptions,
    'net'
  >
}

/**
 * Folders of studies hold plan.json, trials/, teacher/, and a lock. The plan of a resumed study may have more networks,
 * skips, methods or seeds than before, or fewer, since no trial depends on another. Its settings and the content of its
 * videos and its teacher stay the same.
 */
const study: PlanKind<TrialPlan> = {
  file: 'plan.json',
  noun: 'study',
  command: 'study',
  schema: planSchema,
  parts: ['trials', 'teacher'],
  facts: ({ settings, contents }) => ({ ...settings, ...contentFacts(contents) }),
  remedy: 'replace it with --force, or choose another folder',
}

/** Makes the folder of a study, or opens the existing one, and locks it. @throws as `openPlanned` */
export const openStudy = (path: string, plan: TrialPlan, options: { readonly force?: boolean } = {}) =>
  openPlanned(study, path, plan, options)

/** The plan of a study that was begun; undefined if there is none in the folder. @throws FormatError */
export const readStudyPlan = (folder: string): Promise<TrialPlan | undefined> => readPlan(study, folder)

/** What a study is asked for. */
export interface PlanOptions extends Partial<Omit<TrialSettings, 'clips' | 'test' | 'jacobian'>> {
  /** Clips to measure on (default: the held-out ends of the training clips). */
  readonly test?: readonly string[]
  /** Default: both, or scratch if there is no teacher. */
  readonly methods?: readonly Method[]
  /** Default: all and none. */
  readonly skips?: readonly Trial['skip'][]
  /** Names of networks (default: all that take frames of this size). */
  readonly nets?: readonly string[]
  /** Number of seeds (default 3). */
  readonly seeds?: number
}

/** The first seed is that of `train` and `distil`, so that a trial can be repeated with their defaults. */
const firstSeed = 42
const defaultSteps = 1000

/**
 * Resolves a plan, and opens every file that it names, so that a file that cannot be used is known before the first
 * trial.
 *
 * @param clips videos, puppets (`puppet:7`) or heads (`head:7`) to train on
 * @throws InputError for clips, a teacher, networks or options that cannot be used.
 */
export async function makePlan(clips: readonly string[], options: PlanOptions): Promise<TrialPlan> {
  const { teacher, test = [], steps, minutes, skips = ['all', 'none'] as const, seeds = 3 } = options
  const { methods: wanted = teacher === undefined ? (['scratch'] as const) : methods } = options
  if (wanted.includes('distilled') && teacher === undefined) {
    throw new InputError({
      what: 'there is no teacher to distil from',
      where: '--methods',
      got: wanted.join(','),
      remedy: 'name a run or an ONNX file with --teacher, or use --methods scratch',
    })
  }
  const settings = checkedOptions(settingsSchema, {
    clips: [...clips],
    test: [...test],
    ...(teacher !== undefined && { teacher }),
    ...(await framesAndKeypoints(options)),
    ...given(detectorOptions, options),
    ...(minutes === undefined ? { steps: steps ?? defaultSteps } : { minutes }),
    batch: options.batch ?? settingsOptions.batch.default,
    holdout: options.holdout ?? (test.length > 0 ? 0 : settingsOptions.holdout.default),
    fit: options.fit ?? settingsOptions.fit.default,
    device: options.device ?? settingsOptions.device.default,
  })
  const chosen = usableNets(options.nets, settings, skips)
  assertLoadable(chosen.nets)
  return planSchema.parse({
    format: 1,
    settings,
    contents: await contentsOf(settings),
    ...chosen,
    alike: alikeSkips(chosen.nets, settings, skips),
    methods: wanted,
    skips,
    seeds: Array.from({ length: seeds }, (_, i) => firstSeed + i),
  })
}

/** Students see frames of their teacher's size, and find its keypoints; detectors from scratch do the same. */
async function framesAndKeypoints({ teacher, size, keypoints, device }: PlanOptions) {
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

/**
 * Networks that can be tried with these settings.
 *
 * @param named networks that must be among them; if undefined, all known networks that can be tried.
 * @throws InputError for a named network that is unknown or cannot be tried.
 */
function usableNets(
  named: readonly string[] | undefined,
  settings: TrialSettings,
  skips: readonly Trial['skip'][],
): Pick<TrialPlan, 'nets' | 'skipped'> {
  const nets: TrialPlan['nets'] = []
  const skipped: TrialPlan['skipped'] = []
  let first: InputError | undefined
  for (const name of new Set(named ?? listNets())) {
    try {
      for (const skip of skips) smallConfig({ net: name, ...detectorChoices(settings, skip) })
      nets.push(name)
    } catch (error) {
      // An unknown name ends here too.
      if (!(error instanceof InputError) || named !== undefined) throw error
      first ??= error
      skipped.push({ net: name, reason: reasonOf(error) })
    }
  }
  if (nets.length === 0) throw first!
  return { nets, skipped }
}

/** Skips that change nothing about a network's detector: some networks join their maps themselves. */
function alikeSkips(
  nets: readonly Trial['net'][],
  settings: TrialSettings,
  skips: readonly Trial['skip'][],
): TrialPlan['alike'] {
  if (skips.length < 2) return []
  return nets.flatMap((net) => {
    const seen = new Map<string, Trial['skip']>()
    return skips.flatMap((skip) => {
      const graph = detectorGraph(smallConfig({ net, ...detectorChoices(settings, skip) }))
      const bytes = toOnnx(simplify(graph), { feedParameters: true })
      const content = createHash('sha256').update(bytes).digest('hex')
      const as = seen.get(content)
      if (as === undefined) seen.set(content, skip)
      return as === undefined ? [] : [{ net, skip, as }]
    })
  })
}
