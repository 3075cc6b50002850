import { openClips } from '../../clips/source.ts'
import type { Tensor } from '../../graph/tensor.ts'
import type { Clip } from '../../media/clip.ts'
import type { KeypointDetector } from '../../model/keypoint-detector.ts'
import { loadRun } from '../../model/load-run.ts'
import { openDetector } from '../../model/open-detector.ts'
import { detectorGraph } from '../../motion/model.ts'
import type { Run } from '../../run/run.ts'
import { sessionsOn } from '../../runtime/node.ts'
import { folderStore } from '../folder-store.ts'
import { assertUsable } from '../frame-cache.ts'
import { settingsHere } from '../run-options.ts'
import { sit, type TrainedRun } from '../sitting.ts'
import { readStart } from '../start.ts'
import { stepsOn } from '../step-session.ts'
import { beginDistil, type DistilOptions, resolveDistil } from './begin.ts'
import type { DistilConfig } from './config.ts'
import { labelLayout, type StudentGrids } from './labels.ts'
import type { Pool } from './pool.ts'
import { labelledPool, leastFrames } from './pool-store.ts'
import { distilTask } from './task.ts'

export type { DistilOptions } from './begin.ts'

/**
 * Trains a light detector to find what a teacher finds, and writes a run folder. The teacher looks at each
 * picture once. With a run as teacher, the student's run has the teacher's generator, so that it animates; with
 * an ONNX file it tracks.
 *
 * @param clips paths of videos or pictures, or puppet specs (`puppet:7`); no labels are needed
 * @throws InputError for options, a teacher or clips that cannot be used, before anything is written;
 * TrainingError where numbers stop being finite; EnvironmentError where the device or the disk fails.
 */
export async function distil(clips: string | readonly string[], options: DistilOptions): Promise<TrainedRun> {
  const specs = typeof clips === 'string' ? [clips] : clips
  const teacher = await openDetector(options.teacher, {
    details: true,
    ...(options.device && { device: options.device }),
  })
  let opened: Clip[] = []
  let run: Run<DistilConfig> | undefined
  let pool: Pool | undefined
  try {
    const generator = await generatorOf(options.teacher)
    const asked = resolveDistil(specs, teacher, generator?.config, options)
    opened = await openClips(specs, { pictures: true })
    const { size } = asked.model
    assertUsable(opened, { size, holdout: asked.training.holdout, leastFrames })
    // What cannot be used is refused before the folder is made; a run that goes on is as it was begun.
    if (!options.resume) {
      labelsFor(teacher, asked)
      await readStart(asked)
    }
    run = await beginDistil(asked, options)
    const { config } = run
    const { layout, grids } = labelsFor(teacher, config)
    pool = await labelledPool(opened, {
      ...{ config, teacher, layout, grids },
      ...(options.cache !== undefined && { keepIn: options.cache }),
      ...(options.signal && { signal: options.signal }),
      onProgress: (phase, done, total) => options.onProgress?.({ phase, done, total }),
    })
    const training = settingsHere(config.training, options)
    const openSession = sessionsOn(training.device)
    const task = await distilTask(config, pool, generator?.weights ?? new Map(), openSession)
    try {
      const start = (await run.hasCheckpoint()) ? undefined : await readStart(config)
      return await sit(folderStore(run), {
        ...{ task, start, settings: training },
        openStep: stepsOn(training),
        ...(options.signal && { signal: options.signal }),
        ...(options.onProgress && { onProgress: options.onProgress }),
      })
    } finally {
      await task.close()
    }
  } catch (error) {
    // Stopped before training: nothing is lost, and the run can be resumed from its beginning.
    if (run === undefined || pool !== undefined || !options.signal?.aborted) throw error
    return { path: run.path, steps: 0, seconds: 0, loss: Number.NaN, device: 'none yet', interrupted: true }
  } finally {
    pool?.close()
    run?.close()
    await Promise.all([teacher.close(), ...opened.map((clip) => clip.close())])
  }
}

/** A teacher's model besides its detector, where it is a run that has one. */
async function generatorOf(teacher: string) {
  if (teacher.toLowerCase().endsWith('.onnx')) return undefined
  const { config, weights } = await loadRun(teacher)
  const kept = Array.from(weights).filter(([name]) => name.startsWith('generator.'))
  return { config, weights: new Map<string, Tensor>(kept) }
}

/** What is kept of a teacher's results, and on which grids. @throws InputError where it lacks what a loss needs. */
function labelsFor(teacher: KeypointDetector, { model, distillation }: DistilConfig) {
  const { outputs } = detectorGraph(model, { details: true })
  const grid = (name: string) => outputs.get(name)!.shape.slice(2) as [number, number]
  const grids: StudentGrids = { heatmap: grid('heatmap'), features: grid('predictor') }
  return { grids, layout: labelLayout(teacher, distillation.losses, grids) }
}
