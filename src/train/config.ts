import { z } from 'zod'
import { motionConfigSchema } from '../motion/config.ts'
import { adamDefaults } from './adam.ts'
import { transformDefaults } from './transform.ts'

/** Everything that decides what a training run computes. It is written to config.json as resolved. */

const positive = z.number().positive()
const share = z.number().min(0).lt(1)

/** What every way of training is told. */
const settings = {
  /** Videos, or puppet specs, as given. */
  clips: z.array(z.string()).min(1),
  fit: z.enum(['crop', 'letterbox']).default('crop'),
  /** Part of each clip, at its end, that is not trained on. */
  holdout: share.default(0.2),
  batch: z.int().positive().max(256).default(8),
  seed: z.int().nonnegative().default(42),
  device: z.enum(['auto', 'cpu', 'webgpu', 'cuda']).default('auto'),
  /** Within one op on the CPU (default: one for each core). Another number rounds otherwise. */
  threads: z.int().positive().optional(),
  /** The run ends after this many steps, or minutes; exactly one of them is given. */
  steps: z.int().positive().optional(),
  minutes: positive.optional(),
  learningRate: positive.default(2e-3),
  adam: z.object({ beta1: share, beta2: share, epsilon: positive }).default({ ...adamDefaults }),
  /** Random warps: of equivariance, and of frames that a teacher looks at. */
  transform: z
    .object({
      sigmaAffine: z.number().nonnegative(),
      sigmaTps: z.number().nonnegative(),
      points: z.int().min(2),
    })
    .default({ ...transformDefaults }),
  /** Folder of a model or network, as given, whose weights training begins with, where they fit. */
  init: z.string().optional(),
  /** Steps between lines of metrics.jsonl. */
  logEvery: z.int().positive().default(10),
  /** Seconds between checkpoints and between previews. */
  checkpointSeconds: positive.default(20),
  previewSeconds: positive.default(60),
}
export const settingsSchema = z.object(settings)
export type Settings = z.infer<typeof settingsSchema>

export const trainingConfigSchema = z.object({
  ...settings,
  losses: z
    .object({
      reconstruction: z.number().nonnegative(),
      perceptual: z.number().nonnegative(),
      equivarianceValue: z.number().nonnegative(),
      equivarianceJacobian: z.number().nonnegative(),
    })
    .default({ reconstruction: 10, perceptual: 10, equivarianceValue: 1, equivarianceJacobian: 1 }),
  /** Scales of the reconstruction pyramid, each half of the one before. */
  scales: z.int().min(1).max(6).default(4),
  augment: z
    .object({ flip: z.boolean(), colour: z.number().min(0).max(1) })
    .default({ flip: false, colour: 0 }),
  /** ONNX file of a network whose outputs are compared, scale by scale: a perceptual loss. */
  perceptual: z.string().optional(),
})

export type TrainingConfig = z.infer<typeof trainingConfigSchema>

/** config.json of a run that `train` made. */
export const runConfigSchema = z.object({
  model: motionConfigSchema,
  training: trainingConfigSchema,
  distillation: z.undefined('it was distilled: continue it with distil').optional(),
})
export type RunConfig = z.infer<typeof runConfigSchema>
