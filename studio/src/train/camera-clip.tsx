// Records the webcam into a clip for training.
import { createVideoWriter, type WebVideoWriter } from 'pantin/web'
import { useEffect, useRef } from 'preact/hooks'
import { assertConnected, closeCamera, openCamera } from '../core/camera.ts'
import { duration } from '../core/format.ts'
import { complain } from '../core/messages.ts'
import { drawSquare } from '../core/pictures.ts'
import { place } from '../core/place.ts'
import { CameraChoice } from '../ui/camera-choice.tsx'
import { addRecording, recordedSeconds as seconds } from './clips.ts'

/** Side in pixels: the largest frames of any network here. */
const side = 256
const framesPerSecond = 25

/** Records the webcam into a clip. */
export function CameraClip() {
  const canvas = useRef<HTMLCanvasElement>(null)
  const stopping = useRef<AbortController | undefined>(undefined)
  useEffect(() => () => stopping.current?.abort(), [])

  const record = async () => {
    // A camera takes a while to open. A second click meanwhile must not open it twice.
    if (stopping.current !== undefined) return
    const stop = new AbortController()
    stopping.current = stop
    try {
      await recordUntil(stop.signal)
    } finally {
      stopping.current = undefined
    }
  }

  const recordUntil = async (signal: AbortSignal) => {
    const video = await openCamera()
    let writer: WebVideoWriter | undefined
    try {
      // The view was left while the camera opened.
      if (signal.aborted) return
      seconds.value = 0
      writer = await createVideoWriter({ width: side, height: side }, place.peek())
      const startedAt = performance.now()
      for (let last = -1; !signal.aborted && isConnected(video); ) {
        // A timer, because a hidden tab gets no animation frames.
        await new Promise((resolve) => setTimeout(resolve, 1000 / framesPerSecond))
        const time = (performance.now() - startedAt) / 1000
        if (canvas.current === null || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) continue
        if (time <= last) continue
        last = time
        drawSquare(canvas.current, video)
        await writer.write(canvas.current, time)
        seconds.value = Math.floor(time)
      }
      const film = await writer.close()
      addRecording(film)
    } finally {
      seconds.value = undefined
      await writer?.abort()
      closeCamera(video)
    }
  }
  const isRecording = seconds.value !== undefined
  return (
    <>
      <button
        type="button"
        aria-pressed={isRecording}
        class={isRecording ? 'recording' : ''}
        onClick={() => (isRecording ? stopping.current?.abort() : record().catch(complain))}
      >
        {isRecording ? `Stop (${duration(seconds.value!)})` : 'Record the webcam'}
      </button>
      {!isRecording && <CameraChoice />}
      <canvas
        ref={canvas}
        class="viewfinder"
        width={side}
        height={side}
        hidden={!isRecording}
        role="img"
        aria-label="The webcam"
      />
    </>
  )
}

/** Whether a camera gives frames. If it was unplugged, that is told, and the clip up to then is kept. */
function isConnected(video: HTMLVideoElement): boolean {
  try {
    assertConnected(video)
    return true
  } catch (error) {
    complain(error)
    return false
  }
}
