// Pictures of synthetic subjects, heads and puppets, and a button that shows one.
import type { Subject } from '../core/subjects.ts'

/** The picture of a subject, as scripts/studio/subjects.mjs made it. The text beside it, or its button's name, says what it is. */
export function SubjectPicture({ subject }: { readonly subject: Subject }) {
  return <img src={subject.thumbnail} alt="" width={112} height={112} loading="lazy" />
}

interface SubjectButtonProps {
  /** What the button shows. */
  readonly subject: Subject
  readonly label: string
  readonly isChosen: boolean
  onChoose(): void
}

export function SubjectButton({ subject, label, isChosen, onChoose }: SubjectButtonProps) {
  return (
    <button
      type="button"
      class="subject"
      aria-pressed={isChosen}
      aria-label={label}
      title={label}
      onClick={onChoose}
    >
      <SubjectPicture subject={subject} />
    </button>
  )
}
