// Folders of videos: keypoints are tracked in each video, or a picture is moved by each. One bad video does not stop the
// others, and the same call goes on where it was stopped. Each video is a task, whose child process has this main file.
// One file, because settings, files and records of videos are one format: that of a folder of results.
import { realpath, rm } from 'node:fs/promises'
import { dirname, extname, join, relative, resolve } from 'node:path'
import { z } from 'zod'
import { animate } from '../animate/animate.ts'
import { writeTrack } from '../animate/track.ts'
import { formatCrop } from '../faces/box.ts'
import { fitSource } from '../faces/node.ts'
import { moveFile, writeFileAtomic } from '../files/atomic.ts'
import { fileError, isOfSystem } from '../files/file-errors.ts'
import { exists, isFolder, isIn, makeFolder, outputNames, type Stamp, stampOf } from '../files/folders.ts'
import { readWhole } from '../files/read.ts'
import { noGenerator } from '../model/motion-model.ts'
import { hashDetector, openModel } from '../model/open-model.ts'
import { settingsOptions } from '../train/options.ts'
import type { Hooks } from '../util/child-process.ts'
import { InputError, messageOf, PantinError } from '../util/errors.ts'
import { schemaOf } from '../util/option-schema.ts'
import { defined } from '../util/options.ts'
import { namesOfWhole, openPlanned, type PlanKind, readPlan } from './plan-folder.ts'
import {
  childWork,
  hashFile,
  hashOf,
  inLanes,
  type Kind,
  localRunner,
  type Place,
  pathAt,
  type Runner,
} from './task.ts'

/** What both ways of work have in common. */
const shared = {
  /** The run, as given. */
  run: z.string(),
  smooth: z.boolean().optional(),
  fit: schemaOf(settingsOptions.fit).optional(),
  crop: z.string().optional(),
  face: z.int().positive().optional(),
  device: schemaOf(settingsOptions.device).optional(),
  sound: z.boolean().optional(),
}

const settingsSchema = z.discriminatedUnion('work', [
  z.strictObject({
    work: z.literal('track'),
    ...shared,
    /** Ending of the files with keypoints. */
    format: z.enum(['json', 'csv']),
    /** Whether videos with the keypoints drawn on them are written too. */
    overlay: z.boolean(),
  }),
  z.strictObject({
    work: z.literal('animate'),
    ...shared,
    /** The picture, as given. */
    source: z.string(),
    absolute: z.boolean().optional(),
    reference: z.enum(['best', 'first']).optional(),
    size: z.int().min(16).max(4096).optional(),
    paste: z.boolean().optional(),
    mark: z.boolean().optional(),
  }),
])
/** What is done with each video. */
export type VideoSettings = z.infer<typeof settingsSchema>

const configSchema = z.object({ settings: settingsSchema, video: z.string() })
type VideoConfig = z.infer<typeof configSchema>

const resultSchema = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('done'),
    frames: z.int().nonnegative(),
    seconds: z.number(),
    device: z.string(),
    /** What a user should know about the video. */
    notices: z.array(z.string()),
  }),
  /** It would fail again: the video cannot be read. */
  z.object({ status: z.literal('failed'), reason: z.string() }),
])
type VideoResult = z.infer<typeof resultSchema>

/** Names of files in the folder of a task. */
const resultFile = 'result.json'
const overlayFile = 'overlay.mp4'
const outFile = (settings: VideoSettings): string =>
  settings.work === 'animate' ? 'animation.mp4' : `track.${settings.format}`

/** Does the work for one video in a new process. */
export const videoApart = childWork(import.meta.url, (task: VideoConfig & Place, hooks) =>
  doVideo(task, hooks),
)

/** Videos as tasks. */
export const videoKind: Kind<VideoConfig> = {
  name: 'video',
  schema: configSchema,
  inputs: ({ settings, video }) => [
    settings.run,
    ...(settings.work === 'animate' ? [settings.source] : []),
    video,
  ],
  result: () => resultFile,
  perform: videoApart,
}

