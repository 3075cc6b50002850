// train(): a motion model from clips, without labels.
import { nodeFaces } from '../faces/node.ts'
import { readOnnxFile } from '../model/onnx-file.ts'
import { resolveConfig, runConfigSchema, type TrainingConfig, type TrainOptions } from './config.ts'
import { keptFrames } from './kept-frames.ts'
import type { TrainedRun } from './loop.ts'
import { type PerceptualLoss, perceptualLoss } from './reconstruction/perceptual.ts'
import { labelSide, reconstructionTask } from './reconstruction/task.ts'
import { beginRun, withFinetuned } from './setup.ts'
import { trainRun } from './training-run.ts'

export type { TrainOptions } from './config.ts'
export type { TrainEvent } from './events.ts'
export type { TrainedRun } from './loop.ts'

/**
 * Trains a motion model without labels on clips, and writes a run folder.
 *
 * @param clips paths of videos, or puppet specs (`puppet:7`).
 * @throws InputError for options or clips that cannot be used, before anything is written; TrainingError
 * if numbers stop being finite; EnvironmentError if the device or the disk fails.
 */
export async function train(clips: string | readonly string[], given: TrainOptions): Promise<TrainedRun> {
  const options = await withFinetuned(given)
  const config = resolveConfig(typeof clips === 'string' ? [clips] : clips, options)
  return trainRun({
    config,
    options,
    // Motion needs two frames.
    clips: { pictures: false, leastFrames: 2 },
    open: () => beginRun({ config, options, schema: runConfigSchema, reads: { init: config.training.init } }),
    read: ({ training }) => readPerceptual(training),
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
    task: (own, perceptual, cache, openSession) => reconstructionTask(own, cache, openSession, perceptual),
  })
}

/** The perceptual network that a run names. @throws InputError, FormatError for a file that cannot be used. */
async function readPerceptual({ perceptual, scales }: TrainingConfig): Promise<PerceptualLoss | undefined> {
  if (perceptual === undefined) return undefined
  const bytes = await readOnnxFile(perceptual)
  return perceptualLoss(bytes, perceptual, scales)
}
