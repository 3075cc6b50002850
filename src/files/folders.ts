// Folders of long work: how they are made, which names in them count as somebody's work, the check that work is resumed
// only with the options that it was begun with, the check that an output is none of the inputs, and names for many outputs.
import { mkdir, readdir, realpath, stat } from 'node:fs/promises'
import { dirname, extname, join, relative, sep } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { InputError } from '../util/errors.ts'
import { addressError, codeOf } from './file-errors.ts'

/**
 * Makes a folder and its missing parents. Node's own recursive mkdir never returns on a file system that
 * answers "no such file" when a folder is made, as /proc does.
 *
 * @throws InputError for an address instead of a path; otherwise what mkdir throws.
 */
export async function makeFolder(path: string): Promise<void> {
  const address = addressError(path)
  if (address !== undefined) throw address
  const missing: string[] = []
  for (let at = path; !(await isFolder(at)); at = dirname(at)) {
    missing.push(at)
    if (dirname(at) === at) break
  }
  for (const folder of missing.reverse()) {
    try {
      await mkdir(folder)
    } catch (error) {
      // Another process may have made it in the meantime; a file of this name is an error.
      if (codeOf(error) !== 'EEXIST' || !(await isFolder(folder))) throw error
    }
  }
}

/** Whether there is a folder at `path`; links are followed. */
export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

/** Whether there is anything at `path`; links are followed. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** Files that the Windows file manager writes into folders that it shows. */
const fileManagerNames: readonly string[] = ['Thumbs.db', 'desktop.ini']

/**
 * Whether a name in a folder is nobody's work: hidden files, pantin's own temporaries among them, and the files of
 * file managers. A folder that holds no other names counts as empty.
 */
export function isIgnorable(name: string): boolean {
  return name.startsWith('.') || fileManagerNames.includes(name)
}

/** What decides the result of long work, by the names of the options that it comes from. */
export type Facts = Readonly<Record<string, unknown>>

export interface ResumeOptions {
  /** The message of the error, which names the option that differs: `the run was begun with another size`. */
  what(name: string): string
  /** The folder of the work. */
  readonly where: string
  readonly remedy: string | ((name: string) => string)
  /** Compares these options only (default: every option of either side). */
  readonly among?: ReadonlySet<string>
}

/** @throws InputError for the first option whose value differs. */
export function assertResumable(begun: Facts, asked: Facts, options: ResumeOptions): void {
  const { what, where, remedy, among } = options
  for (const name of new Set([...Object.keys(begun), ...Object.keys(asked)])) {
    const [expected, got] = [begun[name], asked[name]]
    if (among?.has(name) === false || isDeepStrictEqual(expected, got)) continue
    throw new InputError({
      ...{ what: what(name), where, remedy: typeof remedy === 'string' ? remedy : remedy(name) },
      got: JSON.stringify(got) ?? 'nothing',
      expected: JSON.stringify(expected) ?? 'nothing',
    })
  }
}

/**
 * Refuses outputs that would replace an input: the same file under the same or another name, through symbolic or hard
 * links; an existing file in a folder that is an input; and an existing folder that an input is in. Names that are no
 * files are passed over.
 *
 * @throws InputError
 */
export async function assertNoInput(
  outputs: readonly (string | undefined)[],
  inputs: readonly unknown[],
): Promise<void> {
  const names = inputs.filter((input) => typeof input === 'string')
  for (const output of outputs) {
    const target = output === undefined ? undefined : await fileAt(output)
    if (output === undefined || target === undefined) continue
    for (const input of names) {
      const source = await fileAt(input)
      if (source === undefined) continue
      const isSame = source.id === target.id
      const isInside = source.isFolder && isWithin(target.path, source.path)
      const isAround = target.isFolder && isWithin(source.path, target.path)
      if (isSame || isInside || isAround) throw isInput(output, input, isSame)
    }
  }
}

/** Whether two names are one existing file. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = [await fileAt(a), await fileAt(b)]
  return first !== undefined && first.id === second?.id
}

/** Whether a path is below a folder, or the folder itself. Both are absolute, without links. */
export const isIn = (path: string, folder: string): boolean => path === folder || isWithin(path, folder)

const isWithin = (path: string, folder: string): boolean =>
  path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

interface Found {
  readonly path: string
  /** Device and number of the file, which all its hard links share. */
  readonly id: string
  readonly isFolder: boolean
}

async function fileAt(name: string): Promise<Found | undefined> {
  try {
    const path = await realpath(name)
    const found = await stat(path, { bigint: true })
    return { path, id: `${found.dev}:${found.ino}`, isFolder: found.isDirectory() }
  } catch {
    // No file: a clip such as puppet:7, or a name that another check refuses.
    return undefined
  }
}

function isInput(output: string, input: string, isSame: boolean): InputError {
  return new InputError({
    what: isSame ? 'the output is one of the inputs' : 'the output would replace a file of the input',
    where: output,
    got: input,
    expected: 'a file that is no input; --force does not allow it either',
    remedy: 'choose another name for the output',
  })
}

/** What changes with the content of a file or a folder. */
export interface Stamp {
  /** Size of the file, or of all files that are in the folder; -1 if there is neither. */
  readonly bytes: number
  /** Time of the last change, in milliseconds since 1970; -1 if there is neither. */
  readonly modified: number
}

/** The stamp of a file, or of a folder of files, such as the pictures of a clip. */
export async function stampOf(path: string): Promise<Stamp> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return { bytes: -1, modified: -1 }
  if (!found.isDirectory()) return { bytes: found.size, modified: found.mtimeMs }
  const names = await readdir(path).catch(() => [])
  const files = await Promise.all(names.map((name) => stat(join(path, name)).catch(() => undefined)))
  return {
    bytes: files.reduce((sum, file) => sum + (file?.isFile() ? file.size : 0), 0),
    modified: files.reduce((last, file) => Math.max(last, file?.mtimeMs ?? 0), found.mtimeMs),
  }
}

/**
 * Names of files to write, one for each input: the input's own name below `from`, with another ending. No two are the same,
 * also where capitals do not count: of `a.mp4` and `a.mov`, the files are `a.mp4.json` and `a.mov.json`.
 *
 * @param reserved names that other files of the folder have, or may get
 */
export function outputNames(
  inputs: readonly string[],
  from: string,
  ending: string,
  reserved: readonly string[] = [],
): Map<string, string> {
  const named = inputs.map((input) => ({ input, name: relative(from, input) }))
  const short = (name: string) => name.slice(0, name.length - extname(name).length) + ending
  const count = new Map<string, number>()
  for (const { name } of named) {
    const key = short(name).toLowerCase()
    count.set(key, (count.get(key) ?? 0) + 1)
  }
  const others = reserved.map((name) => name.toLowerCase())
  const isAlone = (name: string) =>
    count.get(short(name).toLowerCase()) === 1 && !others.includes(short(name).toLowerCase())
  const taken = new Set([
    ...others,
    ...named.filter(({ name }) => isAlone(name)).map(({ name }) => short(name).toLowerCase()),
  ])
  return new Map(
    named.map(({ input, name }) => {
      if (isAlone(name)) return [input, short(name)]
      let chosen = `${name}${ending}`
      for (let n = 2; taken.has(chosen.toLowerCase()); n++) chosen = `${name}.${n}${ending}`
      taken.add(chosen.toLowerCase())
      return [input, chosen]
    }),
  )
}
