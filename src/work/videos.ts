// Folders of videos: keypoints are tracked in each video, or a picture is moved by each. One bad video does not stop the
// others, and the same call goes on where it was stopped. Each video is a task, whose child process has this main file.
import { copyFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, extname, join, relative, resolve } from 'node:path'
import { z } from 'zod'
import { animate } from '../animate/animate.ts'
import { writeTrack } from '../animate/track.ts'
import { createOutput, writeFileAtomic } from '../files/atomic.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import { exists, makeFolder } from '../files/folders.ts'
import { readWhole } from '../files/read.ts'
import { hashDetector, openModel } from '../model/open-model.ts'
import { settingsOptions } from '../train/options.ts'
import type { Hooks } from '../util/child-process.ts'
import { InputError, messageOf, PantinError } from '../util/errors.ts'
import { schemaOf } from '../util/option-schema.ts'
import { defined } from '../util/options.ts'
import { openPlanned, type PlanKind, readPlan } from './plan-folder.ts'
import { childWork, inLanes, type Kind, localRunner, type Place, pathAt, type Runner } from './task.ts'

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
    // The run and the picture were opened before: what cannot be used is the video.
    if (!(error instanceof InputError) || signal?.aborted) throw error
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
})
type VideosPlan = z.infer<typeof planSchema>

const kind = (command: VideoSettings['work']): PlanKind<VideosPlan> => ({
  ...{ file: 'videos.json', noun: 'folder of results', command, schema: planSchema, parts: [recordsFolder] },
  facts: ({ settings, model }) => ({ ...settings, 'content of the run': model }),
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

/** The earlier result of a video, and the content that the video had. */
const recordSchema = z.object({
  bytes: z.number(),
  modified: z.number(),
  result: resultSchema,
})

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
  // A run that cannot be used would be the reason of every video.
  await (
    await openModel(settings.run, settings.device === undefined ? {} : { device: settings.device })
  ).close()
  const plan = { format: 1, settings, model: await hashDetector(settings.run) } as const
  const { folder, lock } = await openPlanned(kind(settings.work), out, plan, { force })
  try {
    const rows = new Map<string, VideoRow>()
    const names = outputNames(videos, from, settings)
    const parts = new Map<string, number>()
    const tell = () => {
      const part = [...parts.values()].reduce((sum, one) => sum + one, 0)
      onProgress?.({ done: rows.size, total: videos.length, part })
    }
    const perform = async (video: string): Promise<void> => {
      const name = names.get(video)!
      const target = join(folder, name)
      const overlay =
        options.overlay === undefined ? undefined : join(resolve(options.overlay), withEnding(name, '.mp4'))
      const record = join(folder, recordsFolder, `${name}.json`)
      const stamp = await stampOf(video)
      const before = await readRecord(record)
      const isSame = before?.bytes === stamp.bytes && before.modified === stamp.modified
      if (before !== undefined && isSame && (before.result.status === 'failed' || (await exists(target)))) {
        rows.set(video, rowOf(relative(from, video), target, before.result))
        return tell()
      }
      const own = join(folder, workFolder, name)
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
      if (result === undefined) {
        await rm(own, { recursive: true, force: true })
        if (signal?.aborted) return
        const why =
          problem instanceof PantinError ? problem.message : messageOf(problem ?? 'it ended without a result')
        rows.set(video, { ...rowOf(relative(from, video), target, { status: 'failed', reason: why }) })
        return tell()
      }
      if (result.status === 'done') {
        await makeFolder(dirname(target))
        if (overlay !== undefined) {
          await makeFolder(dirname(overlay))
          await move(join(own, overlayFile), overlay)
        }
        await move(join(own, outFile(settings)), target)
      }
      await makeFolder(dirname(record))
      await writeFileAtomic(record, JSON.stringify({ ...stamp, result }))
      await rm(own, { recursive: true, force: true })
      rows.set(video, rowOf(relative(from, video), target, result))
      tell()
    }
    await inLanes(videos, runner.lanes, perform, signal)
    await rm(join(folder, workFolder), { recursive: true, force: true })
    return videos.map((video) => rows.get(video) ?? waitingRow(relative(from, video)))
  } finally {
    lock.release()
  }
}

/** Moves a file, also to another disk. It appears whole. */
async function move(from: string, to: string): Promise<void> {
  await rename(from, to).catch(async (error: unknown) => {
    if (codeOf(error) !== 'EXDEV') throw fileError(error, to, 'written')
    const output = await createOutput(to, { overwrite: true })
    try {
      await copyFile(from, output.temporary)
      await output.commit()
    } finally {
      await output.abort()
    }
  })
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

/** Names of the files to write, by videos: those of the videos with another ending. No two are the same. */
function outputNames(videos: readonly string[], from: string, settings: VideoSettings): Map<string, string> {
  const ending = extname(outFile(settings))
  const names = videos.map((video) => relative(from, video))
  const stems = new Map<string, number>()
  for (const name of names) {
    const stem = withEnding(name, '').toLowerCase()
    stems.set(stem, (stems.get(stem) ?? 0) + 1)
  }
  return new Map(
    videos.map((video, i) => {
      const name = names[i]!
      const isAlone = stems.get(withEnding(name, '').toLowerCase()) === 1
      return [video, isAlone ? withEnding(name, ending) : `${name}${ending}`]
    }),
  )
}

const withEnding = (name: string, ending: string): string =>
  name.slice(0, name.length - extname(name).length) + ending

async function stampOf(video: string): Promise<{ readonly bytes: number; readonly modified: number }> {
  const found = await stat(video).catch(() => undefined)
  return { bytes: found?.size ?? -1, modified: found?.mtimeMs ?? -1 }
}

async function readRecord(path: string): Promise<z.infer<typeof recordSchema> | undefined> {
  return readParsed(path, recordSchema)
}

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
