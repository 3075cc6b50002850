import { stat } from 'node:fs/promises'
import { fileError } from '../files/file-errors.ts'
import { InputError } from '../util/errors.ts'

/** Refuses what cannot be a media file before a decoder sees it. @throws InputError */
export async function assertFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileError(error, path, 'read')
  })
  if (found.isDirectory()) {
    throw new InputError({ what: 'this is a folder', where: path, expected: 'a video or picture file' })
  }
  // Opening a pipe would wait for somebody who writes to it.
  if (!found.isFile()) {
    const got = 'a device, pipe or socket'
    throw new InputError({
      what: 'this is not a file',
      where: path,
      got,
      expected: 'a video or picture file',
    })
  }
  if (found.size === 0) {
    throw new InputError({ what: 'the file is empty', where: path, expected: 'a video or picture' })
  }
}