async function doVideo(task: VideoConfig & Place, { signal, onProgress }: Hooks): Promise<void> {
  const { settings, folder } = task
  const video = pathAt(task, task.video)
  const run = pathAt(task, settings.run)
  await makeFolder(folder)
  const out = join(folder, outFile(settings))
  const hooks = { overwrite: true, ...(signal && { signal }) }
  const write = async (): Promise<VideoResult> => {
    if (settings.work === 'track') {
      const { work: _, run: __, format: ___, overlay, ...options } = settings
      const made = await writeTrack(run, video, {
        ...defined(options),
        ...hooks,
        out,
        ...(overlay && { overlay: join(folder, overlayFile) }),
        onProgress: (done, total) => onProgress?.(done / total),
      })
      return { status: 'done', ...pick(made) }
    }
    const { work: _, run: __, source, ...options } = settings
    const made = await animate(run, {
      ...defined(options),
      ...hooks,
      ...{ out, source: pathAt(task, source), driving: video },
      onProgress: ({ done, total }) => onProgress?.(total === 0 ? 0 : done / total),
    })
    return { status: 'done', ...pick(made) }
  }
  const result = await write().catch((error: unknown): VideoResult => {
    // The run and the picture were opened before: what cannot be used is the video, unless the system failed.
    if (!(error instanceof InputError) || isOfSystem(error) || signal?.aborted) throw error
    const { what, got } = error.problem
    return { status: 'failed', reason: got === undefined ? what : `${what}: ${got}` }
  })
  await writeFileAtomic(join(folder, resultFile), JSON.stringify(result))
}

const pick = (made: { frames: number; seconds: number; device: string; notices: readonly string[] }) => ({
  frames: made.frames,
  seconds: made.seconds,
  device: made.device,
  notices: [...made.notices],
})

const planSchema = z.object({
  format: z.literal(1),
  settings: settingsSchema,
  /** Hash of the run. */
  model: z.string(),
  /** The folder of the videos. */
  from: z.string().optional(),
  /** Hash of the picture that is moved. */
  picture: z.string().optional(),
})
type VideosPlan = z.infer<typeof planSchema>

const kind = (command: VideoSettings['work']): PlanKind<VideosPlan> => ({
  ...{ file: 'videos.json', noun: 'folder of results', command, schema: planSchema, parts: [recordsFolder] },
  facts: ({ settings, model, from, picture }) => ({
    ...settings,
    'content of the run': model,
    'content of the picture': picture,
    'folder of videos': from,
  }),
  remedy: 'replace it with --force, or choose another folder',
})

/** The plan of a folder of results. @throws InputError if there is none, FormatError if it cannot be read. */
export async function readVideosPlan(folder: string): Promise<VideosPlan> {
  const plan = await readPlan(kind('track'), folder)
  if (plan !== undefined) return plan
  throw new InputError({ what: 'there are no results of videos in this folder', where: folder })
}

/** Folders in the folder of results: how each video ended, and what is under way. */
const [recordsFolder, workFolder] = ['.records', '.work']

/** The earlier result of a video, the content that the video had, and where keypoints were drawn on it. */
const recordSchema = z.object({
  bytes: z.number(),
  modified: z.number(),
  overlay: z.string().optional(),
  result: resultSchema,
})
type VideoRecord = z.infer<typeof recordSchema>

/** A video of a folder, and what became of it. */
export interface VideoRow {
  /** Path of the video, in the folder. */
  readonly video: string
  /** `waiting` if the work was stopped before it. */
  readonly status: 'done' | 'failed' | 'waiting'
  /** Path of the file that was made of it. */
  readonly out: string | undefined
  readonly frames: number | undefined
  /** Of the whole work on this video. */
  readonly seconds: number | undefined
  /** Why it failed, or what a user should know about it. */
  readonly notes: readonly string[]
}

export interface VideosOptions {
  readonly settings: VideoSettings
  /** The folder that was named. */
  readonly from: string
  readonly videos: readonly string[]
  readonly out: string
  /** Folder of the videos with keypoints drawn on them. */
  readonly overlay?: string
  readonly force?: boolean
  /** Videos at a time (default 1), each on its share of the cores. */
  readonly jobs?: number
  readonly threads?: number
  readonly runner?: Runner
  readonly signal?: AbortSignal
  onProgress?(event: { readonly done: number; readonly total: number; readonly part: number }): void
}

