// Chooses the clips that a training learns from.
import { upperFirst } from '../core/format.ts'
import { DropArea } from '../ui/drop-area.tsx'
import { FileButton } from '../ui/file-button.tsx'
import { CameraClip } from './camera-clip.tsx'
import { addFiles, addSynthetic, clips, removeClip } from './clips.ts'

const synthetic = ['head:1', 'head:2', 'puppet:1', 'puppet:2'] as const

export function ClipList() {
  return (
    <DropArea label="Clips" class="panel" onDropped={(files) => addFiles(files.values())}>
      <h2>Clips</h2>
      <ul class="clips">
        {clips.value.map((clip) => (
          <li key={clip.name}>
            <span>{clip.name}</span>
            <button
              type="button"
              class="plain"
              aria-label={`Remove ${clip.name}`}
              onClick={() => removeClip(clip)}
            >
              ×
            </button>
          </li>
        ))}
        {clips.value.length === 0 && (
          <li class="empty">None yet. Half a minute of one moving subject is a good start.</li>
        )}
      </ul>
      <div class="row">
        <FileButton label="Choose videos" accept="video/*,.mkv" multiple onFiles={addFiles} />
        <CameraClip />
      </div>
      <div class="row">
        {synthetic.map((spec) => (
          <button key={spec} type="button" onClick={() => addSynthetic(spec)}>
            {upperFirst(spec.replace(':', ' '))}
          </button>
        ))}
      </div>
      <p class="note">Or drop videos here. They stay on this machine.</p>
    </DropArea>
  )
}
