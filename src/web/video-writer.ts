// Records pictures of a page to a video file, encoded in a worker.
import { asyncDispose, type Connection, connected, type WorkerPlace } from './connection.ts'
import { type Picture, type SentPicture, toParcel } from './picture.ts'

/** The video to write. Node's `VideoWriterOptions` say more, for a file on disk; a page has no path to choose. */
export interface WebVideoWriterOptions {
  /** Width in pixels, 16 to 8192. An odd size is stored one pixel larger. */
  readonly width: number
  /** Height in pixels, as `width`. */
  readonly height: number
  /** Default: mp4 if the browser encodes H.264, otherwise webm. */
  readonly format?: 'mp4' | 'webm'
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
  openRecording(request: WebVideoWriterOptions): Pick<WebVideoWriter, 'format' | 'codec'>
  record(request: { picture: SentPicture; time: number }): void
  finishRecording(request: undefined): Blob
}

/**
 * Begins a video.
 *
 * @throws InputError for a size that cannot be recorded; EnvironmentError if the browser encodes no video. The
 * signal's reason, if it is aborted.
 */
export function createVideoWriter(
  { width, height, format }: WebVideoWriterOptions,
  place: WorkerPlace,
): Promise<WebVideoWriter> {
  return connected(place, async (connection: Connection<RecordingMethods>) => {
    const opened = await connection.call('openRecording', { width, height, ...(format && { format }) })
    return new WorkerVideoWriter(connection, opened.format, opened.codec)
  })
}

class WorkerVideoWriter implements WebVideoWriter {
  frameCount = 0

  constructor(
    private readonly connection: Connection<RecordingMethods>,
    readonly format: 'mp4' | 'webm',
    readonly codec: string,
  ) {}

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
