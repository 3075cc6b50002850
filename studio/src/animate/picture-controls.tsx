// Chooses the picture that is moved.
import { useEffect } from 'preact/hooks'
import { say } from '../core/messages.ts'
import { titleOf } from '../core/subjects.ts'
import { DropArea } from '../ui/drop-area.tsx'
import { FileButton } from '../ui/file-button.tsx'
import { SubjectButton } from '../ui/subject-button.tsx'
import { framing, offered, picture, pictureOf } from './state.ts'

const framings = {
  chosen: 'The square that you chose is moved.',
  face: 'The square around the face is moved.',
  none: 'No face was found in this picture. The square in its middle is moved.',
} as const

/** A head or puppet, or a picture that is chosen, dropped or pasted. */
export function PictureControls() {
  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith('image/'))
      if (file !== undefined) take([file])
    }
    addEventListener('paste', paste)
    return () => removeEventListener('paste', paste)
  }, [])
  return (
    <DropArea label="Picture" class="panel" onDropped={(files) => take([...files.values()])}>
      <h2>Picture</h2>
      <div class="subjects">
        {offered.value.map((subject) => (
          <SubjectButton
            key={subject.spec}
            subject={subject}
            label={titleOf(subject)}
            isChosen={picture.value.source === subject.picture}
            onChoose={() => {
              picture.value = pictureOf(subject)
            }}
          />
        ))}
      </div>
      <div class="row">
        <FileButton label="Choose a picture" accept="image/*" onFiles={take} />
        <span class="note" aria-live="polite">
          {picture.value.name}
        </span>
      </div>
      <p class="note" aria-live="polite">
        {framing.value === undefined ? 'Or drop one here, or paste it.' : framings[framing.value]}
      </p>
      <p class="note">
        Drag the shown picture, or the frame that drives it, to choose another square. Two fingers, the wheel,
        + and - zoom.
      </p>
    </DropArea>
  )
}

function take(files: readonly File[]): void {
  const file = files.find(({ type }) => type.startsWith('image/'))
  if (file === undefined) say('This file is not a picture. Choose a PNG, JPEG, WebP or AVIF.', 'error')
  else picture.value = { name: file.name, source: file }
}
