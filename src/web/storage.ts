// The browser's own storage (the origin private file system), in which each run has a folder and a lock.
import { isDeviceName } from '../run/run-files.ts'
import { EnvironmentError, InputError, messageOf, PantinError } from '../util/errors.ts'

/** The folder of all runs. @throws EnvironmentError if the browser gives the page no storage. */
export async function runsFolder(): Promise<FileSystemDirectoryHandle> {
  const storage = (navigator as Partial<Pick<Navigator, 'storage'>>).storage
  if (storage?.getDirectory === undefined) {
    throw missing(
      'this page has no storage of its own to keep runs in',
      'open it by https or on localhost, in a browser that is up to date',
    )
  }
  try {
    const root = await storage.getDirectory()
    const own = await root.getDirectoryHandle('pantin', { create: true })
    return await own.getDirectoryHandle('runs', { create: true })
  } catch (error) {
    throw storageError(error, 'the storage of this page')
  }
}

/** Checks a run's name: letters, digits and a few signs, which name a folder on every system. @throws InputError */
export function checkRunName(name: string): void {
  const isUsual = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u.test(name) && !/[ .]$/.test(name)
  if (isUsual && !isDeviceName(name)) return
  throw new InputError({
    what: 'a run cannot have this name',
    got: name === '' ? 'no name' : JSON.stringify(name.slice(0, 80)),
    expected:
      'up to 64 letters, digits, spaces, dots, hyphens and underscores; a letter or digit first; no name of a device of Windows such as con',
  })
}

/** The typed error of a failed use of storage. */
export function storageError(error: unknown, where: string): unknown {
  if (error instanceof PantinError) return error
  if (isFull(error)) {
    return new EnvironmentError(
      {
        what: "the browser's storage is full",
        where,
        got: 'its quota is used up',
        remedy: 'remove runs that are not needed, or free space on the disk, then try again',
      },
      { cause: error },
    )
  }
  if (error instanceof DOMException) {
    return new EnvironmentError(
      {
        what: "the browser's storage failed",
        where,
        got: `${error.name}: ${messageOf(error)}`,
        remedy: 'reload the page; in a private window storage may be off',
      },
      { cause: error },
    )
  }
  return error
}

/** Whether an error says that the storage has no room. */
export function isFull(error: unknown): boolean {
  if (error instanceof EnvironmentError) return isFull(error.cause)
  return error instanceof DOMException && error.name === 'QuotaExceededError'
}

const isAbsent = (error: unknown): boolean =>
  error instanceof DOMException && (error.name === 'NotFoundError' || error.name === 'TypeMismatchError')

/** Names of the errors of a file that was replaced after it was opened. */
const replaced: ReadonlySet<string> = new Set(['NotReadableError', 'NotFoundError'])
const mostAttempts = 10

/** A folder of files by paths such as `last/checkpoint.safetensors`. */
export class StoredFolder {
  constructor(
    private readonly handle: FileSystemDirectoryHandle,
    /** For messages. */
    readonly name: string,
  ) {}

  /** A run's folder. @returns undefined if there is none and `create` is false. */
  static async ofRun(name: string, { create = false } = {}): Promise<StoredFolder | undefined> {
    checkRunName(name)
    const runs = await runsFolder()
    try {
      return new StoredFolder(await runs.getDirectoryHandle(name, { create }), name)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw storageError(error, name)
    }
  }

  /** The file as it is now; undefined if there is none. */
  async read(path: string): Promise<File | undefined> {
    try {
      const handle = await this.file(path, false)
      const file = await handle.getFile()
      // A page that ended or a full storage leaves files that were made and not written. No file of a run is empty.
      return file.size === 0 ? undefined : file
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw storageError(error, `${this.name}/${path}`)
    }
  }

  /**
   * Reads from a file that a training may replace meanwhile: then the new file is read.
   *
   * @returns undefined if there is no such file.
   */
  async readWith<T>(path: string, use: (file: File) => Promise<T>): Promise<T | undefined> {
    for (let attempt = 1; ; attempt++) {
      const file = await this.read(path)
      try {
        return file && (await use(file))
      } catch (error) {
        // A file that was replaced cannot be read through its old handle.
        const isReplaced = error instanceof DOMException && replaced.has(error.name)
        if (!isReplaced || attempt === mostAttempts) throw storageError(error, `${this.name}/${path}`)
      }
    }
  }

  /** Replaces a file in one step: whenever the page ends, the file is whole, as it was or as it is written. */
  async write(path: string, content: readonly (BlobPart & FileSystemWriteChunkType)[]): Promise<void> {
    try {
      const handle = await this.file(path, true)
      const writable = await handle.createWritable()
      try {
        for (const part of content) await writable.write(part)
        await writable.close()
      } catch (error) {
        await writable.abort().catch(() => {})
        throw error
      }
    } catch (error) {
      throw storageError(error, `${this.name}/${path}`)
    }
  }

  /** A file's handle, with which a worker reads and writes its bytes. */
  file(path: string, create: boolean): Promise<FileSystemFileHandle> {
    return this.within(path, create, (folder, name) => folder.getFileHandle(name, { create }))
  }

  /** Removes a file, if it is there. */
  async remove(path: string): Promise<void> {
    try {
      await this.within(path, false, (folder, name) => folder.removeEntry(name))
    } catch (error) {
      if (!isAbsent(error)) throw storageError(error, `${this.name}/${path}`)
    }
  }

  /** Every file's path. */
  async paths(): Promise<string[]> {
    try {
      return await pathsIn(this.handle, '')
    } catch (error) {
      throw storageError(error, this.name)
    }
  }

  private async within<T>(
    path: string,
    create: boolean,
    use: (folder: FileSystemDirectoryHandle, name: string) => Promise<T>,
  ): Promise<T> {
    const folders = path.split('/')
    const name = folders.pop()!
    let folder = this.handle
    for (const part of folders) folder = await folder.getDirectoryHandle(part, { create })
    return use(folder, name)
  }
}

async function pathsIn(folder: FileSystemDirectoryHandle, prefix: string): Promise<string[]> {
  const paths: string[] = []
  for await (const [name, handle] of folder.entries()) {
    if (handle.kind === 'file') paths.push(prefix + name)
    else paths.push(...(await pathsIn(handle as FileSystemDirectoryHandle, `${prefix}${name}/`)))
  }
  return paths.sort()
}

/**
 * Does something while no other tab or worker uses a run. When a page ends, the browser frees its locks.
 *
 * @throws InputError if the run is in use; EnvironmentError if the browser has no locks.
 */
export async function withRunLock<T>(name: string, use: () => Promise<T>): Promise<T> {
  const { locks } = navigator as Partial<Pick<Navigator, 'locks'>>
  if (locks === undefined) {
    throw missing('this page cannot tell two tabs apart', 'open it by https or on localhost')
  }
  return locks.request(`pantin/runs/${name}`, { ifAvailable: true }, (lock) => {
    if (lock !== null) return use()
    throw new InputError({
      what: 'this run is in use',
      where: name,
      got: 'another tab, or another part of this page, trains it',
      expected: 'a run that no other tab trains',
      remedy: 'pause or close it there, or choose another name',
    })
  })
}

/** The error of something that a browser lacks. */
function missing(what: string, remedy: string): EnvironmentError {
  return new EnvironmentError({ what, remedy })
}
