import { type Connection, connected } from './connection.ts'
import type { ClipFrame, ClipOptions, WebClip, WorkerPlace } from './types.ts'

/**
 * Opens a video file (mp4, mov, webm, mkv, of a codec that the browser decodes) or a puppet (`puppet:7`). It is
 * decoded in a worker, frame by frame.
 *
 * @throws InputError where it is neither, or cannot be decoded here.
 */
export function readClip(
  source: Blob | string,
  place: WorkerPlace,
  options: ClipOptions = {},
): Promise<WebClip> {
  return connected(place, async (connection) => {
    const facts = await connection.call('openClip', { source, options })
    return { ...facts, frames: () => framesOf(connection), close: () => connection.close() }
  })
}

async function* framesOf(connection: Connection): AsyncGenerator<ClipFrame, void, undefined> {
  const pass = await connection.call('beginFrames', undefined)
  // One frame ahead: the worker decodes while the page looks at the last one.
  let next = connection.call('nextFrame', { pass })
  try {
    for (let frame = await next; frame !== undefined; frame = await next) {
      next = connection.call('nextFrame', { pass })
      // Where the page stops looking, nobody waits for it.
      next.catch(() => {})
      yield frame
    }
  } finally {
    next.then(
      (frame) => frame?.picture.close(),
      () => {},
    )
    connection.call('endFrames', { pass }).catch(() => {})
  }
}