/**
 * Does the work for each video of a folder.
 *
 * @returns a row for each video, in the order of the folder
 * @throws InputError if the run, the picture or the folder of results cannot be used; EnvironmentError if the disk fails.
 */
export async function processVideos(options: VideosOptions): Promise<VideoRow[]> {
  const { settings, videos, from, out, force = false, jobs = 1, signal, onProgress } = options
  const { runner = localRunner(jobs), threads } = options
  await assertUsable(settings, signal)
  const picture = settings.work === 'animate' ? await contentOf(settings.source) : undefined
  const model = await hashDetector(settings.run)
  const plan = { format: 1, settings, model, from: resolve(from), ...defined({ picture }) } as const
  const files = filesOf(options, resolve(out))
  await assertNoneReplaced(options, [...files.values()])
  const { folder, lock } = await openPlanned(kind(settings.work), out, plan, { force })
  try {
    const rows = new Map<string, VideoRow>()
    const parts = new Map<string, number>()
    const tell = () => {
      const part = [...parts.values()].reduce((sum, one) => sum + one, 0)
      onProgress?.({ done: rows.size, total: videos.length, part })
    }
    const perform = async (video: string): Promise<void> => {
      const { target, overlay, record, own } = files.get(video)!
      const stamp = await stampOf(video)
      const before = await readRecord(record)
      if (before !== undefined && (await holds(before, stamp, { target, overlay }))) {
        rows.set(video, rowOf(relative(from, video), target, before.result))
        return tell()
      }
      await rm(own, { recursive: true, force: true })
      parts.set(video, 0)
      let problem: unknown
      await runner
        .perform(
          videoKind,
          { settings, video },
          { folder: own, cache: folder, ...(threads !== undefined && { threads }) },
          {
            ...(signal && { signal }),
            onProgress: (part) => {
              parts.set(video, part)
              tell()
            },
          },
        )
        .catch((error: unknown) => {
          problem = error
        })
      parts.delete(video)
      const result = await readResult(join(own, resultFile))
      if (result !== undefined) {
        // A name that is too long for this file, for instance, is no reason to stop before the other videos.
        problem = await keep(result, { ...stamp, ...defined({ overlay }) }, files.get(video)!, settings)
      }
      await rm(own, { recursive: true, force: true })
      if (result !== undefined && problem === undefined) {
        rows.set(video, rowOf(relative(from, video), target, result))
      } else {
        if (signal?.aborted) return
        const reason =
          problem instanceof PantinError ? problem.message : messageOf(problem ?? 'it ended without a result')
        rows.set(video, rowOf(relative(from, video), target, { status: 'failed', reason }))
      }
      tell()
    }
    await inLanes(videos, runner.lanes, perform, signal)
    await rm(join(folder, workFolder), { recursive: true, force: true })
    return videos.map((video) => rows.get(video) ?? waitingRow(relative(from, video)))
  } finally {
    lock.release()
  }
}

/** Refuses a run and a picture that cannot be used: they would be the reason of every video. @throws InputError */
async function assertUsable(settings: VideoSettings, signal: AbortSignal | undefined): Promise<void> {
  const { run, device, fit, crop, face } = settings
  const model = await openModel(run, defined({ device }))
  try {
    if (settings.work !== 'animate') return
    if (!model.hasGenerator) throw noGenerator(model.path)
    await fitSource(settings.source, model.config.size, fit ?? model.fit, {
      ...{ crop: crop ?? formatCrop(model.crop), signal },
      ...defined({ face }),
    })
  } finally {
    await model.close()
  }
}

/** What a picture's name stands for: a hash of the file, or the name of a picture that is made. */
async function contentOf(source: string): Promise<string> {
  if (await isFolder(source)) return hashOf(JSON.stringify(await stampOf(source)))
  return (await exists(source)) ? (await hashFile(source)).hash : source
}

