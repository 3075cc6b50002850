// A run in the browser's storage, made ready for training: from clips, or from what an earlier training kept.
import { z } from 'zod'
import { decodeSafetensors } from '../../formats/safetensors/bytes.ts'
import type { Tensor } from '../../graph/tensor.ts'
import type { Clip } from '../../media/clip.ts'
import { configText, parseConfig } from '../../run/config.ts'
import { checkpointFile, configFile, environmentFile, metricsFile, weightsFile } from '../../run/run-files.ts'
import {
  assertKeepsModel,
  finetuning,
  type RunConfig,
  resolveConfig,
  runConfigSchema,
} from '../../train/config.ts'
import { assertUsable, cacheClips, FrameCache, noticesOf } from '../../train/frames.ts'
import { labelBytes, MotionLabels } from '../../train/motion-labels.ts'
import { pageOptions } from '../../train/options.ts'
import { assertVaried, labelSide } from '../../train/reconstruction/task.ts'
import { InputError, messageOf } from '../../util/errors.ts'
import { version } from '../../util/version.ts'
import type { SentPlace } from '../connection.ts'
import { StoredFolder } from '../storage.ts'
import { absent, framesFile, framesIndex, labelsFile, startFile, taken } from '../stored-runs.ts'
import type { SentSettings } from '../trainer.ts'
import { FrameRecords, openClip } from './clip.ts'
import { tell, webFaces } from './device.ts'
import { readRun } from './model.ts'
import { TrainingStore } from './training-store.ts'

/** A run that is ready to be trained. */
export interface TrainingRun {
  readonly config: RunConfig
  readonly cache: FrameCache
  readonly store: TrainingStore
  /** Weights to begin with, as long as there is no checkpoint. */
  readonly start: ReadonlyMap<string, Tensor> | undefined
}

/**
 * Makes a run in the browser's storage: its frames first, and config.json last, which makes the folder a run.
 *
 * @throws InputError for settings or clips that cannot be used, or a name that is taken.
 */
export async function beginRun(request: {
  name: string
  clips: readonly (Blob | string)[]
  settings: SentSettings
  place: SentPlace
}): Promise<TrainingRun> {
  const { name, clips, place } = request
  if (clips.length === 0) throw new InputError({ what: 'there is no clip to train on', remedy: 'give one' })
  if ((await (await StoredFolder.ofRun(name))?.read(configFile)) !== undefined) throw taken(name)
  const { from, ...settings } = request.settings
  if (from !== undefined) assertKeepsModel(settings)
  const begun = from && (await readRun(from.name, from.files))
  const config = resolveConfig(clips.map(nameOf), {
    ...{ out: name, crop: 'motion' },
    checkpointSeconds: pageOptions.checkpointSeconds.default,
    previewSeconds: pageOptions.previewSeconds.default,
    ...(begun ? finetuning(settings, begun.config) : settings),
    ...(begun && { model: begun.config, init: begun.path }),
    device: place.device ?? 'auto',
  })
  const opened: Clip[] = []
  try {
    for (const clip of clips) opened.push(await openClip(clip, place.assets))
    assertUsable(opened, { holdout: config.training.holdout })
    const folder = (await StoredFolder.ofRun(name, { create: true }))!
    // Files of a page that ended before its folder was a run.
    for (const path of [checkpointFile, weightsFile, metricsFile, startFile]) await folder.remove(path)
    const store = new TrainingStore(folder)
    if (from !== undefined) await store.write(startFile, [from.files.get(weightsFile)!])
    const cache = await decode(opened, config, place, folder, store)
    const text = (value: object) => `${JSON.stringify(value, null, 2)}\n`
    await store.write(environmentFile, [text(environment())])
    await store.write(configFile, [configText(name, version, config)])
    return { config, cache, store, start: begun?.weights }
  } finally {
    await Promise.all(opened.map((clip) => clip.close()))
  }
}

/** Opens a stored run to train it further. @throws InputError if there is none, it is finished, or its frames are not kept. */
export async function reopenRun(name: string): Promise<TrainingRun> {
  const folder = (await StoredFolder.ofRun(name)) ?? absent(name)
  const file = (await folder.read(configFile)) ?? absent(name)
  const { config } = parseConfig(await file.text(), `${name}/${configFile}`, runConfigSchema)
  const { size } = config.model
  const index = await readIndex(folder)
  if (index === undefined || index.size !== size) {
    throw new InputError({
      what: 'this run cannot be trained further here: its frames are not kept',
      where: name,
      remedy: 'animate with it as it is, or go on where it was begun: pantin train --resume',
    })
  }
  const store = new TrainingStore(folder)
  await assertUnfinished(store, config)
  const count = index.clips.reduce((sum, clip) => sum + clip.count, 0)
  const records = await FrameRecords.open(folder, framesFile, { length: size * size * 3, count })
  const labels = index.labels && (await reopenLabels(folder, index.labels))
  const cache = new FrameCache(size, records, index.clips, labels)
  return { config, cache, store, start: await readStart(folder, config) }
}

