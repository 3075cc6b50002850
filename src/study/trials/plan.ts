import { z } from 'zod'
import type { SmallConfigOptions } from '../../motion/config.ts'
import { detectorOptions } from '../../motion/options.ts'
import { settingsOptions } from '../../train/options.ts'
import { schemaOf, shapeOf } from '../../util/option-schema.ts'
import { given } from '../../util/options.ts'
import { netNames } from '../../zoo/registry.ts'
import { contentsSchema } from '../plan-contents.ts'

/**
 * A comparison of trained detectors is a list of trials: each network, by each method, with each skip, from each
 * seed, on the same clips with the same budget and schedule.
 */

export const methods = ['distilled', 'scratch'] as const
/** How a detector is trained: to find what a teacher finds, or with a generator from nothing. */
export type Method = (typeof methods)[number]

const skip = schemaOf(detectorOptions.skip)
/** Options of the detector that all trials share: each skip is tried in trials of its own. */
const { skip: _, ...sharedDetectorShape } = shapeOf(detectorOptions)

/** What is the same for all trials and decides their results. */
export const trialSettingsSchema = z.object({
  /** Videos or puppet specs, as given. */
  clips: z.array(z.string()).min(1),
  /** Clips to measure on; where there are none, the held-out ends of `clips`. */
  test: z.array(z.string()),
  /** Run folder or ONNX file, as given. */
  teacher: z.string().optional(),
  size: z.int().positive(),
  keypoints: z.int().positive().max(100),
  jacobian: z.boolean(),
  ...sharedDetectorShape,
  steps: z.int().positive().optional(),
  minutes: z.number().positive().optional(),
  batch: z.int().positive(),
  holdout: z.number().min(0).lt(1),
  fit: schemaOf(settingsOptions.fit),
  device: schemaOf(settingsOptions.device),
})
export type TrialSettings = z.infer<typeof trialSettingsSchema>

export const planSchema = z.object({
  format: z.literal(1),
  settings: trialSettingsSchema,
  contents: contentsSchema,
  nets: z.array(z.enum(netNames)).min(1),
  methods: z.array(z.enum(methods)).min(1),
  skips: z.array(skip).min(1),
  seeds: z.array(z.int().nonnegative()).min(1),
  /** Networks that are not made for such pictures. */
  skipped: z.array(z.object({ net: z.string(), reason: z.string() })),
  /** Skips that make the same detector as an earlier one, since the network has its own: they are not tried again. */
  alike: z.array(z.object({ net: z.enum(netNames), skip, as: skip })).default([]),
})
/** What plan.json holds. */
export type TrialPlan = z.infer<typeof planSchema>

export const trialSchema = z.object({
  net: z.enum(netNames),
  method: z.enum(methods),
  skip,
  seed: z.int().nonnegative(),
})
export type Trial = z.infer<typeof trialSchema>

/** Networks of a plan that differ by this skip from what earlier skips make of them. */
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

/** What makes a trial's detector. A larger picture is shown to it at 64x64, by both methods. */
export function detectorChoices(settings: TrialSettings, skip: Trial['skip']) {
  const { size, keypoints, jacobian } = settings
  const generator = size > 64 ? 'light' : 'small'
  return { ...given(detectorOptions, settings), size, keypoints, jacobian, skip, generator } satisfies Omit<
    SmallConfigOptions,
    'net'
  >
}
