// Buttons that record the moved picture and save a still.
import type { RefObject } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { duration } from '../core/format.ts'
import { complain } from '../core/messages.ts'
import { recordedSeconds, saveStill, Take } from './recording.ts'
import type { Session } from './session.ts'

interface RecordControlsProps {
  readonly session: Session | undefined
  readonly result: RefObject<HTMLCanvasElement | null>
}

export function RecordControls({ session, result }: RecordControlsProps) {
  const [format, setFormat] = useState<'auto' | 'mp4' | 'webm'>('auto')
  const seconds = recordedSeconds.value
  const isRecording = seconds !== undefined
  const isOpening = useRef(false)
  const begin = async (own: Session) => {
    // A writer takes a while to open. A second click meanwhile must not open a second one.
    if (isOpening.current) return
    isOpening.current = true
    try {
      const take = await Take.begin(format === 'auto' ? undefined : format)
      // Another model was chosen in the meantime, or the view was left.
      if (own.isOver) return take.cancel()
      own.take = take
      recordedSeconds.value = 0
    } finally {
      isOpening.current = false
    }
  }
  const end = async (own: Session) => {
    const { take } = own
    own.take = undefined
    recordedSeconds.value = undefined
    await take?.finish()
  }
  return (
    <>
      <button
        type="button"
        class={isRecording ? 'recording' : ''}
        disabled={session === undefined}
        aria-pressed={isRecording}
        onClick={() => session && (isRecording ? end(session) : begin(session)).catch(complain)}
      >
        {isRecording ? `Stop (${duration(seconds)})` : 'Record'}
      </button>
      <label class="inline">
        <span class="unseen">Format of the recording</span>
        <select
          value={format}
          disabled={isRecording}
          onChange={(event) => setFormat(event.currentTarget.value as typeof format)}
        >
          <option value="auto">mp4 or webm</option>
          <option value="mp4">mp4</option>
          <option value="webm">webm</option>
        </select>
      </label>
      <button
        type="button"
        disabled={session === undefined}
        onClick={() => result.current && saveStill(result.current).catch(complain)}
      >
        Save a still
      </button>
    </>
  )
}
