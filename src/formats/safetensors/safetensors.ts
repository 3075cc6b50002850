/** safetensors files on disk. In a browser, use safetensors-bytes.ts. */
import { type FileHandle, open, stat } from 'node:fs/promises'
import { writeFileAtomic } from '../../files/atomic.ts'
import { fileError } from '../../files/file-errors.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { FormatError, InputError } from '../../util/errors.ts'
import { encodeSafetensors, readTensors, type TensorFile } from './bytes.ts'
import { checkHeaderLength, type Header, readHeader } from './header.ts'

export { decodeSafetensors, encodeSafetensors, type TensorFile } from './bytes.ts'

/**
 * Reads a safetensors file: header first, and no data if the header is bad. Memory stays within the size
 * of the file (twice it for 16-bit types, which become float32).
 *
 * @throws FormatError for a file that breaks the format's rules, InputError for one that cannot be read.
 */
export function readSafetensors(path: string): Promise<TensorFile> {
  return withHeader(path, (file, header, dataStart) =>
    readTensors(header, path, (into, at) => fill(file, into, dataStart + at, path)),
  )
}

/**
 * Reads only the header: the metadata, and the shapes and types as the file has them.
 *
 * @throws FormatError, InputError as `readSafetensors`.
 */
export function readSafetensorsHeader(path: string): Promise<Header> {
  return withHeader(path, async (_file, header) => header)
}

/**
 * Writes a safetensors file atomically; the same content gives the same bytes (see `encodeSafetensors`).
 *
 * @throws EnvironmentError if the disk is full or fails, InputError if the path or a tensor cannot serve.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  await writeFileAtomic(path, encodeSafetensors(tensors, metadata))
}

async function withHeader<T>(
  path: string,
  use: (file: FileHandle, header: Header, dataStart: number) => Promise<T>,
): Promise<T> {
  try {
    // Before opening, which would wait forever on a pipe.
    const kind = await stat(path)
    if (!kind.isFile()) throw notAFile(path, kind.isDirectory())
    const file = await open(path, 'r')
    try {
      const found = await file.stat()
      const prefix = new Uint8Array(Math.min(8, found.size))
      await fill(file, prefix, 0, path)
      const length = checkHeaderLength(prefix, found.size, path)
      const bytes = new Uint8Array(length)
      await fill(file, bytes, 8, path)
      return await use(file, readHeader(bytes, found.size - 8 - length, path), 8 + length)
    } finally {
      await file.close()
    }
  } catch (error) {
    throw fileError(error, path, 'read')
  }
}

async function fill(file: FileHandle, into: Uint8Array, offset: number, path: string): Promise<void> {
  // A read is cut at 2^31 - 1 bytes by the system, and may be shorter still.
  const most = 1 << 30
  for (let done = 0; done < into.length; ) {
    const length = Math.min(most, into.length - done)
    const { bytesRead } = await file.read(into, done, length, offset + done)
    if (bytesRead === 0) {
      const got = `its end at byte ${offset + done}`
      throw new FormatError({ what: 'the file became shorter while it was read', where: path, got })
    }
    done += bytesRead
  }
}

function notAFile(path: string, isFolder: boolean): InputError {
  const remedy = isFolder ? 'name a file in it, such as weights.safetensors' : 'name a file'
  const got = isFolder ? 'a folder' : 'a device, pipe or socket'
  return new InputError({ what: 'cannot be read', where: path, got, expected: 'a safetensors file', remedy })
}
