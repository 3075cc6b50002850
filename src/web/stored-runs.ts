// The runs in the browser's own storage: list, open, keep, remove.
import { checkHeaderLength, readHeader } from '../formats/safetensors/header.ts'
import { checkpointFile, configFile, isRunFile, metricsFile, weightsFile } from '../run/run-files.ts'
import { InputError, messageOf, type Problem } from '../util/errors.ts'
import { modelOf, openRun, runOf, type WebRun } from './run.ts'
import { checkRunName, runsFolder, StoredFolder, storageError, withRunLock } from './storage.ts'

/** Decoded frames beside a stored run, so that training goes on after a reload. They are not part of the run folder. */
export const framesFile = 'frames/frames.bin'
/** What is known of the frames of synthetic clips. */
export const labelsFile = 'frames/labels.bin'
/** The weights that a run began with, until its first checkpoint. */
export const startFile = 'frames/start.safetensors'
/** The clips of the frames. It is written last: without it, the frames are not kept. */
export const framesIndex = 'frames/clips.json'

/** A run in the browser's own storage. */
export interface StoredRun {
  /** Name of the run. */
  readonly name: string
  /** Name of the detector's network. */
  readonly net: string
  /** Steps of the last checkpoint. */
  readonly step: number
  /** Whether the run has ended. */
  readonly finished: boolean
  /** Whether it can be trained further here: its frames are kept. */
  readonly resumable: boolean
  /** When it was last written, milliseconds since 1970. */
  readonly modified: number
  /** The reason why it cannot be read, if it is damaged. Then it can only be removed, and the other facts are not known. */
  readonly problem?: Problem
}

/** The runs in the browser's own storage. */
export const storedRuns = {
  /** All runs, the one that was written last first. A run that a page left half made is removed. */
  async list(): Promise<StoredRun[]> {
    const runs = await runsFolder()
    const found: StoredRun[] = []
    for await (const name of runs.keys()) {
      const run = await describe(name).catch((error: unknown) => damaged(name, error))
      if (run === undefined) await tidy(name)
      else found.push(run)
    }
    return found.sort((a, b) => b.modified - a.modified)
  },

  /** Opens a run. @throws InputError if there is none of this name, or it has no weights yet. */
  async open(name: string): Promise<WebRun> {
    const folder = await StoredFolder.ofRun(name)
    return runOf(await filesOf(folder ?? absent(name)), name)
  },

  /** Removes a run, if it is there. @throws InputError if another tab trains it. */
  async remove(name: string): Promise<void> {
    checkRunName(name)
    await withRunLock(name, async () => {
      const runs = await runsFolder()
      await runs.removeEntry(name, { recursive: true }).catch((error: unknown) => {
        if (!(error instanceof DOMException && error.name === 'NotFoundError')) {
          throw storageError(error, name)
        }
      })
    })
  },

  /**
   * Keeps a run under a name.
   *
   * @throws InputError if there is a run of this name; EnvironmentError if the storage is full, and then nothing is kept.
   */
  async put(name: string, run: WebRun): Promise<void> {
    checkRunName(name)
    await withRunLock(name, async () => {
      const folder = (await StoredFolder.ofRun(name, { create: true }))!
      if ((await folder.read(configFile)) !== undefined) throw taken(name)
      try {
        const files = [...run.files()].filter(([path]) => path !== configFile)
        for (const [path, blob] of files) await folder.write(path, [blob])
        // This file makes the folder a run, so that it is written last.
        await folder.write(configFile, [run.files().get(configFile)!])
      } catch (error) {
        await (await runsFolder()).removeEntry(name, { recursive: true }).catch(() => {})
        throw error
      }
    })
    await openRun(await filesOf((await StoredFolder.ofRun(name))!), { name })
  },
}

