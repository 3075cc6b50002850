// Opens the store that a user names: a folder that all machines share, which is here, or an S3 server.
import { constants, copyFile, link, readdir, rmdir, stat, unlink, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isTemporary, removeAtExit, renamePatiently, temporaryPath } from '../files/atomic.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import { exists, makeFolder } from '../files/folders.ts'
import { readWhole } from '../files/read.ts'
import { InputError } from '../util/errors.ts'
import { assertKey, isKey, type Store, type Stored, tooLarge } from './task.ts'

/**
 * Opens the store that a user names.
 *
 * @param named a folder, or `s3://BUCKET/PREFIX`
 * @param options.make whether a missing folder is made (default). Who looks for what others have put there makes none.
 * @throws InputError for a name that cannot be used, EnvironmentError if a package or a server is missing.
 */
export async function openStore(named: string, { make = true } = {}): Promise<Store> {
  if (named.startsWith('s3:')) {
    const { openS3 } = await import('./s3-store.ts')
    return openS3(named)
  }
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(named)) {
    throw new InputError({
      what: 'there is no such kind of store',
      where: '--store',
      got: named.slice(0, named.indexOf(':')),
      expected: 'a folder, or s3://BUCKET/PREFIX',
    })
  }
  const folder = resolve(named)
  if (!make && !(await exists(folder))) {
    throw new InputError({
      what: 'there is no such store',
      where: '--store',
      got: named,
      expected: 'the folder that a command with --store has put tasks into',
      remedy: 'check its name, and that the disk is mounted on this machine',
    })
  }
  try {
    await makeFolder(folder)
  } catch (error) {
    throw fileError(error, folder, 'written')
  }
  return new FolderStore(folder)
}

/** A folder that all machines see under some path, such as one on NFS. */
export class FolderStore implements Store {
  constructor(readonly name: string) {}

  async read(key: string, most: number): Promise<Buffer | undefined> {
    try {
      return await readWhole(this.path(key), 'an object of the store', most)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  async write(key: string, content: string): Promise<void> {
    await this.withFolder(key, (path) => appear(path, (temporary) => writeFile(temporary, content)))
  }

  async create(key: string, content: string): Promise<boolean> {
    return this.withFolder(key, async (path) => {
      const temporary = temporaryPath(path)
      const settle = removeAtExit(temporary)
      try {
        await writeFile(temporary, content, { flag: 'wx' })
        // A hard link refuses an existing name in the same step, on NFS too.
        await link(temporary, path)
        return true
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return false
        throw fileError(error, path, 'written')
      } finally {
        await removeFile(temporary)
        settle()
      }
    })
  }

  async has(key: string): Promise<boolean> {
    return stat(this.path(key)).then(
      (found) => found.isFile(),
      () => false,
    )
  }

  async *list(prefix: string): AsyncGenerator<Stored> {
    yield* this.within(prefix.replace(/\/$/, ''))
  }

  async remove(key: string): Promise<void> {
    const path = this.path(key)
    await removeFile(path)
    // The folder of one task, if it is empty now, says nothing. One that is not empty stays.
    if (key.split('/').length > 2) await rmdir(dirname(path)).catch(() => {})
  }

  async upload(path: string, key: string): Promise<void> {
    await this.withFolder(key, (target) => copyWhole(path, target))
  }

  async download(key: string, path: string, most: number): Promise<void> {
    const from = this.path(key)
    const size = await stat(from).then(
      (found) => found.size,
      // The copy says why it cannot be read.
      () => 0,
    )
    if (size > most) throw tooLarge(this, key, most)
    await copyWhole(from, path)
  }

  private path(key: string): string {
    assertKey(key)
    return join(this.name, ...key.split('/'))
  }

  /** A folder may be removed by a worker that tidies up while another one writes into it. */
  private async withFolder<T>(key: string, work: (path: string) => Promise<T>): Promise<T> {
    const path = this.path(key)
    for (let attempt = 0; ; attempt++) {
      try {
        return await work(path)
      } catch (error) {
        if (attempt === 4 || !isMissing(error)) throw error
        if (attempt > 0) await sleep(20)
      }
      // Most folders are there. To try is one call less than to ask.
      await makeFolder(dirname(path)).catch((error: unknown) => {
        throw fileError(error, path, 'written')
      })
    }
  }

  private async *within(key: string): AsyncGenerator<Stored> {
    const folder = this.path(key)
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return []
      throw fileError(error, folder, 'read')
    })
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const one = `${key}/${entry.name}`
      if (isTemporary(entry.name) || !isKey(one)) continue
      if (entry.isDirectory()) yield* this.within(one)
      else if (entry.isFile() || (entry.isSymbolicLink() && (await this.has(one)))) yield { key: one }
    }
  }
}

/**
 * Makes a file that appears whole. Its bytes are not forced onto the disk, which takes longer than many a task: if the
 * power dies, its hash tells that it is damaged, and it is made again.
 */
export async function appear(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = temporaryPath(path)
  const settle = removeAtExit(temporary)
  try {
    await make(temporary)
    await renamePatiently(temporary, path)
  } catch (error) {
    await removeFile(temporary)
    throw fileError(error, path, 'written')
  } finally {
    settle()
  }
}

/** Removes a file, in one call of the system. A missing one is no error. */
async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
  })
}

/** Copies a file. File systems that can share the bytes of two files do so. */
const copyWhole = (from: string, to: string): Promise<void> =>
  appear(to, (temporary) => copyFile(from, temporary, constants.COPYFILE_FICLONE))

const isMissing = (error: unknown): boolean =>
  codeOf(error) === 'ENOENT' || (error instanceof Error && codeOf(error.cause) === 'ENOENT')
