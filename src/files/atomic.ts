/**
 * Files that are either the earlier version or the new one, whenever the process or the power dies:
 * the bytes go to a temporary in the same folder, reach the disk, and take the name in one rename.
 */
import { constants } from 'node:fs'
import { access, link, open, readlink, realpath, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { InputError } from '../util/errors.ts'
import { codeOf, fileError } from './file-errors.ts'
import { renamePatiently } from './patient-rename.ts'
import { removeStaleTemporaries, temporaryPath } from './temporaries.ts'

export { removeStaleTemporaries } from './temporaries.ts'

/** A file in the making: write to `temporary`, then call `commit` or `abort`, once. */
export interface Output {
  /** Path to write to: same folder and extension as the final file. */
  readonly temporary: string
  /** Flushes to the disk and gives the file its name. On failure the temporary is removed. */
  commit(): Promise<void>
  /** Removes the temporary. Harmless after `commit`. */
  abort(): Promise<void>
}

/**
 * Replaces or creates `path` with these bytes (text as UTF-8; parts in order, never joined in memory).
 *
 * @throws EnvironmentError if the disk is full or fails, InputError if the path cannot be written. Either
 * way an earlier file is intact and no temporary is left.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
): Promise<void> {
  const parts = toParts(content)
  const needed = parts.reduce((sum, part) => sum + part.byteLength, 0)
  const output = await createOutput(path, { overwrite: true })
  try {
    const file = await open(output.temporary, 'wx')
    try {
      for (const part of parts) await file.writeFile(part)
    } finally {
      await file.close()
    }
    await output.commit()
  } catch (error) {
    await output.abort()
    throw fileError(error, path, 'written', needed)
  }
}

function toParts(content: string | Uint8Array | readonly Uint8Array[]): readonly Uint8Array[] {
  if (typeof content === 'string') return [Buffer.from(content)]
  return content instanceof Uint8Array ? [content] : content
}

/**
 * A place for a writer that needs a path of its own (a video, say). Nothing is created yet.
 *
 * @param options.overwrite whether `commit` may replace a file of this name.
 * @throws InputError if the path cannot be written, or exists and `overwrite` is false.
 */
export async function createOutput(path: string, options: { overwrite: boolean }): Promise<Output> {
  await assertWritableTarget(path, { force: options.overwrite })
  // Through a symbolic link, so that the link stays one.
  const target = await realpath(path).catch(() => path)
  const temporary = temporaryPath(target)
  await removeStaleTemporaries(dirname(target))
  const abort = () => rm(temporary, { force: true })
  const commit = async () => {
    try {
      await sync(temporary)
      if (options.overwrite) await renamePatiently(temporary, target)
      else await renameToNew(temporary, target)
      await syncFolder(dirname(target))
    } catch (error) {
      await abort()
      throw fileError(error, path, 'written')
    }
  }
  return { temporary, commit, abort }
}

/**
 * Checks, before any long work, that a file can be written at `path`: its folder exists and is writable,
 * and nothing is there, not even a dangling link, or with `force` a regular file that may be replaced.
 *
 * @throws InputError that says which of these fails.
 */
export async function assertWritableTarget(path: string, { force }: { force: boolean }): Promise<void> {
  try {
    if (path === '' || path.endsWith('/')) throw Object.assign(new Error(path), { code: 'EISDIR' })
    const found = await stat(path).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    })
    if (found !== undefined) {
      // Renaming over a device such as /dev/null would destroy it.
      if (!found.isFile()) {
        throw new InputError({
          what: 'cannot be written: it exists and is not a regular file',
          where: path,
          got: found.isDirectory() ? 'a folder' : 'a device, pipe or socket',
          expected: 'a file name',
          remedy: 'name a file',
        })
      }
      if (!force) throw existsAlready(path)
      await access(path, constants.W_OK)
    }
    // Its new file would replace the link itself.
    if (found === undefined) await refuseDanglingLink(path)
    const folder = dirname(await realpath(path).catch(() => path))
    if (!(await stat(folder)).isDirectory()) throw Object.assign(new Error(folder), { code: 'ENOTDIR' })
    await access(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw fileError(error, path, 'written')
  }
}

async function refuseDanglingLink(path: string): Promise<void> {
  const target = await readlink(path).catch(() => undefined)
  if (target === undefined) return
  throw new InputError({
    what: 'cannot be written: it is a symbolic link to a file that is not there',
    where: path,
    got: `a link to ${target}`,
    remedy: 'name that file itself, or remove the link',
  })
}

function existsAlready(path: string): InputError {
  return new InputError({
    what: 'exists already and is not overwritten',
    where: path,
    remedy: 'choose another name, or allow overwriting with --force',
  })
}

/** What file systems without hard links answer; EISDIR and EINVAL are FAT's and exFAT's on Windows. */
const withoutLinks: ReadonlySet<string | undefined> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EISDIR',
  'EINVAL',
])

/** A hard link refuses an existing name in the same step; file systems without links get two steps. */
async function renameToNew(temporary: string, target: string): Promise<void> {
  try {
    await link(temporary, target)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') throw existsAlready(target)
    if (!withoutLinks.has(code)) throw error
    // A folder that is there is refused by this too, whatever the code said.
    await assertWritableTarget(target, { force: false })
    await renamePatiently(temporary, target)
    return
  }
  await rm(temporary, { force: true })
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes a rename or a new name survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows has no such call, and some network file systems refuse it.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(error) ?? '')) throw error
  } finally {
    await handle.close()
  }
}
