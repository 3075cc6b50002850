// Atomic writes: whenever the process or the power dies, a file is either its earlier version or the new one.
// The bytes go to a temporary in the same folder, reach the disk, and take the file's name in one rename.
import { randomBytes } from 'node:crypto'
import { constants, rmSync } from 'node:fs'
import { access, copyFile, link, open, readdir, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { InputError } from '../util/errors.ts'
import { codeOf, fileError } from './file-errors.ts'
import { makeFolder } from './folders.ts'

/** A file that is being written: write to `temporary`, then call `commit` or `abort` once. */
export interface Output {
  /** Path to write to: in the folder of the final file, with its extension. */
  readonly temporary: string
  /** Flushes the bytes to the disk and gives the file its name. If that fails, the temporary is removed. */
  commit(): Promise<void>
  /** Removes the temporary. After `commit` it does nothing. */
  abort(): Promise<void>
}

/**
 * Replaces or creates a file. Text is written as UTF-8; parts are written in order and never joined in memory.
 *
 * @throws EnvironmentError if the disk is full or fails, InputError if the path cannot be written. In both
 * cases an earlier file is intact and no temporary is left.
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
  const settle = removeAtExit(temporary)
  const abort = async () => {
    await rm(temporary, { force: true })
    settle()
  }
  const commit = async () => {
    try {
      await sync(temporary)
      if (options.overwrite) await renamePatiently(temporary, target)
      else await renameToNew(temporary, target)
      settle()
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

/** A hard link refuses an existing name in the same step. File systems without links need two steps. */
async function renameToNew(temporary: string, target: string): Promise<void> {
  try {
    await link(temporary, target)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') throw existsAlready(target)
    if (!withoutLinks.has(code)) throw error
    // This refuses an existing folder too, whatever the code of the error was.
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

/** Flushes a folder to the disk, so that a rename or a new name in it survives a power cut. */
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

/** Errors of a rename on Windows while a virus scanner or an indexer has one of the two files open. */
const transient: readonly (string | undefined)[] = ['EPERM', 'EACCES', 'EBUSY']

/** Milliseconds between two attempts: two seconds in total. */
const pauses: readonly number[] = [10, 20, 50, 100, 200, 400, 600, 620]

/**
 * Renames a file. On Windows it tries for two seconds, because a program that reads the file for a moment stops a
 * rename there.
 *
 * @param world the system, which a test replaces.
 * @throws what the last attempt throws.
 */
export async function renamePatiently(
  from: string,
  to: string,
  world: { readonly platform: string; rename(from: string, to: string): Promise<void> } = {
    platform: process.platform,
    rename,
  },
): Promise<void> {
  const waits = world.platform === 'win32' ? pauses : []
  for (const wait of waits) {
    try {
      return await world.rename(from, to)
    } catch (error) {
      if (!transient.includes(codeOf(error))) throw error
    }
    await setTimeout(wait)
  }
  await world.rename(from, to)
}

/** `.clip.1234-0a1b2c3d4e5f.tmp.mp4`: hidden, with the process id, and with the target's extension at the end. */
const temporaryName = /^\..*\.(\d+)-[0-9a-f]{12}\.tmp(\.[^.]*)?$/

/**
 * A new name beside `path`, under which its bytes are written until they are complete. The extension is kept,
 * because some writers choose their format by it. A long name is cut, so that the result fits into 255 bytes.
 */
export function temporaryPath(path: string): string {
  const extension = extname(path).length <= 16 ? extname(path) : ''
  const stem = basename(path, extension).slice(0, 40)
  const unique = `${process.pid}-${randomBytes(6).toString('hex')}`
  return join(dirname(path), `.${stem}.${unique}.tmp${extension}`)
}

/** Temporaries that this process is writing. */
const unsettled = new Set<string>()

/**
 * Has a temporary removed if the process is ended before it is complete, as by a second Ctrl-C.
 *
 * @returns a function to call when the temporary is gone, or has its name.
 */
export function removeAtExit(temporary: string): () => void {
  if (!isWatching) process.on('exit', removeUnsettled)
  isWatching = true
  unsettled.add(temporary)
  return () => {
    unsettled.delete(temporary)
  }
}

let isWatching = false

/** Nothing can be waited for any more when a process ends. */
function removeUnsettled(): void {
  for (const temporary of unsettled) {
    try {
      rmSync(temporary, { force: true })
    } catch {
      // Windows removes no open files. The next output in the folder removes them.
    }
  }
}

/** Whether a file name (without folder) is one that `temporaryPath` makes. */
export function isTemporary(name: string): boolean {
  return temporaryName.test(name)
}

/** Whether a process with this id runs on this machine. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, under another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/**
 * Removes the temporaries that killed processes left in a folder. A file stays if its process runs, or if it
 * was written to in the last `olderThan` seconds: it may belong to another machine that shares the folder.
 * Files that cannot be removed stay. A missing folder is no error.
 *
 * @returns the names removed.
 */
export async function removeStaleTemporaries(folder: string, { olderThan = 600 } = {}): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  const removed: string[] = []
  for (const name of names) {
    const pid = temporaryName.exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    try {
      const { mtimeMs } = await stat(join(folder, name))
      // After the clock was set back, a leftover has a time to come.
      if (Math.abs(Date.now() - mtimeMs) < olderThan * 1000) continue
      await rm(join(folder, name), { force: true })
      removed.push(name)
    } catch {
      // Another process has removed it, or this process may not. Neither is a reason to stop.
    }
  }
  return removed
}

/** Moves a file, also to another disk. It appears whole, in a folder that is made if it is missing. @throws InputError */
export async function moveFile(from: string, to: string): Promise<void> {
  try {
    await makeFolder(dirname(to))
    await rename(from, to)
  } catch (error) {
    if (codeOf(error) !== 'EXDEV') throw fileError(error, to, 'written')
    const output = await createOutput(to, { overwrite: true })
    try {
      await copyFile(from, output.temporary)
      await output.commit()
    } finally {
      await output.abort()
    }
  }
}
