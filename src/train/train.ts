import { openClips } from '../clips/source.ts'
import { readWhole } from '../files/read-whole.ts'
import type { Run } from '../run/run.ts'
import { requireDevice, sessionsOn } from '../runtime/node.ts'
import { beginRun, withFinetuned } from './begin.ts'
import type { RunConfig, TrainingConfig } from './config.ts'
import { folderStore } from './folder-store.ts'
import { assertUsable, cacheClips, type FrameCache } from './frame-cache.ts'
import { type PerceptualLoss, perceptualLoss } from './perceptual.ts'
import { reconstructionTask } from './reconstruction-task.ts'
import { RecordFile } from './record-file.ts'
import { resolveConfig, type TrainOptions } from './resolve.ts'
import { settingsHere } from './run-options.ts'
import { sit, type TrainedRun } from './sitting.ts'
import { readStart } from './start.ts'
import { stepsOn } from './step-session.ts'

export type { TrainOptions } from './resolve.ts'
export type { TrainProgress } from './run-options.ts'
export type { TrainedRun } from './sitting.ts'

/**
 * Trains a motion model without labels on clips, and writes a run folder.
 *
 * @param clips paths of videos, or puppet specs (`puppet:7`).
 * @throws InputError for options or clips that cannot be used, before anything is written; TrainingError
 * where numbers stop being finite; EnvironmentError where the device or the disk fails.
 */
export async function train(clips: string | readonly string[], given: TrainOptions): Promise<TrainedRun> {
  const options = await withFinetuned(given)
  const specs = typeof clips === 'string' ? [clips] : clips
  const config = resolveConfig(specs, options)
  const opened = await openClips(specs)
  let run: Run<RunConfig> | undefined
  let cache: FrameCache | undefined
  try {
    assertUsable(opened, { size: config.model.size, holdout: config.training.holdout })
    if (!options.resume) await readStart(config)
    // Read here too, so that a file that cannot be used is refused before the run folder is made.
    await readPerceptual(config.training)
    await requireDevice(config.training.device)
    run = await beginRun(config, options)
    const { model, training } = run.config
    cache = await cacheClips(opened, {
      size: model.size,
      fit: training.fit,
      holdout: training.holdout,
      records: RecordFile.temporary,
      ...(options.signal && { signal: options.signal }),
      onFrame: (done, total) => options.onProgress?.({ phase: 'decode', done, total }),
    })
    return await trainOn(run, cache, options)
  } catch (error) {
    // Stopped while frames were decoded: nothing is lost, and the run can be resumed from its beginning.
    if (run === undefined || cache !== undefined || !options.signal?.aborted) throw error
    return { path: run.path, steps: 0, seconds: 0, loss: Number.NaN, device: 'none yet', interrupted: true }
  } finally {
    cache?.close()
    run?.close()
    await Promise.all(opened.map((clip) => clip.close()))
  }
}

async function trainOn(run: Run<RunConfig>, cache: FrameCache, options: TrainOptions): Promise<TrainedRun> {
  const training = settingsHere(run.config.training, options)
  const perceptual = await readPerceptual(training)
  const task = await reconstructionTask(run.config, cache, sessionsOn(training.device), perceptual)
  try {
    const start = (await run.hasCheckpoint()) ? undefined : await readStart(run.config)
    const { signal, onProgress } = options
    return await sit(folderStore(run), {
      ...{ task, start, settings: training },
      openStep: stepsOn(training),
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    })
  } finally {
    await task.close()
  }
}

/** VGG-19 has 80 MB of features. */
const mostPerceptualBytes = 1 << 30

/** The perceptual network that a run names. @throws InputError, FormatError for a file that cannot be used. */
async function readPerceptual({ perceptual, scales }: TrainingConfig): Promise<PerceptualLoss | undefined> {
  if (perceptual === undefined) return undefined
  const bytes = await readWhole(perceptual, 'an ONNX model', mostPerceptualBytes)
  return perceptualLoss(bytes, perceptual, scales)
}
