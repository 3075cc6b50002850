// Reading files that may be anything: what is no regular file, too large, or cut while it is read is refused.
import { constants, readSync, type Stats } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { FormatError, InputError } from '../util/errors.ts'
import { fileError } from './file-errors.ts'

/**
 * Refuses what is not a regular file before it is opened: opening a pipe would wait for a process that writes to it.
 *
 * @param expected what the file should be, for the message: 'a video or picture file'.
 * @param options.allowEmpty whether a file without bytes passes. Default true.
 * @returns the size in bytes.
 * @throws InputError for a folder, a device, a pipe or a socket, or a path that cannot be read.
 */
export async function assertFile(
  path: string,
  expected: string,
  { allowEmpty = true } = {},
): Promise<number> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileError(error, path, 'read')
  })
  if (found.isFile() && found.size === 0 && !allowEmpty) {
    throw new InputError({ what: 'the file is empty', where: path, expected })
  }
  if (found.isFile()) return found.size
  throw notAFile(path, found, expected)
}

/** The error for what is no regular file. @param expected what the file should be */
export function notAFile(path: string, found: Pick<Stats, 'isDirectory'>, expected: string): InputError {
  return new InputError({
    what: found.isDirectory() ? 'this is a folder' : 'this is not a file',
    where: path,
    got: found.isDirectory() ? 'a folder' : 'a device, pipe or socket',
    expected,
    remedy: found.isDirectory() ? 'name a file in it' : 'name a file',
  })
}

/**
 * Opens a regular file for reading. Nothing else is opened, and no pipe is waited for, also if it takes the place of the
 * file in this moment.
 *
 * @param expected what the file should be, for messages.
 * @throws InputError if the path cannot be read or is no regular file.
 */
export async function openFile(path: string, expected: string): Promise<FileHandle> {
  return (await openSized(path, expected)).handle
}

/** The same, with the size in bytes. */
async function openSized(
  path: string,
  expected: string,
): Promise<{ readonly handle: FileHandle; readonly size: number }> {
  await assertFile(path, expected)
  let handle: FileHandle | undefined
  try {
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const found = await handle.stat()
    if (!found.isFile()) throw notAFile(path, found, expected)
    return { handle, size: found.size }
  } catch (error) {
    await handle?.close()
    throw fileError(error, path, 'read')
  }
}

/**
 * Reads a whole file into memory.
 *
 * @param expected what the file should be, for messages: 'an ONNX model'.
 * @param most bytes that the file may have.
 * @throws InputError if the path cannot be read or is no regular file, FormatError if the file is larger.
 */
export async function readWhole(path: string, expected: string, most: number): Promise<Buffer<ArrayBuffer>> {
  const { handle, size } = await openSized(path, expected)
  try {
    if (size > most) {
      throw new FormatError({
        what: 'the file is too large',
        where: path,
        got: `${size} bytes`,
        expected: `${expected}, of at most ${most} bytes`,
      })
    }
    return await handle.readFile()
  } catch (error) {
    throw fileError(error, path, 'read')
  } finally {
    await handle.close()
  }
}

/**
 * The first bytes of a file; fewer than `length` if the file is shorter.
 *
 * @param expected what the file should be, for messages.
 * @throws InputError if the path cannot be read or is no regular file.
 */
export async function readStart(path: string, expected: string, length: number): Promise<Uint8Array> {
  const file = await FileBytes.open(path, expected)
  try {
    const bytes = new Uint8Array(Math.min(length, file.size))
    await file.read(bytes, 0)
    return bytes
  } finally {
    await file.close()
  }
}

/** Bytes that are read by position, when they are asked for. */
export interface Bytes {
  readonly size: number
  /** Fills `into` from byte `at` on, without leaving the thread. @throws FormatError beyond the end. */
  readNow(into: Uint8Array, at: number): void
}

/** A file that is open for reading at any position. */
export class FileBytes implements Bytes {
  private closed = false

  private constructor(
    private readonly source: FileHandle | Uint8Array,
    readonly path: string,
    readonly size: number,
  ) {}

  /**
   * @param expected what the file should be, for messages: 'a PyTorch file'.
   * @throws InputError if the path cannot be read or is no regular file.
   */
  static async open(path: string, expected: string): Promise<FileBytes> {
    const handle = await openFile(path, expected)
    try {
      return new FileBytes(handle, path, (await handle.stat()).size)
    } catch (error) {
      await handle.close()
      throw fileError(error, path, 'read')
    }
  }

  /** The content of a file that is in memory already, because it had to be inflated. */
  static inMemory(path: string, content: Uint8Array): FileBytes {
    return new FileBytes(content, path, content.length)
  }

  /**
   * Fills `into` from byte `at` on.
   *
   * @throws FormatError beyond the end, InputError after `close` or if the disk fails.
   */
  async read(into: Uint8Array, at: number): Promise<void> {
    this.check(into.length, at)
    const { source } = this
    if (source instanceof Uint8Array) {
      into.set(source.subarray(at, at + into.length))
      return
    }
    // The system cuts a read at 2^31 - 1 bytes, and a read may be shorter still.
    const most = 1 << 30
    for (let done = 0; done < into.length; ) {
      const length = Math.min(most, into.length - done)
      const { bytesRead } = await source.read(into, done, length, at + done)
      if (bytesRead === 0) this.shorter(at + done)
      done += bytesRead
    }
  }

  readNow(into: Uint8Array, at: number): void {
    this.check(into.length, at)
    const { source } = this
    if (source instanceof Uint8Array) {
      into.set(source.subarray(at, at + into.length))
      return
    }
    for (let done = 0; done < into.length; ) {
      const bytesRead = readSync(source.fd, into, done, into.length - done, at + done)
      if (bytesRead === 0) this.shorter(at + done)
      done += bytesRead
    }
  }

  /** Closes the file. Calling it again does no harm. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    if (!(this.source instanceof Uint8Array)) await this.source.close()
  }

  private check(length: number, at: number): void {
    if (this.closed) {
      const remedy = 'read the tensors first, then close the file'
      throw new InputError({ what: 'read after the file was closed', where: this.path, remedy })
    }
    if (at < 0 || at + length > this.size) {
      const got = `${length} bytes from byte ${at} in a file of ${this.size}`
      const remedy = 'download the file again, or save it again'
      throw new FormatError({ what: 'data beyond the end of the file', where: this.path, got, remedy })
    }
  }

  private shorter(at: number): never {
    const got = `its end at byte ${at}`
    throw new FormatError({ what: 'the file became shorter while it was read', where: this.path, got })
  }
}

/** Bytes that are in memory already. */
export function bytesInMemory(bytes: Uint8Array): Bytes {
  return { size: bytes.length, readNow: (into, at) => into.set(bytes.subarray(at, at + into.length)) }
}
