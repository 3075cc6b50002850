// A task: a plain description of work that any machine can do. Its id is the hash of the description. Tasks come from a store,
// whose interface is here, and count as hostile: only known kinds of this version are done, and they name no file outside
// their inputs.
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { fileError } from '../files/file-errors.ts'
import { isFolder } from '../files/folders.ts'
import { childTaskWithPlugins } from '../model/plugin.ts'
import { isRun, runFolder } from '../run/config-file.ts'
import { configFile, weightsFile } from '../run/run-files.ts'
import { findStarter } from '../run/starters.ts'
import { coresHere, threadsVariable } from '../runtime/node.ts'
import { isHead } from '../synthetic/head/head.ts'
import { isPuppet } from '../synthetic/puppet/puppet.ts'
import type { ChildTask, Hooks } from '../util/child-process.ts'
import { FormatError, InputError } from '../util/errors.ts'
import { version } from '../util/version.ts'

/** An object of a store. */
export interface Stored {
  readonly key: string
}

/** A place that several machines read and write. Keys are names joined by `/`, as `isKey` allows. */
export interface Store {
  /** The store as messages name it: without credentials. */
  readonly name: string
  /**
   * The content of a small object; undefined if there is none.
   *
   * @param most bytes that it may have
   * @throws FormatError if it is larger.
   */
  read(key: string, most: number): Promise<Buffer | undefined>
  /** Creates or replaces a small object. */
  write(key: string, content: string): Promise<void>
  /** Creates a small object. @returns false if there is one already, which stays as it is. */
  create(key: string, content: string): Promise<boolean>
  has(key: string): Promise<boolean>
  /** Objects whose keys begin with `prefix`, which ends with `/`, in the order of their keys. */
  list(prefix: string): AsyncIterable<Stored>
  /** Removes an object. A missing one is no error. */
  remove(key: string): Promise<void>
  /** Copies a file of this machine into the store. */
  upload(path: string, key: string): Promise<void>
  /**
   * Copies an object to a file, which is complete when it has its name.
   *
   * @param most bytes that it may have
   * @throws InputError if there is no such object, FormatError if it is larger: then no file is left.
   */
  download(key: string, path: string, most: number): Promise<void>
}

/** The error for an object of a store that has more than `most` bytes. */
export const tooLarge = ({ name }: Pick<Store, 'name'>, key: string, most: number): FormatError =>
  new FormatError({
    what: 'the object is too large',
    where: `${name}: ${key}`,
    got: `more than ${most} bytes`,
    expected: `at most ${most} bytes`,
  })

/** Whether a key may be used: it cannot leave a folder on any system. */
export const isKey = (key: string): boolean =>
  key.length <= 500 &&
  key.split('/').every((part) => /^[a-zA-Z0-9][\w.-]*$/.test(part) && !part.endsWith('.'))

/** @throws FormatError for a key that no store takes. */
export function assertKey(key: string): void {
  if (isKey(key)) return
  throw new FormatError({
    what: 'this name cannot stand in a store',
    got: JSON.stringify(key.slice(0, 80)),
    expected: 'letters, digits, dots and dashes, joined by /',
  })
}

