import { readFile, stat } from 'node:fs/promises'
import { FormatError, InputError } from '../util/errors.ts'
import { fileError } from './file-errors.ts'

/**
 * Reads a file at once.
 *
 * @param what it is to be, as messages say it: 'an ONNX model'
 * @param most bytes
 * @throws InputError where it cannot be read or is no regular file, FormatError where it is larger.
 */
export async function readWhole(path: string, what: string, most: number): Promise<Buffer<ArrayBuffer>> {
  try {
    const found = await stat(path)
    // Before opening, which would wait for somebody who writes to a pipe.
    if (!found.isFile()) {
      const got = found.isDirectory() ? 'a folder' : 'a device, pipe or socket'
      throw new InputError({ what: 'this is not a file', where: path, got, expected: what })
    }
    if (found.size <= most) return await readFile(path)
    const expected = `${what}, of at most ${most} bytes`
    throw new FormatError({
      what: 'the file is too large',
      where: path,
      got: `${found.size} bytes`,
      expected,
    })
  } catch (error) {
    throw fileError(error, path, 'read')
  }
}
