// Pictures of synthetic subjects, heads and puppets, and a button that shows one.
import { useEffect, useRef } from 'preact/hooks'
import { drawSquare, type Film, syntheticFilm } from '../core/pictures.ts'

/** Shows a synthetic clip of one frame. The text beside it, or its button's name, says what it is. */
export function SubjectPicture({ clip }: { readonly clip: string }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    filmInTurn(clip).then(
      ({ frames }) => canvas.current && drawSquare(canvas.current, frames[0]!),
      // If the picture fails, the button has its name.
      () => {},
    )
  }, [clip])
  return <canvas ref={canvas} width={112} height={112} />
}

interface SubjectButtonProps {
  /** A synthetic clip of one frame, which the button shows. */
  readonly clip: string
  readonly label: string
  readonly isChosen: boolean
  onChoose(): void
}

export function SubjectButton({ clip, label, isChosen, onChoose }: SubjectButtonProps) {
  return (
    <button
      type="button"
      class="subject"
      aria-pressed={isChosen}
      aria-label={label}
      title={label}
      onClick={onChoose}
    >
      <SubjectPicture clip={clip} />
    </button>
  )
}

let last: Promise<unknown> = Promise.resolve()
const films = new Map<string, Promise<Film>>()

/** Makes one film after the other, because each is made in its own worker; and each once, wherever it is shown. */
function filmInTurn(clip: string): Promise<Film> {
  const known = films.get(clip)
  if (known !== undefined) return known
  const film = last.then(() => syntheticFilm(clip))
  films.set(clip, film)
  last = film.catch(() => films.delete(clip))
  return film
}
