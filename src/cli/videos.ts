// Folders of videos for `track` and `animate`: which commands mean a folder, its work, and the table at the end.
import { stat } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { formatCount, formatSeconds, table } from '../report/format.ts'
import { InputError } from '../util/errors.ts'
import { defined } from '../util/options.ts'
import type { VideoRow, VideoSettings } from '../work/videos.ts'
import { type Context, printableCell, type Reporter } from './context.ts'
import { type MachineFlags, openWorkforce, wholePath } from './machines.ts'
import { type CropFlags, type DeviceName, wholeNumber } from './options.ts'

/** The flags that hold for folders alone. */
export interface FolderFlags extends MachineFlags {
  readonly out: string
  readonly jobs?: number
}

/** `--jobs`, for folders. */
export const jobsOption = () =>
  [
    '--jobs <n>',
    'videos of a folder at a time, each on its share of the cores (default: 1)',
    wholeNumber('--jobs', { min: 1, max: 256 }),
  ] as const

/** The settings that both commands have. */
export const commonSettings = ({
  smooth,
  fit,
  crop,
  face,
  device,
}: CropFlags & { readonly smooth?: true; readonly device?: DeviceName }) =>
  defined({ smooth, fit, crop, face, device })

/**
 * The videos of a folder; undefined if the name is one clip: a file, a puppet, or a folder of numbered pictures.
 *
 * @throws InputError for a folder without videos, and for flags that hold for folders alone.
 */
export async function videosIn(named: string, flags: FolderFlags): Promise<readonly string[] | undefined> {
  const isFolder = await stat(named).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isFolder) {
    const { listClips } = await import('../clips/source.ts')
    const videos = await listClips([named])
    if (videos.length !== 1 || resolve(videos[0]!) !== resolve(named)) return videos
  }
  const names = ['jobs', 'queue', 'store', 'emit', 'format'] as const
  const given: Readonly<Record<string, unknown>> = { ...flags }
  const one = names.find((name) => given[name] !== undefined)
  if (one === undefined) return undefined
  throw new InputError({
    what: 'this option is for folders of videos',
    where: `--${one}`,
    got: named,
    expected: 'a folder with videos',
    remedy: 'leave it out',
  })
}

export interface FolderWork {
  readonly settings: VideoSettings
  readonly from: string
  readonly videos: readonly string[]
  readonly overlay?: string | undefined
}

/** The work with whole paths: a job of a cluster, and who gathers its results, may be in another folder. */
async function withWholePaths({ settings, from, videos, overlay }: FolderWork): Promise<FolderWork> {
  const run = await wholePath(settings.run)
  return {
    settings:
      settings.work === 'animate'
        ? { ...settings, run, source: await wholePath(settings.source) }
        : { ...settings, run },
    from: resolve(from),
    videos: videos.map((video) => resolve(video)),
    ...(overlay !== undefined && { overlay: resolve(overlay) }),
  }
}

/** Does the work for all videos, or files it for a cluster, and prints the table. */
export async function runFolder(
  { reporter, signal }: Context,
  work: FolderWork,
  flags: FolderFlags,
): Promise<void> {
  const { processVideos } = await import('../work/videos.ts')
  const { threadsFor } = await import('../work/task.ts')
  const { out, jobs, force: replace } = flags
  const { settings, from, videos, overlay } = await withWholePaths(work)
  await reporter.prepare()
  const force = await openWorkforce(reporter, flags, out)
  const threads = threadsFor(jobs ?? 1)
  const rows = await processVideos({
    ...{ settings, from, videos, out, signal },
    ...defined({ overlay, jobs, threads, force: replace, runner: force.runner }),
    onProgress: ({ done, total, part }) =>
      reporter.progress({
        ...{ phase: settings.work, done, total, unit: 'videos', progress: (done + part) / total },
        ...defined({ now: force.remote?.now() }),
      }),
  }).finally(() => force.close())
  if (force.emit === undefined || signal.aborted) {
    return reportVideos(reporter, rows, { out, from: work.from, interrupted: signal.aborted })
  }
  const { job, tasks, text } = await force.emit({ from, videos: [...videos], ...defined({ overlay }) })
  reporter.result({ out: resolve(out), job, tasks }, () => text)
}

/** Prints what became of each video. */
export function reportVideos(
  reporter: Reporter,
  rows: readonly VideoRow[],
  { out, from, interrupted }: { readonly out: string; readonly from: string; readonly interrupted: boolean },
): void {
  const count = (status: VideoRow['status']) => rows.filter((row) => row.status === status).length
  const [done, failed, waiting] = [count('done'), count('failed'), count('waiting')]
  const value = { out: resolve(out), from, done, failed, waiting, interrupted, videos: rows }
  reporter.result(value, () => {
    const lines = rows
      .filter(({ status }) => status !== 'waiting')
      .map((row) => [
        row.video,
        row.status,
        row.frames === undefined ? '' : formatCount(row.frames),
        row.seconds === undefined ? '' : row.seconds.toFixed(1),
        row.out === undefined
          ? (row.notes[0]?.split('\n').join('; ') ?? '')
          : relative(process.cwd(), row.out),
      ])
      .map((cells) => cells.map(printableCell))
    const seconds = rows.reduce((sum, row) => sum + (row.seconds ?? 0), 0)
    const frames = rows.reduce((sum, row) => sum + (row.frames ?? 0), 0)
    const end = [
      `${formatCount(done)} videos done, ${formatCount(frames)} frames, ${formatSeconds(seconds)} of work`,
      failed === 0
        ? ''
        : `${formatCount(failed)} failed; after a change of a video the same command tries it again`,
      waiting === 0 ? '' : `${formatCount(waiting)} are yet to be done: the same command goes on`,
    ]
    return [
      table(lines, ['video', 'status', 'frames', 'seconds', 'file, or why']),
      '',
      ...end.filter(Boolean),
    ].join('\n')
  })
  // Scripts have to know that some videos have no result.
  if (failed > 0 || (waiting > 0 && !interrupted)) process.exitCode = 1
}
