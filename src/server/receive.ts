import { open } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { codeOf, fileError } from '../files/file-errors.ts'
import { Refusal } from './refusal.ts'

/**
 * Writes the body of a request to a new file, as it comes.
 *
 * @throws Refusal where it is larger than allowed (413) or ends early (400); EnvironmentError where the disk is full.
 * The file may then hold a part of it.
 */
export async function receive(incoming: IncomingMessage, path: string, maxBytes: number): Promise<void> {
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const file = await open(path, 'wx', 0o600)
  try {
    let size = 0
    // Destroying the request would close the connection that the refusal is to be sent on.
    for await (const piece of incoming.iterator({ destroyOnReturn: false })) {
      size += (piece as Buffer).length
      if (size > maxBytes) throw tooLarge(maxBytes)
      await file.writeFile(piece as Buffer)
    }
  } catch (error) {
    if (codeOf(error) === 'ECONNRESET' || codeOf(error) === 'ERR_STREAM_PREMATURE_CLOSE') {
      throw new Refusal(400, { what: 'the upload ended early', remedy: 'send it again' })
    }
    throw fileError(error, path, 'written')
  } finally {
    await file.close()
  }
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(413, {
    what: 'this run is too large to be saved here',
    expected: `at most ${maxBytes} bytes`,
    remedy: 'download it, and unpack it by hand',
  })
}
