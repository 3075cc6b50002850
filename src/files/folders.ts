// Folders of long work: how they are made, which names in them count as somebody's work, and the check that work is
// resumed only with the options that it was begun with.
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { InputError } from '../util/errors.ts'
import { codeOf } from './file-errors.ts'

/**
 * Makes a folder and its missing parents. Node's own recursive mkdir never returns on a file system that
 * answers "no such file" when a folder is made, as /proc does.
 *
 * @throws what mkdir throws.
 */
export async function makeFolder(path: string): Promise<void> {
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
