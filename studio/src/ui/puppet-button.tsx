// A button that shows a puppet.
import { useEffect, useRef } from 'preact/hooks'
import { drawSquare, puppetFilm } from '../core/pictures.ts'

interface PuppetButtonProps {
  /** A puppet of one frame, which the button shows. */
  readonly puppet: string
  readonly label: string
  readonly isChosen: boolean
  onChoose(): void
}

export function PuppetButton({ puppet, label, isChosen, onChoose }: PuppetButtonProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    // If the picture fails, the button has its name.
    inTurn(async () => {
      const { frames } = await puppetFilm(puppet)
      if (canvas.current !== null) drawSquare(canvas.current, frames[0]!)
    })
  }, [puppet])
  return (
    <button
      type="button"
      class="puppet"
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
