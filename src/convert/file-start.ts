import { open, stat } from 'node:fs/promises'
import { fileError } from '../files/file-errors.ts'
import { InputError } from '../util/errors.ts'

/** The first bytes of a file, as many as there are. @throws InputError for what cannot be read as a file. */
export async function startOf(path: string, length: number): Promise<Uint8Array> {
  try {
    // Before opening, which would wait forever on a pipe.
    const kind = await stat(path)
    if (!kind.isFile()) {
      const got = kind.isDirectory() ? 'a folder' : 'a device, pipe or socket'
      throw new InputError({ what: 'cannot be read', where: path, got, expected: 'a file' })
    }
    const file = await open(path, 'r')
    try {
      const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, 0)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    throw fileError(error, path, 'read')
  }
}