async function readStart(folder: StoredFolder, { training }: RunConfig) {
  const file = training.init === undefined ? undefined : await folder.read(startFile)
  if (file === undefined) return undefined
  const bytes = new Uint8Array(await file.arrayBuffer())
  return (await decodeSafetensors(bytes, `${folder.name}/${startFile}`)).tensors
}

async function reopenLabels(folder: StoredFolder, { side, count }: { side: number; count: number }) {
  const records = await FrameRecords.open(folder, labelsFile, { length: labelBytes(side), count })
  return new MotionLabels(side, () => records)
}

async function decode(
  clips: readonly Clip[],
  config: RunConfig,
  place: SentPlace,
  folder: StoredFolder,
  store: TrainingStore,
): Promise<FrameCache> {
  const { size } = config.model
  const { fit, crop, face, holdout } = config.training
  assertVaried(config)
  const side = labelSide(clips, config)
  await folder.remove(framesIndex)
  const onFull = () => store.lackFrames()
  const frames = await FrameRecords.open(folder, framesFile, { length: size * size * 3, onFull })
  const labels =
    side === undefined
      ? undefined
      : await FrameRecords.open(folder, labelsFile, { length: labelBytes(side), onFull })
  const cache = await cacheClips(clips, {
    ...{ size, fit, crop, face, holdout, labels: side },
    records: (_, of) => (of === 'labels' ? labels! : frames),
    faces: () => webFaces(place),
    onFrame: (done, total) => tell({ kind: 'train', event: { kind: 'decode', done, total } }),
    onFramed: (clip, framing) => tell({ kind: 'train', event: { kind: 'crop', clip, framing } }),
    onStill: (clip) => tell({ kind: 'train', event: { kind: 'still', clip } }),
  })
  for (const message of noticesOf(clips, size)) tell({ kind: 'notice', notice: { kind: 'clip', message } })
  if (frames.isWhole && labels?.isWhole !== false) {
    const index = { size, clips: cache.clips, ...(labels && { labels: { side, count: labels.count } }) }
    await store.write(framesIndex, [JSON.stringify(index)])
  } else {
    // A part of the frames is of no use, and takes the room that checkpoints need.
    await frames.release()
    await labels?.release()
  }
  return cache
}

const indexSchema = z.object({
  size: z.int().positive(),
  clips: z
    .array(
      z.object({
        name: z.string(),
        first: z.int().nonnegative(),
        training: z.int().nonnegative(),
        count: z.int().positive(),
        firstLabel: z.int().nonnegative().optional(),
      }),
    )
    .min(1),
  labels: z.object({ side: z.int().positive(), count: z.int().nonnegative() }).optional(),
})

async function readIndex(folder: StoredFolder): Promise<z.infer<typeof indexSchema> | undefined> {
  const file = await folder.read(framesIndex)
  try {
    return file && indexSchema.parse(JSON.parse(await file.text()))
  } catch (cause) {
    throw new InputError(
      {
        what: 'the kept frames of this run are damaged',
        where: folder.name,
        got: messageOf(cause).slice(0, 200),
        remedy: 'train another run on the clips',
      },
      { cause },
    )
  }
}

async function assertUnfinished(store: TrainingStore, { training }: RunConfig): Promise<void> {
  if (!(await store.hasCheckpoint())) return
  const { step, elapsed } = await store.loadCheckpoint()
  const { steps, minutes } = training
  if (steps !== undefined ? step < steps : elapsed < 60 * minutes!) return
  throw new InputError({
    what: 'this run is finished',
    where: store.path,
    got: `${step} steps`,
    remedy: 'open it to animate or track, or train another run for longer',
  })
}

const nameOf = (clip: Blob | string): string =>
  typeof clip === 'string' ? clip : 'name' in clip && clip.name !== '' ? String(clip.name) : 'recording'

function environment(): object {
  const { userAgent, hardwareConcurrency } = navigator
  return { time: new Date().toISOString(), userAgent, cores: hardwareConcurrency, pantin: version }
}
