import { checkHeaderLength, readHeader } from '../formats/safetensors/header.ts'
import { checkpointFile, configFile, isRunFile, weightsFile } from '../run/run-files.ts'
import { InputError } from '../util/errors.ts'
import { openRun, runOf } from './run.ts'
import { withRunLock } from './run-lock.ts'
import { checkRunName, runsFolder, StoredFolder, storageError } from './storage.ts'
import { framesIndex } from './stored-frames.ts'
import type { StoredRun, WebRun } from './types.ts'

/** The runs in the browser's own storage. */
export const storedRuns = {
  /** All of them, the one written last first. What a page left half made is not among them. */
  async list(): Promise<StoredRun[]> {
    const runs = await runsFolder()
    const found: StoredRun[] = []
    for await (const name of runs.keys()) {
      const run = await describe(name).catch(() => 'damaged' as const)
      if (run === undefined) await tidy(name)
      else if (run !== 'damaged') found.push(run)
    }
    return found.sort((a, b) => b.modified - a.modified)
  },

  /** @throws InputError where there is none of this name, or it has no weights yet. */
  async open(name: string): Promise<WebRun> {
    const folder = await StoredFolder.ofRun(name)
    return runOf(await filesOf(folder ?? absent(name)), name)
  },

  /** @throws InputError where another tab trains it. */
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
   * Keeps a run. @throws InputError where there is one of this name, EnvironmentError where storage is full: then
   * nothing is kept.
   */
  async put(name: string, run: WebRun): Promise<void> {
    checkRunName(name)
    await withRunLock(name, async () => {
      const folder = (await StoredFolder.ofRun(name, { create: true }))!
      if ((await folder.read(configFile)) !== undefined) throw taken(name)
      try {
        const files = [...run.files()].filter(([path]) => path !== configFile)
        for (const [path, blob] of files) await folder.write(path, [blob])
        // It makes the folder a run, so it comes last.
        await folder.write(configFile, [run.files().get(configFile)!])
      } catch (error) {
        await (await runsFolder()).removeEntry(name, { recursive: true }).catch(() => {})
        throw error
      }
    })
    await openRun(await filesOf((await StoredFolder.ofRun(name))!), { name })
  },
}

/** Removes what is no run and will be none: a page ended while it read clips. */
async function tidy(name: string): Promise<void> {
  const remove = async () => {
    // In the meantime it may have become one.
    if ((await (await StoredFolder.ofRun(name))?.read(configFile)) !== undefined) return
    await (await runsFolder()).removeEntry(name, { recursive: true })
  }
  // Where it is in use it is in the making; what cannot be removed now is removed another time.
  await withRunLock(name, remove).catch(() => {})
}

/** A run's files, as `filesIn` gives them. @throws InputError where it is no run. */
async function filesOf(folder: StoredFolder): Promise<Map<string, Blob>> {
  const files = await filesIn(folder)
  if (!files.has(configFile)) absent(folder.name)
  return files
}

/** Those of a run's files that are there, as they are now; of training that goes on meanwhile, none is torn. */
export async function filesIn(folder: StoredFolder): Promise<Map<string, Blob>> {
  const files = new Map<string, Blob>()
  for (const path of await folder.paths()) {
    if (!isRunFile(path)) continue
    const file = await folder.read(path)
    // Copied: a file that is replaced later cannot be read through its old handle.
    if (file !== undefined) files.set(path, new Blob([await file.arrayBuffer()]))
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
    remedy: 'choose one of the list; private windows and other addresses have lists of their own',
  })
}

/** What config.json says of a run's length and network, as far as a list needs it. */
interface RunFacts {
  readonly model?: { readonly net?: string }
  readonly training?: { readonly steps?: number; readonly minutes?: number }
}

async function describe(name: string): Promise<StoredRun | undefined> {
  const folder = await StoredFolder.ofRun(name)
  const config = await folder?.read(configFile)
  if (folder === undefined || config === undefined) return undefined
  const { model, training } = JSON.parse(await config.text()) as RunFacts
  const checkpoint = await folder.read(checkpointFile)
  const weights = await folder.read(weightsFile)
  const at = await positionOf(checkpoint)
  const step = at?.step ?? (await stepOf(weights))
  const finished =
    at === undefined
      ? weights !== undefined
      : training?.steps !== undefined
        ? at.step >= training.steps
        : at.elapsed >= 60 * (training?.minutes ?? 0)
  // Frames are kept once they have an index: without one, what is there of them serves nobody.
  const frames = await folder.read(framesIndex)
  return {
    name,
    net: model?.net ?? 'unknown',
    step,
    finished,
    resumable: !finished && frames !== undefined,
    modified: Math.max(...[config, checkpoint, weights].map((file) => file?.lastModified ?? 0)),
  }
}

async function positionOf(checkpoint: File | undefined) {
  if (checkpoint === undefined) return undefined
  const metadata = await metadataOf(checkpoint)
  return {
    step: Number(metadata.get('pantin.step') ?? 0),
    elapsed: Number(metadata.get('pantin.elapsed') ?? 0),
  }
}

async function stepOf(weights: File | undefined): Promise<number> {
  return weights === undefined ? 0 : Number((await metadataOf(weights)).get('step') ?? 0)
}

async function metadataOf(file: File): Promise<ReadonlyMap<string, string>> {
  const part = async (from: number, to: number) => new Uint8Array(await file.slice(from, to).arrayBuffer())
  const length = checkHeaderLength(await part(0, 8), file.size, file.name)
  return readHeader(await part(8, 8 + length), file.size - 8 - length, file.name).metadata
}
