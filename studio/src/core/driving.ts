// Anything that moves and drives a picture: a webcam, a video file, or the film of a synthetic clip.
import { frameOfVideo, openClip } from 'pantin/web'
import { assertConnected, closeCamera, isMirrored, makeVideo, openCamera } from './camera.ts'
import { type Film, syntheticFilm } from './pictures.ts'
import { place } from './place.ts'

/** A source of driving frames. */
export interface Driving {
  /**
   * The present frame; undefined before the first one, and if it has not changed since the last call.
   *
   * @throws CameraError if it is a webcam that was disconnected
   */
  next(): Promise<VideoFrame | ImageBitmap | undefined>
  /** Gives the present frame once more. */
  again(): void
  /**
   * Frames of the whole clip, evenly spread, with their numbers. Each is closed when the next one is asked for. A webcam
   * has none.
   *
   * @param most number of frames
   */
  samples(most: number): AsyncGenerator<Sample, void, undefined>
  /** Seconds on its own clock. */
  time(): number
  play(): void
  pause(): void
  /** Goes back to the beginning. A webcam has none. */
  rewind(): void
  close(): void
}

/** A frame of a clip. */
export interface Sample {
  readonly picture: ImageBitmap
  /** Its number, from 0. */
  readonly frame: number
  /** Number of frames of the clip. */
  readonly frameCount: number
}

export type DrivingChoice =
  | { readonly kind: 'synthetic'; readonly name: string }
  | { readonly kind: 'webcam' }
  | { readonly kind: 'video'; readonly file: File }
  /** Nothing moves by itself: somebody pulls strings. */
  | { readonly kind: 'strings' }

/** What gives frames. */
export type FilmChoice = Exclude<DrivingChoice, { kind: 'strings' }>

export async function openDriving(choice: FilmChoice): Promise<Driving> {
  if (choice.kind === 'synthetic') return new FilmDriving(await syntheticFilm(choice.name))
  if (choice.kind === 'webcam') return new VideoDriving(await openCamera(), closeCamera, isMirrored.peek())
  const { file } = choice
  return new VideoDriving(await openVideo(file), release, false, file)
}

/** Gives the memory of a video file back. */
function release(video: HTMLVideoElement): void {
  URL.revokeObjectURL(video.src)
  video.onerror = null
  video.removeAttribute('src')
  video.load()
}

async function openVideo(file: File): Promise<HTMLVideoElement> {
  const video = makeVideo()
  video.loop = true
  video.src = URL.createObjectURL(file)
  const loaded = new Promise<void>((resolve, reject) => {
    // A picture that the browser cannot decode is left out, and the sound plays alone.
    video.onloadeddata = () => (video.videoWidth > 0 ? resolve() : reject(notPlayable(file.name)))
    video.onerror = () => reject(notPlayable(file.name))
  })
  try {
    await loaded
    video.onerror = null
    await video.play()
    return video
  } catch (error) {
    release(video)
    throw error
  }
}

function notPlayable(name: string): Error {
  return Object.assign(new Error(name), {
    trouble: {
      what: 'this browser does not play the video',
      details: name,
      remedy: 'use an mp4 with H.264, or a webm with VP9',
    },
  })
}

/** The frame that a video shows, left and right exchanged. */
function mirrored(video: HTMLVideoElement): ImageBitmap {
  const { videoWidth: width, videoHeight: height } = video
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d')!
  context.scale(-1, 1)
  context.drawImage(video, -width, 0)
  return canvas.transferToImageBitmap()
}

/** Numbers of frames, from the first to the last, evenly spread. */
function spread(frameCount: number, most: number): readonly number[] {
  const count = Math.min(frameCount, most)
  return Array.from({ length: count }, (_, i) => Math.round((i * (frameCount - 1)) / Math.max(1, count - 1)))
}

class VideoDriving implements Driving {
  private last = -1

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly end: (video: HTMLVideoElement) => void,
    private readonly isMirrored = false,
    private readonly file?: File,
  ) {}

  async next(): Promise<VideoFrame | ImageBitmap | undefined> {
    const { video } = this
    assertConnected(video)
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return undefined
    // A camera's clock may stand still, so that each call takes a frame.
    if (video.currentTime === this.last && video.srcObject === null) return undefined
    this.last = video.currentTime
    return this.isMirrored ? mirrored(video) : frameOfVideo(video)
  }

  again(): void {
    this.last = -1
  }

  async *samples(most: number): AsyncGenerator<Sample, void, undefined> {
    if (this.file === undefined) return
    // The video that plays must not be moved to and fro.
    await using clip = await openClip(this.file, place.peek(), { fit: 'whole' })
    for (const frame of spread(clip.frameCount, most)) {
      for await (const { picture } of clip.frames({ fromFrame: frame, toFrame: frame + 1 })) {
        try {
          yield { picture, frame, frameCount: clip.frameCount }
        } finally {
          picture.close()
        }
      }
    }
  }

  time(): number {
    return performance.now() / 1000
  }

  play(): void {
    this.again()
    void this.video.play()
  }

  pause(): void {
    this.video.pause()
  }

  rewind(): void {
    if (this.video.srcObject === null) this.video.currentTime = 0
  }

  close(): void {
    this.video.pause()
    this.end(this.video)
  }
}

class FilmDriving implements Driving {
  private last = -1
  private startedAt = performance.now()
  private pausedAt: number | undefined

  constructor(private readonly film: Film) {}

  async next(): Promise<ImageBitmap | undefined> {
    const { frames, frameRate, isWhole } = this.film
    const due = Math.floor(this.time() * frameRate)
    // Until the film is complete, it waits at its last frame.
    const index = isWhole ? due : Math.min(due, frames.length - 1)
    if (index === this.last) return undefined
    this.last = index
    // A copy, because the caller closes the frame.
    return createImageBitmap(frames[index % frames.length]!)
  }

  again(): void {
    this.last = -1
  }

  async *samples(most: number): AsyncGenerator<Sample, void, undefined> {
    const { film } = this
    while (!film.isWhole) await new Promise((resolve) => setTimeout(resolve, 100))
    const { length: frameCount } = film.frames
    for (const frame of spread(frameCount, most)) {
      yield { picture: film.frames[frame]!, frame, frameCount }
    }
  }

  time(): number {
    return ((this.pausedAt ?? performance.now()) - this.startedAt) / 1000
  }

  play(): void {
    if (this.pausedAt !== undefined) this.startedAt += performance.now() - this.pausedAt
    this.pausedAt = undefined
    this.last = -1
  }

  pause(): void {
    this.pausedAt ??= performance.now()
  }

  rewind(): void {
    this.startedAt = this.pausedAt ?? performance.now()
    this.last = -1
  }

  close(): void {
    // Films are kept for the next use.
  }
}
