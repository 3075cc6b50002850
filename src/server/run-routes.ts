// The addresses under `api/runs`: the list of runs, one run, its metrics and files, and saving. Runs have names in
// addresses, which the list gives them.

import { createHash } from 'node:crypto'
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { fileError } from '../files/file-errors.ts'
import { exists } from '../files/folders.ts'
import { isRun } from '../run/config-file.ts'
import { readMetricsPage } from '../run/metrics-file.ts'
import {
  checkpointFile,
  configFile,
  environmentFile,
  isPreviewName,
  metricsFile,
  weightsFile,
} from '../run/run-files.ts'
import { InputError } from '../util/errors.ts'
import { version } from '../util/version.ts'
import type { RunDetails, RunListing, RunMetrics } from '../web/studio-api.ts'
import { Refusal } from './guard.ts'
import type { RunSaver } from './run-saver.ts'
import { searchPlanFile, studyPlanFile, summarise, summariseSearch, summariseStudy } from './run-summary.ts'
import { openContained, sendFile } from './send-file.ts'

export interface RunRoutesOptions {
  readonly runs: RunList
  /** Saves runs; undefined if the user named no folder for them. */
  readonly saver: RunSaver | undefined
}

type Env = { Bindings: HttpBindings }

/** The files of a run that are served, by their names in addresses. */
const servedFiles: ReadonlyMap<string, string> = new Map(
  [configFile, weightsFile, metricsFile, environmentFile, checkpointFile].map((path) => [
    basename(path),
    path,
  ]),
)

/** The routes under `api/runs`. The token has been checked before. */
export function runRoutes({ runs, saver }: RunRoutesOptions): Hono<Env> {
  const routes = new Hono<Env>()

  async function folderOf(c: Context<Env>): Promise<string> {
    const id = c.req.param('id') ?? ''
    const folder = (await runs.folders()).get(id)
    if (folder !== undefined) return folder
    throw new Refusal(404, {
      what: 'there is no such run',
      got: JSON.stringify(id.slice(0, 100)),
      remedy: 'look at the list of runs again: its folder may be gone',
    })
  }

  const list = together(async (): Promise<RunListing> => {
    const folders = await runs.folders()
    return {
      version,
      canSave: saver !== undefined,
      maxUploadBytes: saver?.maxBytes ?? 0,
      runs: await Promise.all(Array.from(folders, ([id, folder]) => summarise(id, folder))),
      studies: await allOf(runs.studies(), summariseStudy),
      searches: await allOf(runs.searches(), summariseSearch),
    }
  })
  routes.get('/', async (c) => c.json(await list()))

  const describe = together(
    async (folder: string): Promise<RunDetails> => ({
      ...(await summarise(idOf(folder), folder)),
      config: await readJson(folder, configFile),
      environment: await readJson(folder, environmentFile),
      previews: await previewsOf(folder),
    }),
  )
  routes.get('/:id', async (c) => c.json(await describe(await folderOf(c))))

  routes.get('/:id/metrics', async (c) => {
    const path = join(await folderOf(c), metricsFile)
    const page: RunMetrics = await readMetricsPage(path, c.req.query('cursor'))
    return c.json(page)
  })

  routes.get('/:id/previews/:name', async (c) => {
    const name = c.req.param('name')
    const folder = await folderOf(c)
    const sent = isPreviewName(name) && (await sendFile(c, folder, `previews/${name}`, { cache: 'never' }))
    return sent || missing(name)
  })

  routes.get('/:id/files/:name', async (c) => {
    const name = c.req.param('name')
    const path = servedFiles.get(name)
    const folder = await folderOf(c)
    const sent = path !== undefined && (await sendFile(c, folder, path, { cache: 'never' }))
    return sent || missing(name)
  })

  routes.put('/:name', async (c) => {
    if (saver === undefined) {
      throw new Refusal(403, {
        what: 'no folder was named to save runs in',
        remedy: 'start pantin studio with --save FOLDER, or download the run',
      })
    }
    const type = c.req.header('content-type')
    if (type !== 'application/zip') {
      throw new Refusal(415, {
        what: 'runs are sent as zip archives',
        where: 'Content-Type',
        got: JSON.stringify(type?.slice(0, 100) ?? ''),
        expected: 'application/zip',
      })
    }
    const folder = await saver.save(c.req.param('name'), c.env.incoming)
    return c.json(await summarise(idOf(folder), folder), 201)
  })

  return routes
}

/** Summaries of folders. A folder may go meanwhile. */
async function allOf<T>(
  folders: Promise<readonly string[]>,
  summary: (id: string, folder: string) => Promise<T | undefined>,
): Promise<T[]> {
  const found = await Promise.all((await folders).map((folder) => summary(idOf(folder), folder)))
  return found.flatMap((one) => one ?? [])
}

function missing(name: string): never {
  throw new Refusal(404, { what: 'the run has no such file', got: JSON.stringify(name.slice(0, 100)) })
}

