// One training run from its clips to its end: the skeleton that train() and distil() share.
import { openClips } from '../clips/source.ts'
import type { ClipSquare } from '../faces/framing.ts'
import type { Clip } from '../media/clip.ts'
import { writePicture } from '../media/picture.ts'
import type { Run } from '../run/run.ts'
import { requireDevice, sessionsOn } from '../runtime/node.ts'
import type { OpenSession } from '../runtime/session.ts'
import type { RunOptions, Settings } from './config.ts'
import type { CropEvent, PrepareEvent, StillEvent, TrainEvent } from './events.ts'
import { assertUsable } from './frames.ts'
import { type TrainedRun, trainTask } from './loop.ts'
import { type AnyConfig, readStart, settingsHere } from './setup.ts'
import { stepsOn } from './step-session.ts'
import type { RunStore, Task } from './task.ts'

/** What one way of training does at each stage of a run. `I` is what it reads, `D` the data that it trains on. */
export interface TrainingRun<C extends AnyConfig, I, D extends { close(): void }> {
  /** As it was asked for. A run that is resumed has its own. */
  readonly config: C
  readonly options: RunOptions & Partial<Pick<Settings, 'device' | 'threads'>>
  /** Whether a clip may be a single picture, and the frames to train on that each clip has to have. */
  readonly clips: { readonly pictures: boolean; readonly leastFrames: number }
  /** Makes the run folder, or opens it to resume the run. */
  open(): Promise<Run<C>>
  /**
   * Reads what the configuration names besides clips and starting weights. For a new run this is done before its folder
   * is made, so that nothing is written if a file cannot be used.
   */
  read(config: C): I | Promise<I>
  /** Makes the data of the clips. */
  prepare(config: C, read: I, clips: readonly Clip[], hooks: PrepareHooks): Promise<D>
  /** @param openSession opens the session that makes previews */
  task(config: C, read: I, data: D, openSession: OpenSession): Promise<Task>
}

/** How the preparation of data is stopped and followed. */
export interface PrepareHooks {
  readonly signal: AbortSignal | undefined
  onEvent(event: PrepareEvent | CropEvent | StillEvent): void
}

/**
 * Trains a run, new or resumed, and closes all that was opened for it.
 *
 * @throws InputError for clips or files that cannot be used, before anything is written; TrainingError if numbers stop
 * being finite; EnvironmentError if the device or the disk fails.
 */
export async function trainRun<C extends AnyConfig, I, D extends { close(): void }>(
  way: TrainingRun<C, I, D>,
): Promise<TrainedRun> {
  const { config: asked, options } = way
  const { signal, onEvent = () => {} } = options
  const { pictures, leastFrames } = way.clips
  const opened = await openClips(asked.training.clips, { pictures })
  let run: Run<C> | undefined
  let data: D | undefined
  try {
    const { holdout, device } = asked.training
    assertUsable(opened, { size: asked.model.size, holdout, leastFrames })
    const before = options.resume ? undefined : await readAll(way, asked)
    await requireDevice(device)
    run = await way.open()
    const { config } = run
    const read = before === undefined ? await way.read(config) : before.read
    const squares: ClipSquare[] = []
    const still: string[] = []
    data = await way.prepare(config, read, opened, {
      signal,
      onEvent: (event) => {
        if (event.kind === 'still') still.push(`${event.clip}: nothing moves in this clip`)
        if (event.kind === 'crop') squares.push({ clip: event.clip, ...event.framing })
        onEvent(event)
      },
    })
    const settings = settingsHere(config.training, options)
    const task = await way.task(config, read, data, sessionsOn(settings.device))
    try {
      const start = before?.start ?? ((await run.hasCheckpoint()) ? undefined : await readStart(config))
      const trained = await trainTask(folderStore(run, onEvent), {
        ...{ task, settings, start, signal },
        openStep: stepsOn(settings),
        onStep: onEvent,
      })
      onEvent({ kind: trained.interrupted ? 'paused' : 'finished', step: trained.steps })
      return { ...trained, squares, notices: [...noticesOf(opened), ...still] }
    } finally {
      await task.close()
    }
  } catch (error) {
    // Stopped before training: nothing is lost, and the run can be resumed from its beginning.
    if (run === undefined || data !== undefined || !signal?.aborted) throw error
    return {
      path: run.path,
      steps: 0,
      seconds: 0,
      loss: Number.NaN,
      device: 'none yet',
      interrupted: true,
      squares: [],
      notices: noticesOf(opened),
    }
  } finally {
    data?.close()
    run?.close()
    await Promise.all(opened.map((clip) => clip.close()))
  }
}

const noticesOf = (clips: readonly Clip[]) =>
  clips.flatMap(({ name, notices = [] }) => notices.map((notice) => `${name}: ${notice}`))

/** All files that a new run begins with. */
async function readAll<C extends AnyConfig, I, D extends { close(): void }>(
  way: TrainingRun<C, I, D>,
  config: C,
) {
  return { read: await way.read(config), start: await readStart(config) }
}

/** A run folder as the place that keeps a run. `onEvent` is told what was saved. */
function folderStore(run: Run, onEvent: (event: TrainEvent) => void): RunStore {
  return {
    path: run.path,
    hasCheckpoint: () => run.hasCheckpoint(),
    loadCheckpoint: () => run.loadCheckpoint(),
    saveCheckpoint: (checkpoint) => run.saveCheckpoint(checkpoint),
    async saveWeights(tensors, step) {
      await run.saveWeights(tensors, new Map([['step', String(step)]]))
      onEvent({ kind: 'saved', step, inMemory: false })
    },
    appendMetrics: (record) => run.appendMetrics(record),
    truncateMetrics: (step) => run.truncateMetrics(step),
    async savePreview(step, picture, measures) {
      await writePicture(run.previewPath(step), picture)
      onEvent({ kind: 'preview', step, picture, measures })
    },
  }
}
