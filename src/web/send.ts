import { InputError } from '../util/errors.ts'
import type { SentPicture } from './calls.ts'
import type { Picture } from './types.ts'

/** A picture in a form that passes to a worker. */
export interface Parcel {
  readonly picture: SentPicture
  /** What is handed over, and is the page's no more. */
  readonly transfer: readonly Transferable[]
}

/**
 * Prepares a picture for the worker. The caller's own stays as it is.
 *
 * @throws InputError for a picture that shows nothing yet, or none at all.
 */
export async function toParcel(picture: Picture): Promise<Parcel> {
  if (picture instanceof Blob || picture instanceof ImageData) return { picture, transfer: [] }
  if (isA('VideoFrame', picture)) return handedOver(picture.clone())
  if (picture instanceof HTMLVideoElement) return handedOver(await frameOf(picture))
  if (picture instanceof HTMLImageElement) await loaded(picture)
  return handedOver(await createImageBitmap(picture))
}

/** Firefox on phones has no VideoFrame. */
function isA(name: 'VideoFrame', picture: unknown): picture is VideoFrame {
  return name in globalThis && picture instanceof VideoFrame
}

function handedOver(picture: ImageBitmap | VideoFrame): Parcel {
  return { picture, transfer: [picture] }
}

/** A VideoFrame is not copied; where there is none, a bitmap is. */
async function frameOf(video: HTMLVideoElement): Promise<VideoFrame | ImageBitmap> {
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
    throw new InputError({
      what: 'the video shows no frame yet',
      expected: 'a video that is playing, or has loaded its first frame',
      remedy: 'wait for its event "loadeddata"',
    })
  }
  return 'VideoFrame' in globalThis ? new VideoFrame(video) : createImageBitmap(video)
}

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

/** Seconds on the page's clock. */
export const now = (): number => performance.now() / 1000