/** The files of a video. */
interface VideoFiles {
  /** What is made of it, and the video with its keypoints. */
  readonly target: string
  readonly overlay: string | undefined
  /** How it ended, and where it is worked on. */
  readonly record: string
  readonly own: string
}

/** The files of all videos, by the videos. */
function filesOf(
  { videos, from, settings, overlay }: VideosOptions,
  folder: string,
): Map<string, VideoFiles> {
  const names = outputNames(videos, from, extname(outFile(settings)), namesOfWhole(kind(settings.work)))
  const overlays = outputNames(videos, from, extname(overlayFile))
  return new Map(
    videos.map((video) => {
      const name = names.get(video)!
      // The name itself may be as long as a name can be.
      const short = hashOf(name)
      return [
        video,
        {
          target: join(folder, name),
          overlay: overlay === undefined ? undefined : join(resolve(overlay), overlays.get(video)!),
          record: join(folder, recordsFolder, `${short}.json`),
          own: join(folder, workFolder, short),
        },
      ]
    }),
  )
}

/**
 * Refuses a folder of overlays that is in the folder of videos, where they would be videos themselves, and files there that
 * this work has not made. @throws InputError
 */
async function assertNoneReplaced(
  { overlay, from, force }: VideosOptions,
  files: readonly VideoFiles[],
): Promise<void> {
  if (overlay === undefined) return
  const folder = resolve(overlay)
  await makeFolder(folder).catch((error: unknown) => {
    throw fileError(error, folder, 'written')
  })
  if (isIn(await realpath(folder), await realpath(from))) {
    throw new InputError({
      what: 'the folder of overlays is in the folder of videos',
      where: folder,
      got: `videos in ${resolve(from)}`,
      remedy: 'choose another folder for --overlay',
    })
  }
  for (const { overlay: target, record } of force ? [] : files) {
    if (!(await exists(target!)) || (await readRecord(record))?.overlay === target) continue
    throw new InputError({
      what: 'a file of this name exists, and is not from this work',
      where: target!,
      remedy: 'replace it with --force, or choose another folder for --overlay',
    })
  }
}

/** Whether an earlier result is still that of the video, and its files are there. */
async function holds(
  { bytes, modified, overlay, result }: VideoRecord,
  stamp: Stamp,
  files: Pick<VideoFiles, 'target' | 'overlay'>,
): Promise<boolean> {
  if (bytes !== stamp.bytes || modified !== stamp.modified) return false
  if (result.status === 'failed') return true
  if (!(await exists(files.target))) return false
  return files.overlay === undefined || (files.overlay === overlay && (await exists(overlay)))
}

/** Moves the files of a result to their places, and records it. @returns an InputError if they cannot have their names */
async function keep(
  result: VideoResult,
  facts: Omit<VideoRecord, 'result'>,
  { target, overlay, record, own }: VideoFiles,
  settings: VideoSettings,
): Promise<InputError | undefined> {
  try {
    if (result.status === 'done') {
      if (overlay !== undefined) await moveFile(join(own, overlayFile), overlay)
      await moveFile(join(own, outFile(settings)), target)
    }
    await makeFolder(dirname(record))
    await writeFileAtomic(record, JSON.stringify({ ...facts, result }))
    return undefined
  } catch (error) {
    if (error instanceof InputError) return error
    throw error
  }
}

function rowOf(video: string, out: string, result: VideoResult): VideoRow {
  if (result.status === 'failed') {
    return { ...waitingRow(video), status: 'failed', notes: [result.reason] }
  }
  const { frames, seconds, notices } = result
  return { video, status: 'done', out, frames, seconds, notes: notices }
}

const waitingRow = (video: string): VideoRow => ({
  ...{ video, status: 'waiting', out: undefined, frames: undefined, seconds: undefined, notes: [] },
})

const readRecord = (path: string): Promise<VideoRecord | undefined> => readParsed(path, recordSchema)
const readResult = (path: string): Promise<VideoResult | undefined> => readParsed(path, resultSchema)

async function readParsed<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  if (!(await exists(path))) return undefined
  const text = (await readWhole(path, 'a result', 1 << 24)).toString('utf8')
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
