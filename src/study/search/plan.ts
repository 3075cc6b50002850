import { z } from 'zod'
import { type MotionConfig, smallConfig } from '../../motion/config.ts'
import { distilLossesSchema } from '../../train/distil/config.ts'
import { settingsOptions } from '../../train/options.ts'
import { schemaOf } from '../../util/option-schema.ts'
import { type Design, designSchema } from '../../zoo/design.ts'
import { contentsSchema } from '../plan-contents.ts'
import { type Rung, rungsOf } from './halving.ts'

/** A search as it was asked for: all that decides its result. */
export const planSchema = z.object({
  format: z.literal(1),
  /** Videos or puppet specs, as given. */
  clips: z.array(z.string()).min(1),
  /** Clips to measure on; where there are none, the held-out ends of `clips`. */
  test: z.array(z.string()),
  /** Run folder or ONNX file, as given. */
  teacher: z.string(),
  size: z.int().positive(),
  keypoints: z.int().positive().max(100),
  jacobian: z.boolean(),
  /** Drawn designs, the reference among them. */
  candidates: z.int().positive(),
  /** Designs made of the best by small changes, which are tried in the same way afterwards. */
  mutations: z.int().nonnegative(),
  /** Of training on the first rung. */
  steps: z.int().positive(),
  rungs: z.int().positive(),
  /** Latency at most, over the reference's. */
  latency: z.number().positive(),
  /** Multiply-adds of a detector at most, as `info --as detector` counts. */
  macs: z.number().positive().optional(),
  seed: z.int().nonnegative(),
  losses: distilLossesSchema,
  batch: z.int().positive(),
  holdout: z.number().min(0).lt(1),
  fit: schemaOf(settingsOptions.fit),
  device: schemaOf(settingsOptions.device),
  /** Within one op on the CPU, where latency is measured and where designs are trained. */
  threads: z.int().positive(),
  /** What latencies are held against. It is the first candidate. */
  reference: designSchema,
  contents: contentsSchema,
})
export type SearchPlan = z.infer<typeof planSchema>

/** The detector of a design: as `distil` makes it, so that what is timed is what is trained. */
export const detectorOf = (
  { size, keypoints, jacobian }: Pick<SearchPlan, 'size' | 'keypoints' | 'jacobian'>,
  design: Design,
): MotionConfig => smallConfig({ net: 'ficelle', size, keypoints, jacobian, generator: 'light', design })

/** The rungs that drawn designs go through, and those of mutations. */
export const rungsOfPlan = ({
  candidates,
  mutations,
  steps,
  rungs,
}: SearchPlan): readonly [drawn: Rung[], mutated: Rung[]] => [
  rungsOf(candidates, steps, rungs),
  mutations === 0 ? [] : rungsOf(mutations, steps, rungs),
]
