// safetensors files on disk. The format itself, which pages read too, is in bytes.ts.
import { writeFileAtomic } from '../../files/atomic.ts'
import { fileError } from '../../files/file-errors.ts'
import { FileBytes } from '../../files/read.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { type EncodeOptions, encodeSafetensors, readTensors, type TensorFile } from './bytes.ts'
import { checkHeaderLength, type Header, readHeader } from './header.ts'

export { decodeSafetensors, type EncodeOptions, encodeSafetensors, type TensorFile } from './bytes.ts'

/**
 * Reads a safetensors file: first the header, and no data if the header is bad. Memory stays within the size of
 * the file (twice the size for 16-bit types, which become float32).
 *
 * @throws FormatError for a file that breaks the format's rules, InputError for one that cannot be read.
 */
export function readSafetensors(path: string): Promise<TensorFile> {
  return withHeader(path, (file, header, dataStart) =>
    readTensors(header, path, (into, at) => file.read(into, dataStart + at)),
  )
}

/**
 * Reads only the header: the metadata, and the shapes and types of the tensors in the file.
 *
 * @throws FormatError, InputError as `readSafetensors`.
 */
export function readSafetensorsHeader(path: string): Promise<Header> {
  return withHeader(path, async (_file, header) => header)
}

/**
 * Writes a safetensors file atomically. The same content gives the same bytes (see `encodeSafetensors`).
 *
 * @throws EnvironmentError if the disk is full or fails, InputError if the path cannot be written or the format
 * cannot hold a tensor.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
  options: EncodeOptions = {},
): Promise<void> {
  await writeFileAtomic(path, encodeSafetensors(tensors, metadata, options))
}

async function withHeader<T>(
  path: string,
  use: (file: FileBytes, header: Header, dataStart: number) => Promise<T>,
): Promise<T> {
  const file = await FileBytes.open(path, 'a safetensors file')
  try {
    const prefix = new Uint8Array(Math.min(8, file.size))
    await file.read(prefix, 0)
    const length = checkHeaderLength(prefix, file.size, path)
    const bytes = new Uint8Array(length)
    await file.read(bytes, 8)
    return await use(file, readHeader(bytes, file.size - 8 - length, path), 8 + length)
  } catch (error) {
    throw fileError(error, path, 'read')
  } finally {
    await file.close()
  }
}
