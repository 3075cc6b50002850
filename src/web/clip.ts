// Clips in a page: video files and synthetic clips, decoded in a worker, frame by frame; and a writer of films.
import type { FrameRange } from '../media/clip.ts'
import { type Mark, markPng } from '../media/mark.ts'
import { FormatError } from '../util/errors.ts'
import { assetsAddress, asyncDispose, type Connection, connected, type WorkerPlace } from './connection.ts'
import { type Picture, type SentPicture, toParcel } from './picture.ts'

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
  /** Set if the frame cannot be decoded: its picture is that of the nearest frame before it. */
  readonly damaged?: true
}

/** A frame as the worker sends it. */
export interface SentFrame extends ClipFrame {
  /** What is to be known of the clip by now. */
  readonly notices: readonly string[]
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
  /** What a user should know about the file, a sentence each. Reading may add some. */
  readonly notices: readonly string[]
  /**
   * The frames of a range in order (default: all), any number of times. Frames are decoded when they are asked for.
   *
   * @throws InputError if the range is empty or not within the clip, or no frame can be decoded.
   */
  frames(range?: FrameRange): AsyncGenerator<ClipFrame, void, undefined>
  /** Ends the worker and frees the file. Harmless when repeated. */
  close(): Promise<void>
  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** A clip that the worker has opened. */
export type OpenedClip = Omit<WebClip, 'frames' | 'close' | typeof Symbol.asyncDispose>

/** The worker's methods for a clip. */
export interface ClipMethods {
  openClip(request: { source: Blob | string; assets: string; options: ClipOptions }): OpenedClip
  /** Begins a pass over frames. @returns its number */
  beginFrames(request: FrameRange): number
  /** The next frame of a pass; undefined at its end. */
  nextFrame(request: { pass: number }): SentFrame | undefined
  endFrames(request: { pass: number }): void
}

type ClipConnection = Connection<ClipMethods>

/**
 * Opens a video file (mp4, mov, webm, mkv, with a codec that the browser decodes), a puppet (`puppet:7`) or a person's head
 * (`head:7`, whose shapes are fetched from the place's `assetsFolder`).
 *
 * @throws InputError if it is neither, or cannot be decoded here; FormatError if reading it does not come to an end. The
 * signal's reason, if it is aborted.
 */
export function openClip(
  source: Blob | string,
  place: WorkerPlace,
  options: ClipOptions = {},
): Promise<WebClip> {
  return connected(place, async (connection: ClipConnection) => {
    const assets = assetsAddress(place)
    const open = () => connection.call('openClip', { source, assets, options })
    const opened = await (typeof source === 'string' ? open() : unlessHostile(connection, source, open))
    const close = async () => connection.close()
    let { notices } = opened
    const learn = (frame: SentFrame) => {
      notices = frame.notices
    }
    return {
      ...opened,
      get notices() {
        return notices
      },
      frames: (range?: FrameRange) => framesOf(connection, range ?? {}, learn),
      close,
      [asyncDispose]: close,
    }
  })
}

/** Seconds that a worker may compute without a pause to open a file, and bytes of the file that give one more. */
const leastPatience = 5
const bytesPerSecond = 20e6

/** Opens a file. A few hostile bytes make the container library loop for ever. */
function unlessHostile<T>(connection: ClipConnection, file: Blob, open: () => Promise<T>): Promise<T> {
  const seconds = leastPatience + file.size / bytesPerSecond
  const stuck = new FormatError({
    what: 'the file is damaged, or made to hold the program up: its index cannot be read',
    where: nameOf(file),
    got: `no progress within ${seconds.toFixed(1)} s`,
    remedy: 'copy or record the video again, or use another one',
  })
  return connection.unlessStuck(open, seconds, stuck)
}

/** The name of a file, for messages. */
export function nameOf(file: Blob): string {
  return 'name' in file && file.name !== '' ? String(file.name) : 'the video'
}

/**
 * Opens files and closes them again, before work that cannot be ended so easily.
 *
 * @throws as `openClip` does.
 */
export async function assertReadable(sources: readonly (Blob | string)[], place: WorkerPlace): Promise<void> {
  for (const source of sources) {
    if (typeof source !== 'string') await (await openClip(source, place, { fit: 'whole' })).close()
  }
}

async function* framesOf(
  connection: ClipConnection,
  range: FrameRange,
  learn: (frame: SentFrame) => void,
): AsyncGenerator<ClipFrame, void, undefined> {
  const pass = await connection.call('beginFrames', range)
  // One frame ahead: the worker decodes while the page looks at the last one.
  let next = connection.call('nextFrame', { pass })
  try {
    for (let frame = await next; frame !== undefined; frame = await next) {
      next = connection.call('nextFrame', { pass })
      // If the page stops reading, no caller waits for this frame.
      next.catch(() => {})
      learn(frame)
      const { notices: _, ...shown } = frame
      yield shown
    }
  } finally {
    next.then(
      (frame) => frame?.picture.close(),
      () => {},
    )
    connection.call('endFrames', { pass }).catch(() => {})
  }
}

/** The video to write. Node's `VideoWriterOptions` say more, for a file on disk; a page has no path to choose. */
export interface WebVideoWriterOptions {
  /** Width in pixels, 16 to 8192. An odd size is stored one pixel larger. */
  readonly width: number
  /** Height in pixels, as `width`. */
  readonly height: number
  /** Default: mp4 if the browser encodes H.264, otherwise webm. */
  readonly format?: 'mp4' | 'webm'
  /** Says in the file that a trained model made it (default: the file says nothing). Laws may ask for it. */
  readonly mark?: Mark
  /** A video file whose sound is copied. Its first frame and the first picture are at the same time. */
  readonly sound?: Blob
}

/**
 * A video in the making. Unlike Node's `VideoWriter`, it takes a time with each picture, because a page's pictures come
 * when they come, and `close` gives the file, because a page has no folder to write it to.
 */
export interface WebVideoWriter {
  /** The format of the file. */
  readonly format: 'mp4' | 'webm'
  /** The codec that was chosen, such as `avc` or `vp9`. */
  readonly codec: string
  /** What became of the sound, in words: `copied (aac)`, `none`, or why it was left out. */
  readonly sound: string
  /** Pictures written. */
  readonly frameCount: number
  /**
   * Adds a picture, drawn over the whole video.
   *
   * @param time seconds, later than the one before.
   * @throws InputError for a picture that cannot be read, or a time that is not later.
   */
  write(picture: Picture, time: number): Promise<void>
  /** Finishes the video and ends the worker. @throws InputError if there is no picture. */
  close(): Promise<Blob>
  /** Ends without a file. Harmless after `close`. */
  abort(): Promise<void>
  /** As `abort`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** The worker's methods for a video in the making. */
export interface RecordingMethods {
  openRecording(request: WebVideoWriterOptions): Pick<WebVideoWriter, 'format' | 'codec' | 'sound'>
  record(request: { picture: SentPicture; time: number }): void
  finishRecording(request: undefined): Blob
}

/**
 * Begins a video.
 *
 * @throws InputError for a size that cannot be recorded; FormatError if reading the file of the sound does not come to an
 * end; EnvironmentError if the browser encodes no video. The
 * signal's reason, if it is aborted.
 */
export async function createVideoWriter(
  { width, height, format, mark, sound }: WebVideoWriterOptions,
  place: WorkerPlace,
): Promise<WebVideoWriter> {
  if (sound !== undefined) await assertReadable([sound], place)
  return connected(place, async (connection: Connection<RecordingMethods>) => {
    const opened = await connection.call('openRecording', {
      ...{ width, height },
      ...(format && { format }),
      ...(mark && { mark }),
      ...(sound && { sound }),
    })
    return new WorkerVideoWriter(connection, opened)
  })
}

/**
 * A PNG that says that a trained model made it, as videos do with the option `mark`.
 *
 * @param png what `toBlob` or `convertToBlob` of a canvas gives
 */
export async function markPicture(png: Blob, mark: Mark): Promise<Blob> {
  return new Blob([markPng(new Uint8Array(await png.arrayBuffer()), mark)], { type: 'image/png' })
}

class WorkerVideoWriter implements WebVideoWriter {
  frameCount = 0

  readonly format: 'mp4' | 'webm'
  readonly codec: string
  readonly sound: string

  constructor(
    private readonly connection: Connection<RecordingMethods>,
    { format, codec, sound }: Pick<WebVideoWriter, 'format' | 'codec' | 'sound'>,
  ) {
    this.format = format
    this.codec = codec
    this.sound = sound
  }

  async write(picture: Picture, time: number): Promise<void> {
    const { transfer, picture: sent } = await toParcel(picture)
    await this.connection.call('record', { picture: sent, time }, transfer)
    this.frameCount++
  }

  async close(): Promise<Blob> {
    try {
      return await this.connection.call('finishRecording', undefined)
    } finally {
      this.connection.close()
    }
  }

  async abort(): Promise<void> {
    this.connection.close()
  }

  async [asyncDispose](): Promise<void> {
    this.connection.close()
  }
}
