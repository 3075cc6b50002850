import { useEffect, useRef } from 'preact/hooks'
import { drawSquare, puppetFilm } from '../core/pictures.ts'

interface PuppetButtonProps {
  /** Its one frame is what the button shows. */
  readonly puppet: string
  readonly label: string
  readonly isChosen: boolean
  onChoose(): void
}

export function PuppetButton({ puppet, label, isChosen, onChoose }: PuppetButtonProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    // Without its picture the button has its name.
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

/** One after the other: each is drawn in a worker of its own. */
function inTurn(work: () => Promise<void>): void {
  last = last.then(work).catch(() => {})
}
