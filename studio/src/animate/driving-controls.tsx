// Chooses what drives: a puppet, a video file, or the webcam.
import { say } from '../core/messages.ts'
import { DropArea } from '../ui/drop-area.tsx'
import { FileButton } from '../ui/file-button.tsx'
import { PuppetButton } from '../ui/puppet-button.tsx'
import { driving, puppetDriving, puppetPicture, puppets } from './state.ts'

/** What drives: a puppet's film, a video file, or the webcam. */
export function DrivingControls() {
  const { value: choice } = driving
  return (
    <DropArea label="Driving" class="panel" onDropped={(files) => take([...files.values()])}>
      <h2>Driving</h2>
      <div class="puppets">
        {puppets.map((n) => (
          <PuppetButton
            key={n}
            puppet={puppetPicture(n)}
            label={`Driven by puppet ${n}`}
            isChosen={choice.kind === 'puppet' && choice.name === puppetDriving(n)}
            onChoose={() => {
              driving.value = { kind: 'puppet', name: puppetDriving(n) }
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
        <FileButton label="Choose a video" accept="video/*" onFiles={take} />
      </div>
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
