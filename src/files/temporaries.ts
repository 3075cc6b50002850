import { randomBytes } from 'node:crypto'
import { readdir, rm, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'

/** `.clip.1234-0a1b2c3d4e5f.tmp.mp4`: hidden, with the process id and, last, the target's own extension. */
const pattern = /^\..*\.(\d+)-[0-9a-f]{12}\.tmp(\.[^.]*)?$/

/**
 * A new name beside `path` for its bytes until they are complete. The extension is kept, because some
 * writers choose their format by it; a long name is cut, so that the marker fits into 255 bytes.
 */
export function temporaryPath(path: string): string {
  const extension = extname(path).length <= 16 ? extname(path) : ''
  const stem = basename(path, extension).slice(0, 40)
  const unique = `${process.pid}-${randomBytes(6).toString('hex')}`
  return join(dirname(path), `.${stem}.${unique}.tmp${extension}`)
}

/** Whether a file name (without folder) is one that `temporaryPath` makes. */
export function isTemporary(name: string): boolean {
  return pattern.test(name)
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
 * Removes the temporaries that killed processes left in a folder. A file stays if its process runs, or
 * if it was written to in the last `olderThan` seconds: it may belong to another machine that shares the
 * folder. Files that cannot be removed are left; a missing folder is no error.
 *
 * @returns the names removed.
 */
export async function removeStaleTemporaries(folder: string, { olderThan = 600 } = {}): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  const removed: string[] = []
  for (const name of names) {
    const pid = pattern.exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    try {
      const { mtimeMs } = await stat(join(folder, name))
      if (Date.now() - mtimeMs < olderThan * 1000) continue
      await rm(join(folder, name), { force: true })
      removed.push(name)
    } catch {
      // Somebody else removed it, or may not be ours to remove: neither stops the work.
    }
  }
  return removed
}