/** SHA-256 of a file as 64 hexadecimal digits, and its size in bytes. @throws InputError if it cannot be read. */
export async function hashFile(path: string): Promise<{ readonly hash: string; readonly bytes: number }> {
  const hash = createHash('sha256')
  const chunk = spareChunk ?? Buffer.allocUnsafeSlow(1 << 18)
  spareChunk = undefined
  let bytes = 0
  try {
    const file = await open(path)
    try {
      for (let read = -1; read !== 0; bytes += read) {
        read = (await file.read(chunk, 0, chunk.length)).bytesRead
        hash.update(chunk.subarray(0, read))
      }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw fileError(error, path, 'read')
  } finally {
    spareChunk = chunk
  }
  return { hash: hash.digest('hex'), bytes }
}

/** The memory of the last file that was hashed. The next one takes it: a stream would take memory for each file. */
let spareChunk: Buffer | undefined

/** Where a task is done on this machine. */
export interface Place {
  /** The task's own folder, in which it leaves its files. */
  readonly folder: string
  /** Folder of what tasks on this machine share, such as a teacher's labels. */
  readonly cache: string
  /** Threads on the CPU, within one op (default: one for each core). */
  readonly threads?: number
  /** Seconds after which the work of a task may be lost at most, if the task saves checkpoints (default: its own). */
  readonly checkpointSeconds?: number
  /** The folder that `paths` are relative to, which the process goes to first. */
  readonly home?: string
  /** Paths of inputs by the names that the task has for them (default: the names are the paths). */
  readonly paths?: Readonly<Record<string, string>>
}

/** The path of an input at a place. `undefined` stays undefined. */
export const pathAt = <T extends string | undefined>({ paths }: Place, name: T): T | string =>
  name === undefined ? name : (paths?.[name] ?? name)

/**
 * Makes the work of a kind of task: a function that does it in a new process, at a place.
 *
 * @param url `import.meta.url` of the calling module, which must export the returned function at its top level
 */
export const childWork = <T extends Place>(
  url: string,
  work: (task: T, hooks: Hooks) => Promise<unknown>,
): ChildTask<T, undefined> =>
  childTaskWithPlugins(url, async (task: T, hooks): Promise<undefined> => {
    if (task.home !== undefined) process.chdir(task.home)
    // All sessions of the process, such as a teacher's, keep to the task's part of the cores.
    if (task.threads !== undefined) process.env[threadsVariable] = String(task.threads)
    await work(task, hooks)
  })

/** A kind of task. It is done in a child process, and is over when its result is in the task's folder. */
export interface Kind<C extends object = object> {
  readonly name: string
  /** The schema of its configuration. */
  readonly schema: z.ZodType<C>
  /** Names in a configuration that may be paths: videos, pictures, runs, ONNX files. */
  inputs(config: C): readonly string[]
  /** The file that tells how the task ended, relative to its folder. Without it, the task is yet to be done. */
  result(config: C): string
  /** The file that is replaced at each checkpoint; undefined if the task saves nothing. */
  checkpoint?(config: C): string
  /** Files and folders that are of no use any more when there is a result. */
  leave?(config: C): readonly string[]
  readonly perform: ChildTask<C & Place, undefined>
}

/** Does tasks: in processes of this machine, or on others. */
export interface Runner {
  /** Number of tasks to be given at a time. */
  readonly lanes: number
  /** Whether the tasks share `Place.cache`, so that the first task should fill it alone. */
  readonly shares: boolean
  /** Tasks that really run at a time, as far as this is known. At least 1. */
  width(): number
  /**
   * Does a task, whose result is then in the place's folder; it may also end without a result.
   *
   * @throws an error that says why there is no result; the signal's reason, if it is aborted.
   */
  perform<C extends object>(kind: Kind<C>, config: C, place: Place, hooks: Hooks): Promise<void>
}

/** Threads of each of several tasks at a time: its share of the cores. A task that is alone chooses itself. */
export const threadsFor = (jobs: number): number | undefined =>
  jobs === 1 ? undefined : Math.max(1, Math.floor(coresHere() / jobs))

/** Does tasks in child processes of this one. @param jobs tasks at a time */
export const localRunner = (jobs = 1): Runner => ({
  lanes: jobs,
  shares: true,
  width: () => jobs,
  perform: async (kind, config, place, hooks) => {
    await kind.perform({ ...config, ...place }, hooks)
  },
})

/**
 * Does work for each item, several at a time. After an error no other item is begun; the items that were begun come to
 * their end.
 *
 * @throws the first error, or nothing if the signal stops it
 */
export async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const waiting = [...items].reverse()
  const lane = async (): Promise<void> => {
    for (let item = waiting.pop(); item !== undefined && !signal?.aborted; item = waiting.pop()) {
      await work(item).catch((error: unknown) => {
        waiting.length = 0
        throw error
      })
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: Math.min(lanes, items.length) }, lane))
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

const taskSchema = z.object({
  kind: z.string().max(40),
  /** The version of pantin that made the task. Another version may compute other numbers. */
  version: z.string().max(40),
  config: z.record(z.string(), z.unknown()),
  /** Hashes of the trees of its inputs, by their names. */
  inputs: z.record(z.string().max(4096), z.string().regex(/^[0-9a-f]{64}$/)),
})
export type Task = z.infer<typeof taskSchema>

/** Bytes that a task may have. A study of a thousand videos has some 200 kB. */
export const mostTaskBytes = 4 << 20

/** JSON with the fields in the order of their names, so that equal values have equal texts. */
export const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  )

/** SHA-256 as 64 hexadecimal digits. */
export const hashOf = (content: string | Uint8Array): string =>
  createHash('sha256').update(content).digest('hex')

export const isId = (text: unknown): text is string => typeof text === 'string' && /^[0-9a-f]{64}$/.test(text)

/** A task as text, and its id: the hash of this text. */
export function taskText(
  kind: Kind,
  config: object,
  inputs: Task['inputs'],
): { readonly id: string; readonly text: string } {
  const text = canonical({ kind: kind.name, version, config, inputs } satisfies Record<keyof Task, unknown>)
  return { id: hashOf(text), text }
}

/**
 * Reads a task that a store has under an id.
 *
 * @throws FormatError if the text is no task, or has another id; InputError for another version, an unknown kind, or a
 * file that is not among its inputs.
 */
