// The webcam as a video, or the reason why there is none.
import type { Trouble } from './trouble.ts'

/** The reason why there is no webcam. */
export class CameraError extends Error {
  constructor(readonly trouble: Trouble) {
    super(trouble.what)
  }
}

/** A video that plays the webcam. @throws CameraError */
export async function openCamera(): Promise<HTMLVideoElement> {
  const devices = (navigator as Partial<Navigator>).mediaDevices
  if (devices === undefined) {
    throw new CameraError({
      what: 'this page may not use a webcam',
      remedy: 'open it on localhost or by https',
    })
  }
  const stream = await devices
    .getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: 'user' } })
    .catch((error: unknown) => {
      throw new CameraError(whyNot(error))
    })
  const video = makeVideo()
  video.srcObject = stream
  try {
    await video.play()
  } catch (error) {
    closeCamera(video)
    throw new CameraError(whyNot(error))
  }
  return video
}

export function closeCamera(video: HTMLVideoElement): void {
  if (video.srcObject instanceof MediaStream) {
    for (const track of video.srcObject.getTracks()) track.stop()
  }
  video.srcObject = null
}

export function makeVideo(): HTMLVideoElement {
  const video = document.createElement('video')
  video.muted = true
  video.playsInline = true
  return video
}

function whyNot(error: unknown): Trouble {
  const name = error instanceof DOMException ? error.name : ''
  if (name === 'NotAllowedError') {
    return {
      what: 'the webcam is not allowed',
      remedy:
        'allow it next to the browser’s address bar, then try again; or use a video or one of the examples',
    }
  }
  if (name === 'NotFoundError' || name === 'OverconstrainedError') {
    return {
      what: 'there is no webcam',
      remedy: 'plug one in and try again; or use a video or one of the examples',
    }
  }
  if (name === 'NotReadableError') {
    return { what: 'the webcam is in use', remedy: 'close the program that uses it, then try again' }
  }
  return {
    what: 'the webcam does not start',
    details: String(error),
    remedy: 'try again; or use a video or one of the examples',
  }
}
