// Buttons that record the moved picture and save a still.
import type { RefObject } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { duration } from '../core/format.ts'
import { complain } from '../core/messages.ts'
import { recordedSeconds, saveStill, Take } from './recording.ts'
import { canRender, type Layout, render, rendering } from './rendering.ts'
import type { Session } from './session.ts'
import { canPaste, driving, pastes } from './state.ts'

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
      const { width, height } = result.current!
      const isPasted = pastes.peek() && canPaste.peek()
      const take = await Take.begin({
        ...{ width, height, isPasted },
        format: format === 'auto' ? undefined : format,
      })
      // Another model was chosen in the meantime, or the view was left.
      if (own.isOver) return take.cancel()
      recordedSeconds.value = 0
      await own.record(take)
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
        onClick={() =>
          result.current && saveStill(result.current, pastes.peek() && canPaste.peek()).catch(complain)
        }
      >
        Save a still
      </button>
      <RenderControls session={session} format={format === 'auto' ? undefined : format} />
    </>
  )
}

interface RenderControlsProps {
  readonly session: Session | undefined
  readonly format: 'mp4' | 'webm' | undefined
}

/** Renders the whole film that drives, beside what is shown. */
function RenderControls({ session, format }: RenderControlsProps) {
  const [layout, setLayout] = useState<Layout>('result')
  const { value: choice } = driving
  const { value: now } = rendering
  const act = () => {
    if (now !== undefined) now.stop.abort()
    else if (session !== undefined && canRender(choice))
      render(session, choice, { layout, format }).catch(complain)
  }
  return (
    <>
      <button
        type="button"
        disabled={now === undefined && (session === undefined || !canRender(choice))}
        onClick={act}
      >
        {now === undefined ? 'Render the whole video' : `End the rendering (${Math.floor(100 * now.part)} %)`}
      </button>
      <label class="inline">
        <span class="unseen">What the rendered video shows</span>
        <select
          value={layout}
          disabled={now !== undefined}
          onChange={(event) => setLayout(event.currentTarget.value as Layout)}
        >
          <option value="result">result alone</option>
          <option value="beside">picture, driving, result</option>
        </select>
      </label>
    </>
  )
}
