// The addresses under `api/runs`: the list of runs, one run, its metrics and files, and saving.
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { readMetricsPage } from '../run/metrics-file.ts'
import {
  checkpointFile,
  configFile,
  environmentFile,
  isPreviewName,
  metricsFile,
  weightsFile,
} from '../run/run-files.ts'
import { version } from '../util/version.ts'
import type { RunDetails, RunListing, RunMetrics } from '../web/studio-api.ts'
import { Refusal } from './refusal.ts'
import { idOf, type RunList } from './run-list.ts'
import type { RunSaver } from './run-saver.ts'
import { summarise } from './run-summary.ts'
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

  routes.get('/', async (c) => {
    const folders = await runs.folders()
    const listing: RunListing = {
      version,
      canSave: saver !== undefined,
      maxUploadBytes: saver?.maxBytes ?? 0,
      runs: await Promise.all(Array.from(folders, ([id, folder]) => summarise(id, folder))),
    }
    return c.json(listing)
  })

  routes.get('/:id', async (c) => {
    const folder = await folderOf(c)
    const details: RunDetails = {
      ...(await summarise(c.req.param('id'), folder)),
      config: await readJson(folder, configFile),
      environment: await readJson(folder, environmentFile),
      previews: await previewsOf(folder),
    }
    return c.json(details)
  })

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
