import { readSync } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { FormatError, InputError } from '../../util/errors.ts'
import { damaged } from './limits.ts'

/** Bytes at fixed places, read when they are asked for. */
export interface Bytes {
  readonly size: number
  /** Fills `into` from byte `at`, without leaving the thread. @throws FormatError beyond the end. */
  readNow(into: Uint8Array, at: number): void
}

/** A file that is open for reading at any place. */
export class FileBytes implements Bytes {
  private closed = false

  private constructor(
    private readonly handle: FileHandle,
    readonly path: string,
    readonly size: number,
  ) {}

  /** @throws InputError if it is no regular file; what the system throws if it cannot be opened. */
  static async open(path: string): Promise<FileBytes> {
    // Before opening, which would wait forever on a pipe.
    const kind = await stat(path)
    if (!kind.isFile()) {
      const got = kind.isDirectory() ? 'a folder' : 'a device, pipe or socket'
      const remedy = kind.isDirectory() ? 'name a file in it' : 'name a file'
      throw new InputError({ what: 'cannot be read', where: path, got, expected: 'a PyTorch file', remedy })
    }
    const handle = await open(path, 'r')
    try {
      return new FileBytes(handle, path, (await handle.stat()).size)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Fills `into` from byte `at`. @throws FormatError beyond the end, InputError after `close`. */
  async read(into: Uint8Array, at: number): Promise<void> {
    this.check(into.length, at)
    // A read is cut at 2^31 - 1 bytes by the system, and may be shorter still.
    const most = 1 << 30
    for (let done = 0; done < into.length; ) {
      const length = Math.min(most, into.length - done)
      const { bytesRead } = await this.handle.read(into, done, length, at + done)
      if (bytesRead === 0) this.shorter(at + done)
      done += bytesRead
    }
  }

  readNow(into: Uint8Array, at: number): void {
    this.check(into.length, at)
    for (let done = 0; done < into.length; ) {
      const bytesRead = readSync(this.handle.fd, into, done, into.length - done, at + done)
      if (bytesRead === 0) this.shorter(at + done)
      done += bytesRead
    }
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.handle.close()
  }

  private check(length: number, at: number): void {
    if (this.closed) {
      const remedy = 'read the tensors first, then close the file'
      throw new InputError({ what: 'read after the file was closed', where: this.path, remedy })
    }
    if (at < 0 || at + length > this.size) {
      const got = `${length} bytes from byte ${at} in a file of ${this.size}`
      const what = 'data beyond the end of the file'
      throw new FormatError({ what, where: this.path, got, remedy: damaged })
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
