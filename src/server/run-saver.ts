import { lstat, mkdir, mkdtemp, readdir, realpath, rename, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join, resolve } from 'node:path'
import { syncFolder } from '../files/atomic.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import { makeFolder } from '../files/make-folder.ts'
import { isAlive } from '../files/temporaries.ts'
import { openModel } from '../model/model.ts'
import { readMetrics } from '../run/metrics.ts'
import { InputError } from '../util/errors.ts'
import { receive } from './receive.ts'
import { Refusal } from './refusal.ts'
import { unpackRun } from './unpack-run.ts'

/** Uploads that are taken at a time. */
const mostAtOnce = 2

/** Puts runs that pages send into a folder. */
export class RunSaver {
  private active = 0

  private constructor(
    /** As `realpath` gives it. */
    readonly folder: string,
    /** Bytes of a run, packed and unpacked. */
    readonly maxBytes: number,
  ) {}

  /** Makes the folder where it is missing. @throws InputError where that cannot be. */
  static async open(named: string, maxBytes: number): Promise<RunSaver> {
    try {
      await makeFolder(resolve(named))
      const folder = await realpath(named)
      await removeLeftovers(folder)
      return new RunSaver(folder, maxBytes)
    } catch (error) {
      throw fileError(error, named, 'written')
    }
  }

  /**
   * Takes a zip, checks that it holds a model that can be opened, and gives it its name in one step.
   *
   * @returns the run's folder.
   * @throws Refusal where there is such a run already (409), the zip is too large (413) or no run (422).
   */
  async save(name: string, incoming: IncomingMessage): Promise<string> {
    const target = join(this.folder, checkedName(name))
    if (await exists(target)) throw existsAlready(name)
    if (this.active >= mostAtOnce) throw busy()
    this.active++
    const place = await mkdtemp(join(this.folder, `${leftover}${process.pid}-`))
    try {
      const [zip, run] = [join(place, 'run.zip'), join(place, 'run')]
      await mkdir(run)
      await receive(incoming, zip, this.maxBytes)
      await unpackRun(zip, run, this.maxBytes)
      await checkRun(run, place)
      if (await exists(target)) throw existsAlready(name)
      await rename(run, target)
      await syncFolder(this.folder)
      return target
    } catch (error) {
      // Somebody was quicker: a folder with something in it is not replaced.
      if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw existsAlready(name)
      throw fileError(error, target, 'written')
    } finally {
      this.active--
      await rm(place, { recursive: true, force: true })
    }
  }
}

/** Hidden, with the process that made it. */
const leftover = '.upload-'

/** Removes what killed servers left. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /^\.upload-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid)))
      await rm(join(folder, name), { recursive: true, force: true })
  }
}

/** Addresses hold plain names only; these would still trouble people or file systems. */
function checkedName(name: string): string {
  if (name.length <= 80 && /^\w[\w.-]*$/.test(name) && !name.endsWith('.')) return name
  throw new Refusal(400, {
    what: 'this name is not usable for a run',
    got: JSON.stringify(name.slice(0, 100)),
    expected: 'up to 80 letters, digits, "_", "-" and inner "."',
  })
}

/** Opens what was unpacked as every command would. @throws Refusal (422) that says what is wrong with it. */
async function checkRun(run: string, place: string): Promise<void> {
  try {
    await (await openModel(run, { device: 'cpu' })).close()
    await readMetrics(join(run, 'metrics.jsonl'))
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const { where, ...problem } = error.problem
    // The temporary folder means nothing to a reader.
    throw new Refusal(422, { ...problem, ...(where && { where: where.replaceAll(join(place, '/'), '') }) })
  }
}

async function exists(path: string): Promise<boolean> {
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
