// The bytes of a file in Node.
import { closeSync, fstatSync, openSync, read } from 'node:fs'
import { promisify } from 'node:util'
import { fileError } from '../files/file-errors.ts'
import { InputError } from '../util/errors.ts'
import type { ByteSource } from './byte-source.ts'

const readAt = promisify(read)

/** Closes files that nobody closed. */
const forgotten = new FinalizationRegistry<() => void>((close) => close())

/**
 * Opens a file to be read by places.
 *
 * @throws InputError if it cannot be opened.
 */
export function openFile(path: string): ByteSource {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch (error) {
    throw fileError(error, path, 'read')
  }
  let open = true
  let reading = 0
  // A descriptor that is read from stays open, as its number could become another file's.
  const release = () => {
    if (!open && reading === 0) closeSync(descriptor)
  }
  const close = () => {
    if (!open) return
    open = false
    release()
  }
  const file: ByteSource = {
    size: fstatSync(descriptor).size,
    async read(start, end) {
      if (!open) throw new InputError({ what: 'the file is closed', where: path })
      const bytes = new Uint8Array(end - start)
      reading++
      try {
        for (let done = 0; done < bytes.length; ) {
          const { bytesRead } = await readAt(descriptor, bytes, done, bytes.length - done, start + done)
          // The file became shorter while it is read.
          if (bytesRead === 0) break
          done += bytesRead
        }
      } finally {
        reading--
        release()
      }
      return bytes
    },
    close: async () => close(),
  }
  forgotten.register(file, close)
  return file
}