export function readTask(
  id: string,
  text: string,
  kinds: readonly Kind[],
): { readonly kind: Kind; readonly config: object; readonly inputs: Task['inputs'] } {
  if (hashOf(text) !== id) {
    throw refused('its text is not the text that its id stands for', id)
  }
  let task: Task
  try {
    task = taskSchema.parse(JSON.parse(text))
  } catch {
    throw refused('its text does not describe a task', id)
  }
  if (task.version !== version) {
    throw new InputError({
      what: 'the task is of another version of pantin, whose numbers may differ',
      where: `task ${id.slice(0, 12)}`,
      got: shown(task.version),
      expected: version,
      remedy: 'install the same version on all machines',
    })
  }
  const kind = kinds.find(({ name }) => name === task.kind)
  if (kind === undefined) {
    throw new InputError({
      what: 'there is no such kind of task',
      where: `task ${id.slice(0, 12)}`,
      got: shown(task.kind),
      expected: kinds.map(({ name }) => name).join(', '),
    })
  }
  const config = kind.schema.safeParse(task.config)
  if (!config.success) throw refused(`its configuration is not that of a ${kind.name}`, id)
  const outside = kind
    .inputs(config.data)
    .find((name) => !Object.hasOwn(task.inputs, name) && !isGenerated(name) && !isStarterName(name))
  if (outside !== undefined) {
    throw new InputError({
      what: 'the task names a file that is not among its inputs',
      where: `task ${id.slice(0, 12)}`,
      got: shown(outside),
      remedy: 'a worker reads no files of its own machine; let the command that made the task make it again',
    })
  }
  return { kind, config: config.data, inputs: task.inputs }
}

const refused = (what: string, id: string): FormatError =>
  new FormatError({ what: `the task is refused: ${what}`, where: `task ${id.slice(0, 12)}` })

/** The beginning of a text that may be anything, on one line. */
const shown = (text: string): string => JSON.stringify(text.slice(0, 80))

/** A clip that is made of its name. */
const isGenerated = (name: string): boolean => isPuppet(name) || isHead(name)

const isStarterName = (name: string): boolean => findStarter(name) !== undefined

/** A file of an input: its path in the input, and the path where it is now. */
export interface InputFile {
  readonly path: string
  readonly from: string
}

/**
 * The files that a name stands for: a file itself, and first, before the weights of an ONNX file in other files; of a run's folder its configuration and weights; of a folder of
 * numbered pictures the pictures. Undefined for a name that every machine knows: a puppet, a head, or a starter.
 *
 * @throws InputError for any other folder.
 */
export async function filesOf(name: string): Promise<readonly InputFile[] | undefined> {
  if (isGenerated(name)) return undefined
  const isOwnStarter = isStarterName(name) && (await runFolder(name)) !== resolve(name)
  if (isOwnStarter) return undefined
  const from = resolve(name)
  if (!(await isFolder(from)))
    return [{ path: safeName(basename(from)), from }, ...(await weightsBeside(from))]
  const folder = safeName(basename(from))
  if (await isRun(from)) {
    return [configFile, weightsFile].map((one) => ({ path: `${folder}/${one}`, from: join(from, one) }))
  }
  // It loads the library of pictures, which only folders need.
  const { numberedPictures } = await import('../media/picture-clips.ts')
  const pictures = await numberedPictures(from)
  if (pictures.length === 0) {
    const what = 'this is a folder, and neither a run nor one of numbered pictures'
    throw new InputError({
      what,
      where: name,
      remedy: 'name a run, a video, or a folder of numbered pictures',
    })
  }
  // Two safe names may be the same. Their place in the order of the clip makes them differ, and keeps this order.
  const digits = String(pictures.length).length
  return pictures.map((one, i) => ({
    path: `${folder}/${String(i + 1).padStart(digits, '0')}-${safeName(basename(one))}`,
    from: one,
  }))
}

/** The files beside an ONNX model that its weights lie in. The model has their names, which therefore stay. */
async function weightsBeside(model: string): Promise<readonly InputFile[]> {
  if (!model.toLowerCase().endsWith('.onnx')) return []
  // It loads the format of ONNX, which only such files need.
  const { filesBeside } = await import('../model/onnx-file.ts')
  const files = (await filesBeside(model)).map((from) => ({ path: basename(from), from }))
  const odd = files.find(({ path }) => !isSafePath(path))
  if (odd === undefined) return files
  throw new InputError({
    what: 'the file with the weights of this model has a name that other machines may not take',
    where: model,
    got: JSON.stringify(odd.path),
    expected: 'letters, digits, dots and dashes',
    remedy: 'export the model as one file, or with another name for its weights',
  })
}

/** A file name that every system takes. The ending stays, because readers choose a format by it. */
const safeName = (name: string): string =>
  name
    .replaceAll(/[^\w.-]/g, '_')
    .replaceAll(/^\.+|\.+$/g, '_')
    .slice(-100)

/** Whether a path from a store stays in its folder on every system. */
export const isSafePath = (path: string): boolean =>
  path.length <= 400 &&
  path.split('/').every((part) => /^[\w.-]+$/.test(part) && !/^\.+$/.test(part) && !part.endsWith('.'))

/** The folder or file at the top of a tree of files. */
export const topOf = (path: string): string => (dirname(path) === '.' ? path : path.split('/')[0]!)
