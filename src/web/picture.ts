// Pictures of a page, in forms that pass to a worker, and the faces that a worker finds in them.

import type { Face } from '../faces/finder.ts'
import { InputError, messageOf } from '../util/errors.ts'
import {
  asyncDispose,
  type Connection,
  connected,
  type SentPlace,
  sentPlace,
  type WebPlace,
} from './connection.ts'

/** Anything in a page that shows a picture. */
export type Picture =
  | Blob
  | ImageBitmap
  | ImageData
  | VideoFrame
  | HTMLVideoElement
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas

/** The forms of a picture that pass to a worker. */
export type SentPicture = Blob | ImageBitmap | ImageData | VideoFrame

/** A picture that is ready to be sent. */
export interface Parcel {
  readonly picture: SentPicture
  /** The objects that are handed over: the page cannot use them any more. */
  readonly transfer: readonly Transferable[]
}

/**
 * Prepares a picture for the worker. The caller's own picture stays as it is.
 *
 * @throws InputError for a picture that shows nothing yet, or cannot be read.
 */
export async function toParcel(picture: Picture): Promise<Parcel> {
  // A selector that finds nothing, in a page without types.
  if (!picture) {
    throw new InputError({
      what: 'there is no picture',
      got: String(picture),
      expected: 'a file, an image, a video, a canvas or a frame',
      remedy: 'check how the page looks for it',
    })
  }
  if (picture instanceof Blob || picture instanceof ImageData) return { picture, transfer: [] }
  if (isVideoFrame(picture)) return handedOver(picture.clone())
  if (picture instanceof HTMLVideoElement) return handedOver(await frameOfVideo(picture))
  if (picture instanceof HTMLImageElement) await loaded(picture)
  return handedOver(await createImageBitmap(picture))
}

/** Firefox on phones has no VideoFrame. */
function isVideoFrame(picture: Picture): picture is VideoFrame {
  return 'VideoFrame' in globalThis && picture instanceof VideoFrame
}

function handedOver(picture: ImageBitmap | VideoFrame): Parcel {
  return { picture, transfer: [picture] }
}

/**
 * The frame that a video shows. Close it after use. Chromium has loaded a video's first frame some time before it gives it
 * away: then this waits for the frame.
 *
 * @returns a VideoFrame, which needs no copy; a bitmap if the browser has no VideoFrame
 * @throws InputError if the video has not loaded a frame yet.
 */
export async function frameOfVideo(video: HTMLVideoElement): Promise<VideoFrame | ImageBitmap> {
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
    throw new InputError({
      what: 'the video shows no frame yet',
      expected: 'a video that is playing, or has loaded its first frame',
      remedy: 'wait for its event "loadeddata"',
    })
  }
  if (!('VideoFrame' in globalThis)) return createImageBitmap(video)
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      return new VideoFrame(video)
    } catch (error) {
      if (!(error instanceof DOMException && error.name === 'InvalidStateError')) throw error
      await painted(video)
    }
  }
  return createImageBitmap(video)
}

/** Milliseconds for which a video's next frame is waited for. A paused video may have none. */
const longest = 1000

const painted = (video: HTMLVideoElement): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, longest)
    video.requestVideoFrameCallback(() => resolve())
  })

async function loaded(image: HTMLImageElement): Promise<void> {
  await image.decode().catch((cause: unknown) => {
    throw new InputError(
      {
        what: 'the picture cannot be read',
        where: image.src.slice(0, 200),
        remedy: 'check its address; a picture of another site needs that site to allow it (CORS)',
      },
      { cause },
    )
  })
}

/**
 * Reads a picture file, turned as its EXIF data says. Close it after use.
 *
 * @throws InputError for a file that is no picture, or is damaged.
 */
export async function decodePicture(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, { imageOrientation: 'from-image' })
  } catch (cause) {
    throw new InputError(
      {
        what: 'this is not a picture that can be read here',
        where: 'name' in file ? String(file.name) : 'the picture',
        got: messageOf(cause),
        expected: 'a png, jpeg, webp, gif or avif file',
        remedy: 'give a picture file; save or download it again if it is damaged',
      },
      { cause },
    )
  }
}

/** The worker's methods for faces. */
export interface FaceMethods {
  openFaces(request: { place: SentPlace }): void
  findFaces(request: { picture: SentPicture }): Face[]
}

type FaceConnection = Connection<FaceMethods>

/** Finds faces in pictures: photographs, paintings, drawings. */
export class FaceFinder {
  private constructor(private readonly connection: FaceConnection) {}

  /**
   * Opens the networks that find faces, in a worker of their own, on the CPU. They are fetched from the place's
   * `assetsFolder`.
   *
   * @throws EnvironmentError if pantin's assets or ONNX Runtime's files are missing. The signal's reason, if it is aborted.
   */
  static open(place: WebPlace): Promise<FaceFinder> {
    return connected(place, async (connection: FaceConnection) => {
      await connection.call('openFaces', { place: sentPlace(place) })
      return new FaceFinder(connection)
    })
  }

  /**
   * The faces of a picture, the largest first. The list is empty if no face is found. `head` is what `Animator.setSource` takes as `crop`.
   *
   * @throws InputError for a picture that cannot be read, or is smaller than 16 pixels along a side.
   */
  async find(picture: Picture): Promise<Face[]> {
    const { transfer, picture: sent } = await toParcel(picture)
    return this.connection.call('findFaces', { picture: sent }, transfer)
  }

  /** Ends the worker and frees its memory. Harmless when repeated. */
  async close(): Promise<void> {
    this.connection.close()
  }

  /** As `close`: `await using finder = await FaceFinder.open(place)`. */
  async [asyncDispose](): Promise<void> {
    this.connection.close()
  }
}
