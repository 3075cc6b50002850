// Records the moved picture to a video, and saves stills.
import { signal } from '@preact/signals'
import { createVideoWriter, type Mark, markPicture, type WebVideoWriter } from 'pantin/web'
import { download } from '../core/files.ts'
import { say } from '../core/messages.ts'
import { drawSquare } from '../core/pictures.ts'
import { place } from '../core/place.ts'

/** Seconds of the recording in progress; undefined if there is none. */
export const recordedSeconds = signal<number | undefined>(undefined)

/** What is saved says that a model made it. */
export const mark: Mark = 'trainedAlgorithmicMedia'

/** Side of videos and stills, in pixels. */
const side = 512

/** A recording of the moved picture. */
export class Take {
  private readonly canvas = Object.assign(document.createElement('canvas'), { width: side, height: side })
  private startedAt: number | undefined
  private last = -1
  private isOver = false

  private constructor(private readonly writer: WebVideoWriter) {}

  static async begin(format: 'mp4' | 'webm' | undefined): Promise<Take> {
    const options = { width: side, height: side, mark, ...(format && { format }) }
    return new Take(await createVideoWriter(options, place.peek()))
  }

  async add(frame: ImageBitmap): Promise<void> {
    const now = performance.now() / 1000
    this.startedAt ??= now
    const time = now - this.startedAt
    if (time <= this.last) return
    this.last = time
    drawSquare(this.canvas, frame)
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
    if (this.startedAt === undefined) {
      void this.writer.abort()
      say('Nothing was recorded: there was no frame.', 'error')
      return
    }
    const film = await this.writer.close()
    download(film, `pantin.${this.writer.format}`)
    say(`Recorded ${this.writer.format}, ${Math.round(film.size / 1024)} kB.`)
  }
}

/** Saves what a canvas shows as a PNG. */
export async function saveStill(canvas: HTMLCanvasElement): Promise<void> {
  const still = document.createElement('canvas')
  still.width = still.height = side
  drawSquare(still, canvas)
  const blob = await new Promise<Blob | null>((resolve) => still.toBlob(resolve, 'image/png'))
  if (blob === null) throw new Error('the browser made no PNG of the picture')
  download(await markPicture(blob, mark), 'pantin.png')
}
