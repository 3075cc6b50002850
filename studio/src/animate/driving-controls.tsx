// Chooses what drives: a synthetic clip, a video file, or the webcam.
import { isMirrored } from '../core/camera.ts'
import { say } from '../core/messages.ts'
import { CameraChoice } from '../ui/camera-choice.tsx'
import { DropArea } from '../ui/drop-area.tsx'
import { FileButton } from '../ui/file-button.tsx'
import { SubjectButton } from '../ui/subject-button.tsx'
import { Toggle } from '../ui/toggle.tsx'
import { driving, drivingOf, offered } from './state.ts'

/** What drives: the film of a head or puppet, a video file, or the webcam. */
export function DrivingControls() {
  const { value: choice } = driving
  return (
    <DropArea label="Driving" class="panel" onDropped={(files) => take([...files.values()])}>
      <h2>Driving</h2>
      <div class="subjects">
        {offered.value.map((subject) => (
          <SubjectButton
            key={subject.spec}
            subject={subject}
            label={`Driven by ${subject.name}`}
            isChosen={choice.kind === 'synthetic' && choice.name === subject.film}
            onChoose={() => {
              driving.value = drivingOf(subject)
            }}
          />
        ))}
      </div>
      <div class="row">
        <button
          type="button"
          aria-pressed={choice.kind === 'webcam'}
          onClick={() => {
            driving.value = { kind: 'webcam' }
          }}
        >
          Webcam
        </button>
        <button
          type="button"
          aria-pressed={choice.kind === 'strings'}
          onClick={() => {
            driving.value = { kind: 'strings' }
          }}
        >
          Pull the strings
        </button>
        <FileButton label="Choose a video" accept="video/*" onFiles={take} />
      </div>
      {choice.kind === 'webcam' && (
        <>
          <CameraChoice />
          <Toggle label="Mirror the webcam" value={isMirrored} />
        </>
      )}
      <p class="note" aria-live="polite">
        {choice.kind === 'video' ? choice.file.name : 'Or drop a video here. It stays on this machine.'}
      </p>
    </DropArea>
  )
}

function take(files: readonly File[]): void {
  const file = files.find(({ type }) => type.startsWith('video/'))
  if (file === undefined) say('This file is not a video. Choose an mp4 or a webm.', 'error')
  else driving.value = { kind: 'video', file }
}
