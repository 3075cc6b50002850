// Saves runs that pages send: receives a zip, unpacks it, checks that it holds a model, and names it in one step.
import { lstat, mkdir, mkdtemp, open, readdir, realpath, rename, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { isAlive, syncFolder } from '../files/atomic.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import { exists, makeFolder } from '../files/folders.ts'
import { FileBytes, readWhole } from '../files/read.ts'
import { readSafetensors } from '../formats/safetensors/safetensors.ts'
import { ZipArchive, type ZipEntry } from '../formats/zip/zip-archive.ts'
import { readPicture } from '../media/picture.ts'
import { openModel } from '../model/open-model.ts'
import { decodeCheckpoint } from '../run/checkpoint.ts'
import { readConfig } from '../run/config-file.ts'
import { readMetrics } from '../run/metrics-file.ts'
import {
  checkpointFile,
  configFile,
  environmentFile,
  isDeviceName,
  isRunFile,
  metricsFile,
} from '../run/run-files.ts'
import { childTask } from '../util/child-process.ts'
import { EnvironmentError, FormatError, InputError, messageOf } from '../util/errors.ts'
import { Refusal } from './guard.ts'

/** The most uploads at one time. */
const mostAtOnce = 2

/** Saves runs that pages send in one folder. */
export class RunSaver {
  private active = 0

  private constructor(
    /** The folder, as `realpath` gives it. */
    readonly folder: string,
    /** The most bytes that a run may have, packed and unpacked. */
    readonly maxBytes: number,
    private readonly examine: (run: string) => Promise<void>,
  ) {}

  /**
   * Makes the folder if it is missing.
   *
   * @param examine checks the files of a run; throws InputError for a run that cannot be used.
   * @throws InputError if the folder cannot be made or written.
   */
  static async open(named: string, maxBytes: number, examine = examineApart): Promise<RunSaver> {
    try {
      await makeFolder(resolve(named))
      const folder = await realpath(named)
      await removeLeftovers(folder)
      return new RunSaver(folder, maxBytes, examine)
    } catch (error) {
      throw fileError(error, named, 'written')
    }
  }

  /**
   * Receives a zip, checks that it holds a model that can be opened, and gives it its name in one step.
   *
   * @returns the run's folder.
   * @throws Refusal if there is a run of this name (409), the zip is too large (413) or not a run (422), or two other
   * uploads are in progress (503).
   */
  async save(name: string, incoming: IncomingMessage): Promise<string> {
    const target = join(this.folder, checkedName(name))
    if (await isTaken(target)) throw existsAlready(name)
    if (this.active >= mostAtOnce) throw busy()
    this.active++
    const place = await mkdtemp(join(this.folder, `${leftover}${process.pid}-`))
    try {
      const [zip, run] = [join(place, 'run.zip'), join(place, 'run')]
      await mkdir(run)
      await receive(incoming, zip, this.maxBytes)
      await unpackRun(zip, run, this.maxBytes)
      await this.check(run, place)
      if (await isTaken(target)) throw existsAlready(name)
      await rename(run, target)
      await syncFolder(this.folder)
      return target
    } catch (error) {
      // Another upload of this name was quicker. A folder that is not empty is never replaced.
      if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw existsAlready(name)
      throw fileError(error, target, 'written')
    } finally {
      this.active--
      await rm(place, { recursive: true, force: true })
    }
  }

  /** @throws Refusal (422) that says what is wrong with an unpacked run. */
  private async check(run: string, place: string): Promise<void> {
    try {
      await this.examine(run)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      const { where, ...problem } = error.problem
      // The temporary folder's path means nothing to a reader.
      throw new Refusal(422, { ...problem, ...(where && { where: where.replaceAll(join(place, '/'), '') }) })
    }
  }
}

/** Begins the names of temporary folders: hidden, and followed by the process that made them. */
const leftover = '.upload-'

/** Removes the temporary folders of servers that were killed. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /^\.upload-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid)))
      await rm(join(folder, name), { recursive: true, force: true })
  }
}

/** Addresses hold plain names only. Some of them would still be trouble for file systems, so they are refused. */
function checkedName(name: string): string {
  const isUsual = name.length <= 80 && /^\w[\w.-]*$/.test(name) && !name.endsWith('.')
  if (isUsual && !isDeviceName(name)) return name
  throw new Refusal(400, {
    what: 'this name is not usable for a run',
    got: JSON.stringify(name.slice(0, 100)),
    expected:
      'up to 80 letters, digits, "_", "-" and inner ".", and no name of a device of Windows such as con',
  })
}

async function isTaken(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

const existsAlready = (name: string): Refusal =>
  new Refusal(409, { what: 'a run of this name is saved already', got: name, remedy: 'choose another name' })

const busy = (): Refusal =>
  new Refusal(
    503,
    {
      what: 'other runs are being saved',
      expected: `${mostAtOnce} at a time`,
      remedy: 'try again in a moment',
    },
    { 'Retry-After': '5' },
  )

/**
 * Writes the body of a request to a new file, as it arrives.
 *
 * @throws Refusal if it is larger than allowed (413) or ends early (400); EnvironmentError if the disk is full. The
 * file may then hold a part of it.
 */
async function receive(incoming: IncomingMessage, path: string, maxBytes: number): Promise<void> {
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const file = await open(path, 'wx', 0o600)
  try {
    let size = 0
    // To destroy the request would close the connection, and the refusal could not be sent.
    for await (const piece of incoming.iterator({ destroyOnReturn: false })) {
      size += (piece as Buffer).length
      if (size > maxBytes) throw tooLarge(maxBytes)
      await file.writeFile(piece as Buffer)
    }
  } catch (error) {
    if (codeOf(error) === 'ECONNRESET' || codeOf(error) === 'ERR_STREAM_PREMATURE_CLOSE') {
      throw new Refusal(400, { what: 'the upload ended early', remedy: 'send it again' })
    }
    throw fileError(error, path, 'written')
  } finally {
    await file.close()
  }
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(413, {
    what: 'this run is too large to be saved here',
    expected: `at most ${maxBytes} bytes`,
    remedy: 'download it, and unpack it by hand',
  })
}

/**
 * Unpacks the zip of a run folder. Only files of run folders are written, under their names in run folders, so that no
 * name in the archive becomes a path elsewhere.
 *
 * @param into the new folder, which exists and is empty.
 * @throws Refusal (422) if it is not such an archive, or (413) if it has more than `maxBytes` unpacked.
 */
async function unpackRun(zip: string, into: string, maxBytes: number): Promise<void> {
  const bytes = await FileBytes.open(zip, 'a zip archive')
  try {
    const archive = await ZipArchive.open(bytes)
    for (const [path, entry] of runEntries(archive.entries, maxBytes)) {
      const target = join(into, ...path.split('/'))
      await mkdir(dirname(target), { recursive: true })
      const file = await open(target, 'wx')
      try {
        await archive.readAll(entry, (piece) => file.writeFile(piece))
        await file.sync()
      } finally {
        await file.close()
      }
    }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    const { what, got } = error.problem
    throw new Refusal(422, { what, ...(got !== undefined && { got }), expected: 'the zip of a run folder' })
  } finally {
    await bytes.close()
  }
}

/** The archive's files by their paths in the run folder. An archive may hold the folder itself, or its content. */
function runEntries(entries: ReadonlyMap<string, ZipEntry>, maxBytes: number): Map<string, ZipEntry> {
  const config = [...entries.keys()].find((name) => /^(?:[^/]+\/)?config\.json$/.test(name))
  const prefix = config?.slice(0, -configFile.length) ?? ''
  const files = [...entries].filter(([name]) => !isFolder(name, prefix))
  const size = files.reduce((sum, [, entry]) => sum + entry.size, 0)
  if (size > maxBytes) {
    throw new Refusal(413, {
      what: 'this run is too large to be saved here',
      got: `${size} bytes unpacked`,
      expected: `at most ${maxBytes} bytes`,
    })
  }
  return new Map(
    files.map(([name, entry]) => {
      const path = name.startsWith(prefix) ? name.slice(prefix.length) : name
      if (isRunFile(path)) return [path, entry]
      throw new Refusal(422, {
        what: 'the zip holds a file that no run has',
        got: JSON.stringify(name.slice(0, 100)),
        expected: 'config.json, weights.safetensors, metrics.jsonl, env.json, last/ and previews/',
      })
    }),
  )
}

const isFolder = (name: string, prefix: string): boolean =>
  ['', 'last/', 'previews/'].some((folder) => name === prefix + folder && name !== '')

/** Side of the largest frames of a run that is saved, in pixels. No model that pages train or show has larger ones. */
const mostPixels = 1024
/** Milliseconds that the check may take. Opening a usual run takes a second. */
const mostTime = 60_000
/** Bytes of env.json, which describes a machine. */
const mostEnvironment = 1 << 20

/**
 * Reads every file of a run folder as commands would, and opens its model.
 *
 * @throws InputError, FormatError for the first file that cannot be used.
 */
export async function examineRun(run: string): Promise<void> {
  const schema = z.looseObject({ model: z.looseObject({ size: z.number() }).optional() })
  const { config } = await readConfig(run, schema)
  if ((config.model?.size ?? 0) > mostPixels) {
    throw new FormatError({
      what: 'the frames of this run are too large to be saved here',
      got: `${config.model?.size} pixels a side`,
      expected: `at most ${mostPixels}`,
      remedy: 'download it, and unpack it by hand',
    })
  }
  await readMetrics(join(run, metricsFile))
  await examineEnvironment(join(run, environmentFile))
  const checkpoint = join(run, checkpointFile)
  if (await exists(checkpoint)) decodeCheckpoint(checkpoint, await readSafetensors(checkpoint))
  for (const name of await readdir(join(run, 'previews')).catch(() => [])) {
    await readPicture(join(run, 'previews', name))
  }
  await (await openModel(run, { device: 'cpu', rewrite: false })).close()
}

async function examineEnvironment(path: string): Promise<void> {
  if (!(await exists(path))) return
  const text = (await readWhole(path, 'a description of a machine', mostEnvironment)).toString('utf8')
  try {
    z.looseObject({}).parse(JSON.parse(text))
  } catch (error) {
    const got = messageOf(error).slice(0, 100)
    throw new FormatError({ what: 'not a description of a machine', where: path, got, expected: 'JSON' })
  }
}

/** `examineRun` in a process of its own. */
export const examineInChild = childTask(import.meta.url, ({ run }: { readonly run: string }) =>
  examineRun(run),
)

/**
 * `examineRun` in a process of its own, with a limit on its time.
 *
 * @throws as `examineRun`; FormatError if the process took too long, or ended by itself.
 */
export async function examineApart(run: string): Promise<void> {
  const signal = AbortSignal.timeout(mostTime)
  try {
    await examineInChild({ run }, { signal, onAbort: 'kill' })
  } catch (error) {
    if (!signal.aborted && !(error instanceof EnvironmentError)) throw error
    const got = signal.aborted ? `no end after ${mostTime / 1000} s` : messageOf(error)
    throw new FormatError({ what: 'the model of this run cannot be opened here', got }, { cause: error })
  }
}
