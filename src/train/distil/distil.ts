// distil(): a light detector that finds what a teacher finds.
import type { Tensor } from '../../graph/tensor.ts'
import type { KeypointDetector } from '../../model/keypoint-detector.ts'
import { openDetector } from '../../model/open-detector.ts'
import { loadRun } from '../../model/open-model.ts'
import { detectorGraph } from '../../motion/model.ts'
import type { TrainedRun } from '../loop.ts'
import { beginRun } from '../setup.ts'
import { trainRun } from '../training-run.ts'
import { type DistilConfig, type DistilOptions, distilConfigSchema, resolveDistil } from './config.ts'
import { labelLayout, type StudentGrids } from './labels.ts'
import { labelledPool, leastFrames } from './pool.ts'
import { distilTask } from './task.ts'

export type { DistilOptions } from './config.ts'

/**
 * Trains a light detector to find what a teacher finds, and writes a run folder. The teacher looks at each
 * picture once. With a run as teacher, the student's run has the teacher's generator, so that it animates; with
 * an ONNX file it tracks.
 *
 * @param clips paths of videos or pictures, or puppet specs (`puppet:7`); no labels are needed
 * @throws InputError for options, a teacher or clips that cannot be used, before anything is written;
 * TrainingError if numbers stop being finite; EnvironmentError if the device or the disk fails.
 */
export async function distil(clips: string | readonly string[], options: DistilOptions): Promise<TrainedRun> {
  const { teacher: path, device, cache } = options
  const teacher = await openDetector(path, { details: true, ...(device && { device }) })
  try {
    const generator = await generatorOf(path)
    const specs = typeof clips === 'string' ? [clips] : clips
    const config = resolveDistil(specs, teacher, generator?.config, options)
    return await trainRun({
      config,
      options,
      clips: { pictures: true, leastFrames },
      open: () =>
        beginRun({
          config,
          options,
          schema: distilConfigSchema,
          reads: { init: config.training.init, teacher: path },
        }),
      read: (own) => labelsFor(teacher, own),
      prepare: (own, { layout, grids }, opened, hooks) =>
        labelledPool(opened, { config: own, teacher, layout, grids, keepIn: cache, ...hooks }),
      task: (own, _, pool, openSession) =>
        distilTask(own, pool, generator?.weights ?? new Map(), openSession),
    })
  } finally {
    await teacher.close()
  }
}

/** A teacher's model besides its detector, if it is a run that has one. */
async function generatorOf(teacher: string) {
  if (teacher.toLowerCase().endsWith('.onnx')) return undefined
  const { config, weights } = await loadRun(teacher)
  const kept = Array.from(weights).filter(([name]) => name.startsWith('generator.'))
  return { config, weights: new Map<string, Tensor>(kept) }
}

/** What is kept of a teacher's results, and on which grids. @throws InputError if it lacks what a loss needs. */
function labelsFor(teacher: KeypointDetector, { model, distillation }: DistilConfig) {
  const { outputs } = detectorGraph(model, { details: true })
  const grid = (name: string) => outputs.get(name)!.shape.slice(2) as [number, number]
  const grids: StudentGrids = { heatmap: grid('heatmap'), features: grid('predictor') }
  return { grids, layout: labelLayout(teacher, distillation.losses, grids) }
}