/** Names of a run's previews, in the order of their steps. */
async function previewsOf(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'previews')).catch(() => [])
  return names.filter(isPreviewName).sort()
}

/** A JSON file of a run; null if it is missing, damaged, or larger than such a file can be. */
async function readJson(folder: string, name: string): Promise<unknown> {
  const file = await openContained(folder, name).catch(() => undefined)
  if (file === undefined) return null
  try {
    return file.size > 16 << 20 ? null : JSON.parse(await readFile(file.handle, 'utf8'))
  } catch {
    return null
  } finally {
    await file.handle.close()
  }
}

/** Finds folders of runs, studies and searches in the places that the user named. */
export class RunList {
  /** @param places run folders, and folders that hold run folders, as `realpath` gives them. */
  private constructor(private readonly places: readonly string[]) {}

  /**
   * @param named folders that the user named: of runs, studies or searches, or folders with such folders in them.
   * @param more folders in which runs may appear, as `realpath` gives them.
   * @throws InputError if a named folder is neither.
   */
  static async open(named: readonly string[], more: readonly string[] = []): Promise<RunList> {
    return new RunList([...(await Promise.all(named.map(checkedPlace))), ...more])
  }

  /** Run folders by id, as they are now. Runs may appear and disappear between two calls. */
  readonly folders = together(async (): Promise<ReadonlyMap<string, string>> => {
    const found = (await Promise.all(this.places.map(runsIn))).flat()
    return new Map(found.map((folder) => [idOf(folder), folder]))
  })

  /** Folders of studies, as they are now. */
  studies = (): Promise<readonly string[]> => this.plannedWith(studyPlanFile)

  /** Folders of searches, as they are now. */
  searches = (): Promise<readonly string[]> => this.plannedWith(searchPlanFile)

  private async plannedWith(file: string): Promise<readonly string[]> {
    const found = await Promise.all(this.places.map((place) => plannedIn(place, file)))
    return [...new Set(found.flat())]
  }
}

/**
 * Work that many callers ask for at once, and that is done once for all of them. What a caller gets was begun after it asked:
 * a caller that comes while the work is done waits for the next round, together with all others that come.
 *
 * @param work its rounds for one key never overlap
 */
export function together<T, Key = void>(work: (key: Key) => Promise<T>): (key: Key) => Promise<T> {
  interface Round {
    readonly ended: Promise<void>
    next?: Promise<T>
  }
  const rounds = new Map<Key, Round>()
  const nothing = () => {}
  const begin = (key: Key): Promise<T> => {
    const round = work(key)
    const entry: Round = { ended: round.then(nothing, nothing) }
    rounds.set(key, entry)
    void entry.ended.then(() => {
      if (entry.next === undefined) rounds.delete(key)
    })
    return round
  }
  return (key) => {
    const entry = rounds.get(key)
    if (entry === undefined) return begin(key)
    entry.next ??= entry.ended.then(() => begin(key))
    return entry.next
  }
}

/** A folder's name in addresses: readable, and unique. */
export function idOf(folder: string): string {
  const name = basename(folder)
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40)
  const mark = createHash('sha256').update(folder).digest('hex').slice(0, 8)
  return `${name || 'run'}-${mark}`
}

async function checkedPlace(named: string): Promise<string> {
  try {
    const place = await realpath(named)
    if (!(await stat(place)).isDirectory()) throw noRun(named, 'a file')
    const names = await readdir(place)
    // Runs may appear in an empty folder later.
    if (names.length === 0) return place
    const kinds = [runsIn(place), plannedIn(place, studyPlanFile), plannedIn(place, searchPlanFile)]
    if ((await Promise.all(kinds)).flat().length === 0) throw noRun(named, names.slice(0, 5).join(', '))
    return place
  } catch (error) {
    throw fileError(error, named, 'read')
  }
}

function noRun(where: string, got: string): InputError {
  return new InputError({
    what: 'there is no run here',
    where,
    got,
    expected: 'the folder of a run, a study or a search, or a folder with such folders in it',
    remedy: 'name the folder that was given to train, distil, study or search as --out',
  })
}

/** The place itself if it is a run, else the runs directly in it. */
const runsIn = (place: string): Promise<string[]> => foldersIn(place, isRun)

/** The place itself if it has this plan's file, else the folders directly in it that have one. */
const plannedIn = (place: string, file: string): Promise<string[]> =>
  foldersIn(place, (folder) => exists(join(folder, file)))

async function foldersIn(place: string, isOne: (folder: string) => Promise<boolean>): Promise<string[]> {
  if (await isOne(place)) return [place]
  const entries = await readdir(place, { withFileTypes: true }).catch(() => [])
  const folders = entries
    // Links are not followed: they would serve folders that the user did not name.
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(place, entry.name))
    .sort()
  const found = await Promise.all(folders.map(async (folder) => ((await isOne(folder)) ? [folder] : [])))
  return found.flat()
}