/** Removes a folder that is not a run and will not become one: its page ended while it read clips. */
async function tidy(name: string): Promise<void> {
  const remove = async () => {
    // It may have become a run in the meantime.
    if ((await (await StoredFolder.ofRun(name))?.read(configFile)) !== undefined) return
    await (await runsFolder()).removeEntry(name, { recursive: true })
  }
  // If it is in use, a page is making the run. A folder that cannot be removed now is removed another time.
  await withRunLock(name, remove).catch(() => {})
}

/** A run's files, as `filesIn` gives them. @throws InputError if it is not a run. */
async function filesOf(folder: StoredFolder): Promise<Map<string, Blob>> {
  const files = await filesIn(folder)
  if (!files.has(configFile)) absent(folder.name)
  return files
}

/** The files of a run that are there, each whole, even if training goes on meanwhile. */
export async function filesIn(folder: StoredFolder): Promise<Map<string, Blob>> {
  const files = new Map<string, Blob>()
  for (const path of await folder.paths()) {
    if (!isRunFile(path)) continue
    // Copied, because a file that is replaced later cannot be read through its old handle.
    const bytes = await folder.readWith(path, (file) => file.arrayBuffer())
    // A file is empty until its first writing ends. Only metrics may stay so.
    if (bytes === undefined || (bytes.byteLength === 0 && path !== metricsFile)) continue
    files.set(path, new Blob([bytes]))
  }
  return files
}

export function taken(name: string): InputError {
  return new InputError({
    what: 'a run of this name exists and is not overwritten',
    where: name,
    remedy: 'resume it, remove it, or choose another name',
  })
}

export function absent(name: string): never {
  throw new InputError({
    what: 'there is no such run in the storage of this page',
    where: name,
    remedy: 'choose a run of the list; private windows and other addresses have their own lists',
  })
}

/** The parts of config.json that the list needs. */
interface RunFacts {
  readonly training?: { readonly steps?: number; readonly minutes?: number }
}

/** A run that cannot be read. */
function damaged(name: string, error: unknown): StoredRun {
  const { problem = { what: messageOf(error), where: name } } = error as { readonly problem?: Problem }
  return { name, net: '', step: 0, finished: false, resumable: false, modified: 0, problem }
}

async function describe(name: string): Promise<StoredRun | undefined> {
  const folder = await StoredFolder.ofRun(name)
  const config = await folder?.read(configFile)
  if (folder === undefined || config === undefined) return undefined
  const text = await config.text()
  const { net } = modelOf(text, name)
  const { training } = JSON.parse(text) as RunFacts
  const checkpoint = await folder.readWith(checkpointFile, headerOf)
  const weights = await folder.readWith(weightsFile, headerOf)
  const step = Number(checkpoint?.metadata.get('pantin.step') ?? weights?.metadata.get('step') ?? 0)
  const elapsed = Number(checkpoint?.metadata.get('pantin.elapsed') ?? 0)
  const finished =
    checkpoint === undefined
      ? weights !== undefined
      : training?.steps !== undefined
        ? step >= training.steps
        : elapsed >= 60 * (training?.minutes ?? 0)
  // Frames without an index cannot be used.
  const frames = await folder.read(framesIndex)
  return {
    name,
    net,
    step,
    finished,
    resumable: !finished && frames !== undefined,
    modified: Math.max(config.lastModified, checkpoint?.modified ?? 0, weights?.modified ?? 0),
  }
}

interface Header {
  readonly metadata: ReadonlyMap<string, string>
  /** When the file was written, milliseconds since 1970. */
  readonly modified: number
}

/** The metadata of a safetensors file; its tensors are not read. A file is empty until its first writing ends. */
async function headerOf(file: File): Promise<Header | undefined> {
  if (file.size === 0) return undefined
  const part = async (from: number, to: number) => new Uint8Array(await file.slice(from, to).arrayBuffer())
  const length = checkHeaderLength(await part(0, 8), file.size, file.name)
  const { metadata } = readHeader(await part(8, 8 + length), file.size - 8 - length, file.name)
  return { metadata, modified: file.lastModified }
}
