// The demo's folder: made, or an earlier demo in it replaced.
import type { Dirent } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, fileError } from '../../files/file-errors.ts'
import { isIgnorable } from '../../files/folders.ts'
import { demoFiles } from '../../report/demo-page.ts'
import { InputError } from '../../util/errors.ts'

/**
 * Makes the demo's folder. An earlier demo in it is removed with `force`; anything else is never touched.
 *
 * @throws InputError if there is something in it, or it cannot be written.
 */
export async function prepareFolder(folder: string, force: boolean): Promise<void> {
  try {
    const found = await namesIn(folder)
    assertOwn(folder, found, force)
    // The run is replaced by train, which knows whether it is in use.
    const old = found.filter(({ name }) => name !== demoFiles.run)
    await Promise.all(old.map(({ name }) => rm(join(folder, name), { force: true })))
    await mkdir(folder, { recursive: true })
  } catch (error) {
    throw fileError(error, folder, 'written')
  }
}

/** The entries of the folder, without files of file managers and half-written files of a killed demo. */
async function namesIn(folder: string): Promise<Dirent[]> {
  const found = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  return found.filter(({ name }) => !isIgnorable(name))
}

function assertOwn(folder: string, found: readonly Dirent[], force: boolean): void {
  const names = found.map(({ name }) => name)
  const strange = found.filter((entry) => !isDemos(entry)).map(({ name }) => name)
  if (strange.length === 0 && (names.length === 0 || force)) return
  throw new InputError({
    what: strange.length > 0 ? 'the folder holds other things than a demo' : 'a demo is here already',
    where: folder,
    got: (strange.length > 0 ? strange : names).slice(0, 5).join(', '),
    expected: 'a new or an empty folder',
    remedy:
      strange.length > 0 ? 'choose another folder' : 'replace it with --force, or choose another folder',
  })
}

const known: ReadonlySet<string> = new Set(Object.values(demoFiles))

/** Whether a demo makes it, by its name. All but the run are files. */
const isDemos = (entry: Dirent) =>
  known.has(entry.name) && (entry.name === demoFiles.run || entry.isFile() || entry.isSymbolicLink())
