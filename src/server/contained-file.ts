import { constants } from 'node:fs'
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { codeOf, fileError } from '../files/file-errors.ts'

/** A file of a folder, open for reading. Whoever gets it closes it. */
export interface ContainedFile {
  /** Where it really is. */
  readonly path: string
  readonly handle: FileHandle
  readonly size: number
  readonly modified: Date
}

/** System codes that mean that there is no such file to serve. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EISDIR', 'ENXIO'])

/**
 * Opens a regular file that really lies in a folder, whatever links lead there.
 *
 * @param folder as `realpath` gives it.
 * @param name its path in there, with slashes.
 * @returns undefined where there is none, or links lead out of the folder.
 * @throws InputError, EnvironmentError for one that cannot be read.
 */
export async function openContained(folder: string, name: string): Promise<ContainedFile | undefined> {
  const asked = join(folder, ...name.split('/'))
  try {
    const path = await realpath(asked)
    // The root of a file system ends with its separator already.
    if (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return undefined
    // Before opening, which has effects on devices.
    if (!(await lstat(path)).isFile()) return undefined
    // Not through a link, or into a pipe, that took its place since.
    const handle = await open(
      path,
      constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0),
    )
    const found = await handle.stat()
    if (found.isFile()) return { path, handle, size: found.size, modified: found.mtime }
    await handle.close()
    return undefined
  } catch (error) {
    if (absent.has(codeOf(error) ?? '')) return undefined
    throw fileError(error, asked, 'read')
  }
}
