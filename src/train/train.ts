// train() and distil(): a motion model from clips without labels, and a light one from what a teacher finds in them.
import { nodeFaces } from '../faces/node.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { KeypointDetector } from '../model/keypoint-detector.ts'
import { readOnnxFile } from '../model/onnx-file.ts'
import { openDetector } from '../model/open-detector.ts'
import { loadRun } from '../model/open-model.ts'
import { detectorGraph } from '../motion/model.ts'
import { resolveConfig, runConfigSchema, type TrainingConfig, type TrainOptions } from './config.ts'
import {
  type DistilConfig,
  type DistilOptions,
  distilConfigSchema,
  resolveDistil,
  type TaughtBy,
} from './distil/config.ts'
import { labelLayout, PairTeacher, pairLayout, type StudentGrids } from './distil/labels.ts'
import { labelledPool, leastFrames } from './distil/pool.ts'
import { stepOf as distilStepOf, distilTask } from './distil/task.ts'
import { keptFrames } from './kept-frames.ts'
import type { TrainedRun } from './loop.ts'
import { type PerceptualLoss, perceptualLoss } from './reconstruction/judges.ts'
import { needsBefore } from './reconstruction/parts.ts'
import {
  assertVaried,
  labelSide,
  reconstructionTask,
  type StepReads,
  stepOf,
  weightsBefore,
} from './reconstruction/task.ts'
import { beginRun, readStart, withFinetuned } from './setup.ts'
import { trainRun } from './training-run.ts'

export type { TrainOptions } from './config.ts'
export type { DistilOptions } from './distil/config.ts'
export type { TrainedRun } from './loop.ts'
export type { TrainEvent } from './step.ts'

/**
 * Trains a motion model without labels on clips, and writes a run folder.
 *
 * @param clips paths of videos, puppets (`puppet:7`) or heads (`head:7`).
 * @throws InputError for options or clips that cannot be used, before anything is written; TrainingError
 * if numbers stop being finite; EnvironmentError if the device or the disk fails.
 */
export async function train(clips: string | readonly string[], given: TrainOptions): Promise<TrainedRun> {
  const options = await withFinetuned(given)
  const config = resolveConfig(typeof clips === 'string' ? [clips] : clips, options)
  assertVaried(config)
  return trainRun({
    config,
    options,
    // Motion needs two frames.
    clips: { pictures: false, leastFrames: 2 },
    open: (config) =>
      beginRun({ config, options, schema: runConfigSchema, reads: { init: config.training.init } }),
    step: (own, batch) => stepOf(own, batch),
    read: async (config): Promise<StepReads> => ({
      perceptual: await readPerceptual(config.training),
      before: needsBefore(config.training.losses)
        ? weightsBefore(config, await readStart(config))
        : undefined,
    }),
    prepare: ({ model, training }, _, opened, { signal, onEvent }) =>
      keptFrames(opened, training.clips, options.cache, {
        ...{ size: model.size, fit: training.fit, holdout: training.holdout },
        labels: labelSide(opened, { model, training }),
        ...{ crop: training.crop, face: training.face, faces: nodeFaces },
        ...(signal && { signal }),
        onFrame: (done, total) => onEvent({ kind: 'decode', done, total }),
        onFramed: (clip, framing) => onEvent({ kind: 'crop', clip, framing }),
        onStill: (clip) => onEvent({ kind: 'still', clip }),
      }),
    task: (own, reads, cache, how) => reconstructionTask(own, cache, how, reads),
  })
}

/** The perceptual network that a run names. @throws InputError, FormatError for a file that cannot be used. */
async function readPerceptual({ perceptual, scales }: TrainingConfig): Promise<PerceptualLoss | undefined> {
  if (perceptual === undefined) return undefined
  const bytes = await readOnnxFile(perceptual)
  return perceptualLoss(bytes, perceptual, scales)
}

/**
 * Trains a light detector to find what a teacher finds, and writes a run folder. The teacher looks at each
 * picture once. With a run as teacher, the student's run has the teacher's generator, so that it animates; with
 * an ONNX file it tracks.
 *
 * With `what: 'model'`, the whole model is trained, with a light generator of its own: the teacher drives pairs of frames,
 * and the student is held to its pictures and motion, and to the true frames.
 *
 * @param clips paths of videos or pictures, puppets (`puppet:7`) or heads (`head:7`); no labels are needed
 * @throws InputError for options, a teacher or clips that cannot be used, before anything is written;
 * TrainingError if numbers stop being finite; EnvironmentError if the device or the disk fails.
 */
export async function distil(clips: string | readonly string[], options: DistilOptions): Promise<TrainedRun> {
  const { teacher: path, device, cache } = options
  const teacher = await openDetector(path, { details: true, ...(device && { device }) })
  let driver: PairTeacher | undefined
  try {
    const run = await generatorOf(path)
    const specs = typeof clips === 'string' ? [clips] : clips
    const config = resolveDistil(specs, teacher, run, options)
    const { what } = config.distillation
    return await trainRun({
      config,
      options,
      clips: { pictures: what === 'detector', leastFrames: leastFrames(what) },
      open: (config) =>
        beginRun({
          config,
          options,
          schema: distilConfigSchema,
          reads: { init: config.training.init, teacher: path },
        }),
      async read(own) {
        if (own.distillation.what === 'model') driver ??= await PairTeacher.open(path, device)
        return labelsFor(teacher, own, run)
      },
      step: (own, batch) => distilStepOf(own, labelsFor(teacher, own, run), batch),
      prepare: (own, { layout, grids, pair }, opened, hooks) =>
        labelledPool(opened, {
          ...{ config: own, teacher, layout, grids, keepIn: cache, ...hooks },
          pairs: driver && pair && { teacher: driver, layout: pair },
        }),
      task: (own, { pair }, pool, how) =>
        distilTask(own, pool, (pair === undefined && run?.weights) || new Map(), how),
    })
  } finally {
    await teacher.close()
    await driver?.close()
  }
}

/** A teacher's model besides its detector, if it is a run that has one. */
async function generatorOf(teacher: string): Promise<TaughtBy | undefined> {
  if (teacher.toLowerCase().endsWith('.onnx')) return undefined
  const { config, weights } = await loadRun(teacher)
  const kept = Array.from(weights).filter(([name]) => name.startsWith('generator.'))
  return { config, weights: new Map<string, Tensor>(kept) }
}

/** What is kept of a teacher's results, and on which grids. @throws InputError if it lacks what a loss needs. */
function labelsFor(
  teacher: KeypointDetector,
  { model, distillation }: DistilConfig,
  run: TaughtBy | undefined,
) {
  const { outputs } = detectorGraph(model, { details: true })
  const grid = (name: string) => outputs.get(name)!.shape.slice(2) as [number, number]
  const grids: StudentGrids = { heatmap: grid('heatmap'), features: grid('predictor') }
  const pair = distillation.what === 'model' && run !== undefined ? pairLayout(run.config, model) : undefined
  return { grids, layout: labelLayout(teacher, distillation.losses, grids), pair }
}
