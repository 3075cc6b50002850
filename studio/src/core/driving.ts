// Anything that moves and drives a picture: a webcam, a video file, or the film of a synthetic clip.
import { frameOfVideo } from 'pantin/web'
import { closeCamera, isMirrored, makeVideo, openCamera } from './camera.ts'
import { type Film, syntheticFilm } from './pictures.ts'

/** A source of driving frames. */
export interface Driving {
  /** The present frame; undefined before the first one, and if it has not changed since the last call. */
  next(): Promise<VideoFrame | ImageBitmap | undefined>
  /** Seconds on its own clock. */
  time(): number
  play(): void
  pause(): void
  /** Goes back to the beginning. A webcam has none. */
  rewind(): void
  close(): void
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
  return new VideoDriving(await openVideo(choice.file), (video) => {
    URL.revokeObjectURL(video.src)
    video.removeAttribute('src')
    video.load()
  })
}

async function openVideo(file: File): Promise<HTMLVideoElement> {
  const video = makeVideo()
  video.loop = true
  video.src = URL.createObjectURL(file)
  await new Promise<void>((resolve, reject) => {
    video.onloadeddata = () => resolve()
    video.onerror = () => reject(notPlayable(file.name))
  })
  video.onerror = null
  await video.play()
  return video
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

class VideoDriving implements Driving {
  private last = -1

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly end: (video: HTMLVideoElement) => void,
    private readonly isMirrored = false,
  ) {}

  async next(): Promise<VideoFrame | ImageBitmap | undefined> {
    const { video } = this
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return undefined
    // A camera's clock may stand still, so that each call takes a frame.
    if (video.currentTime === this.last && video.srcObject === null) return undefined
    this.last = video.currentTime
    return this.isMirrored ? mirrored(video) : frameOfVideo(video)
  }

  time(): number {
    return performance.now() / 1000
  }

  play(): void {
    this.last = -1
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
