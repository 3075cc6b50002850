// Clips in a page: video files and synthetic clips, decoded in a worker, frame by frame.
import type { FrameRange } from '../media/clip.ts'
import { assetsAddress, asyncDispose, type Connection, connected, type WorkerPlace } from './connection.ts'

/** How a clip's frames are given. Node's `Clip` gives frames whole, and its callers fit them. */
export interface ClipOptions {
  /**
   * How frames become square: `crop` around what moves (default), `letterbox` between bars. With `whole` they stay as
   * they are.
   */
  readonly fit?: 'crop' | 'letterbox' | 'whole'
  /** Side of the square in pixels (default: the clip's short side). */
  readonly size?: number
}

/** A frame of a clip. Node's `Frame` holds pixels; a page needs a picture that it can show. */
export interface ClipFrame {
  /** Seconds from the start. */
  readonly time: number
  /** Seconds. */
  readonly duration: number
  /** The caller closes it. */
  readonly picture: ImageBitmap
}

/** A video or synthetic clip that is open. Its fields are those of Node's `Clip`; its frames are pictures of the page. */
export interface WebClip {
  /** The name of its file, for messages. */
  readonly name: string
  /** Width of the frames that it gives, in pixels. */
  readonly width: number
  /** Height of the frames, in pixels. */
  readonly height: number
  /** Number of frames. */
  readonly frameCount: number
  /** Frames per second; the average if the rate varies. */
  readonly frameRate: number
  /** Seconds. */
  readonly duration: number
  /**
   * The frames of a range in order (default: all), any number of times. Frames are decoded when they are asked for.
   *
   * @throws InputError if the range is empty or not within the clip, or a frame cannot be decoded.
   */
  frames(range?: FrameRange): AsyncGenerator<ClipFrame, void, undefined>
  /** Ends the worker and frees the file. Harmless when repeated. */
  close(): Promise<void>
  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** A clip that the worker has opened. */
export type OpenedClip = Pick<WebClip, 'name' | 'width' | 'height' | 'frameCount' | 'frameRate' | 'duration'>

/** The worker's methods for a clip. */
export interface ClipMethods {
  openClip(request: { source: Blob | string; assets: string; options: ClipOptions }): OpenedClip
  /** Begins a pass over frames. @returns its number */
  beginFrames(request: FrameRange): number
  /** The next frame of a pass; undefined at its end. */
  nextFrame(request: { pass: number }): ClipFrame | undefined
  endFrames(request: { pass: number }): void
}

type ClipConnection = Connection<ClipMethods>

/**
 * Opens a video file (mp4, mov, webm, mkv, with a codec that the browser decodes), a puppet (`puppet:7`) or a person's head
 * (`head:7`, whose shapes are fetched from the place's `assetsFolder`).
 *
 * @throws InputError if it is neither, or cannot be decoded here. The signal's reason, if it is aborted.
 */
export function openClip(
  source: Blob | string,
  place: WorkerPlace,
  options: ClipOptions = {},
): Promise<WebClip> {
  return connected(place, async (connection: ClipConnection) => {
    const assets = assetsAddress(place)
    const opened = await connection.call('openClip', { source, assets, options })
    const close = async () => connection.close()
    return {
      ...opened,
      frames: (range?: FrameRange) => framesOf(connection, range ?? {}),
      close,
      [asyncDispose]: close,
    }
  })
}

async function* framesOf(
  connection: ClipConnection,
  range: FrameRange,
): AsyncGenerator<ClipFrame, void, undefined> {
  const pass = await connection.call('beginFrames', range)
  // One frame ahead: the worker decodes while the page looks at the last one.
  let next = connection.call('nextFrame', { pass })
  try {
    for (let frame = await next; frame !== undefined; frame = await next) {
      next = connection.call('nextFrame', { pass })
      // If the page stops reading, no caller waits for this frame.
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
