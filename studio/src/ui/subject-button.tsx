// A button that shows a synthetic subject: a head or a puppet.
import { useEffect, useRef } from 'preact/hooks'
import { drawSquare, syntheticFilm } from '../core/pictures.ts'

interface SubjectButtonProps {
  /** A synthetic clip of one frame, which the button shows. */
  readonly clip: string
  readonly label: string
  readonly isChosen: boolean
  onChoose(): void
}

export function SubjectButton({ clip, label, isChosen, onChoose }: SubjectButtonProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    // If the picture fails, the button has its name.
    inTurn(async () => {
      const { frames } = await syntheticFilm(clip)
      if (canvas.current !== null) drawSquare(canvas.current, frames[0]!)
    })
  }, [clip])
  return (
    <button
      type="button"
      class="subject"
      aria-pressed={isChosen}
      aria-label={label}
      title={label}
      onClick={onChoose}
    >
      <canvas ref={canvas} width={112} height={112} />
    </button>
  )
}

let last = Promise.resolve()

/** Draws one after the other, because each is drawn in its own worker. */
function inTurn(work: () => Promise<void>): void {
  last = last.then(work).catch(() => {})
}
