// Records the moved picture to a video, and saves stills.
import { signal } from '@preact/signals'
import { createVideoWriter, type Mark, markPicture, type WebVideoWriter } from 'pantin/web'
import { download } from '../core/files.ts'
import { say } from '../core/messages.ts'
import { drawWithin } from '../core/pictures.ts'
import { place } from '../core/place.ts'

/** Seconds of the recording in progress; undefined if there is none. */
export const recordedSeconds = signal<number | undefined>(undefined)

/** What is saved says that a model made it: all of it, or the part that was put back into a picture. */
export const markOf = (isPasted: boolean): Mark =>
  isPasted ? 'compositeWithTrainedAlgorithmicMedia' : 'trainedAlgorithmicMedia'

/** What is recorded. */
export interface TakeOptions {
  readonly format: 'mp4' | 'webm' | undefined
  /** In pixels. */
  readonly width: number
  readonly height: number
  /** Whether frames are whole pictures, with a moved square in them. */
  readonly isPasted: boolean
}

/** A recording of the moved picture. */
export class Take {
  private readonly canvas = document.createElement('canvas')
  private readonly startedAt = performance.now()
  /** When the last frame was shown, in seconds since the start. */
  private last = -1
  private isOver = false

  private constructor(
    private readonly writer: WebVideoWriter,
    { width, height }: TakeOptions,
  ) {
    Object.assign(this.canvas, { width, height })
  }

  static async begin(options: TakeOptions): Promise<Take> {
    const { width, height, format } = options
    const video = { width, height, mark: markOf(options.isPasted), ...(format && { format }) }
    return new Take(await createVideoWriter(video, place.peek()), options)
  }

  async add(frame: ImageBitmap): Promise<void> {
    // Another picture may have been chosen, of another shape.
    drawWithin(this.canvas, frame)
    await this.write()
  }

  /** Writes what the canvas holds as the frame of this moment. */
  private async write(): Promise<void> {
    // The first frame is that of the start, whenever it comes.
    const time = this.last < 0 ? 0 : (performance.now() - this.startedAt) / 1000
    if (time <= this.last) return
    this.last = time
    try {
      await this.writer.write(this.canvas, time)
    } catch (error) {
      // The video was finished before this frame reached its writer.
      if (this.isOver) return
      throw error
    }
    if (!this.isOver) recordedSeconds.value = Math.floor(time)
  }

  /** Ends without a video. */
  cancel(): void {
    this.isOver = true
    void this.writer.abort()
  }

  async finish(): Promise<void> {
    this.isOver = true
    recordedSeconds.value = undefined
    if (this.last < 0) {
      void this.writer.abort()
      say('Nothing was recorded: there was no frame.', 'error')
      return
    }
    // The last picture was shown up to now.
    await this.write()
    const film = await this.writer.close()
    download(film, `pantin.${this.writer.format}`)
    say(`Recorded ${this.writer.format}, ${Math.round(film.size / 1024)} kB.`)
  }
}

/** Saves what a canvas shows as a PNG. */
export async function saveStill(canvas: HTMLCanvasElement, isPasted: boolean): Promise<void> {
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'))
  if (blob === null) throw new Error('the browser made no PNG of the picture')
  download(await markPicture(blob, markOf(isPasted)), 'pantin.png')
}
