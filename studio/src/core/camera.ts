// The webcam as a video, which of several it is, or the reason why there is none.
import { signal } from '@preact/signals'
import { stored } from './stored.ts'
import type { Trouble } from './trouble.ts'

/** The id of the camera that somebody chose; empty: the browser's own choice. */
export const chosenCamera = stored<string>('camera', '')
/** Whether the webcam drives as a mirror shows it. */
export const isMirrored = stored<boolean>('camera.mirrored', true)

/** A camera of this machine. */
export interface Camera {
  readonly id: string
  /** As the system calls it. */
  readonly name: string
}

/** All cameras. Browsers tell of them once a page may use one. */
export const cameras = signal<readonly Camera[]>([])
/** The id of the camera that was opened last. */
export const openedCamera = signal<string | undefined>(undefined)

async function listCameras(): Promise<void> {
  const found = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'videoinput')
  cameras.value = found.map(({ deviceId, label }, i) => ({ id: deviceId, name: label || `Camera ${i + 1}` }))
}

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
  const id = chosenCamera.peek()
  const open = (which: MediaTrackConstraints) =>
    devices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 }, ...which } })
  const any = { facingMode: 'user' }
  const stream = await open(id === '' ? any : { deviceId: { exact: id } })
    // The chosen camera may have been unplugged.
    .catch((error: unknown) => (isMissing(error) && id !== '' ? open(any) : Promise.reject(error)))
    .catch((error: unknown) => {
      throw new CameraError(whyNot(error))
    })
  openedCamera.value = stream.getVideoTracks()[0]?.getSettings().deviceId
  void listCameras()
  devices.ondevicechange = () => void listCameras()
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

/** @throws CameraError if the camera of a video was unplugged, or is not allowed any more */
export function assertConnected({ srcObject }: HTMLVideoElement): void {
  // The state tells it at any time; the event "ended" comes once. A camera that the page closes has no stream.
  if (!(srcObject instanceof MediaStream)) return
  if (srcObject.getVideoTracks().every(({ readyState }) => readyState === 'live')) return
  throw new CameraError({
    what: 'the webcam was disconnected',
    remedy: 'plug it in again, or allow it, then try again; or use a video or one of the examples',
  })
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

const nameOf = (error: unknown): string => (error instanceof DOMException ? error.name : '')

const isMissing = (error: unknown): boolean =>
  ['NotFoundError', 'OverconstrainedError'].includes(nameOf(error))

function whyNot(error: unknown): Trouble {
  const name = nameOf(error)
  if (name === 'NotAllowedError') {
    return {
      what: 'the webcam is not allowed',
      remedy:
        'allow it next to the browser’s address bar, then try again; or use a video or one of the examples',
    }
  }
  if (isMissing(error)) {
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
