// Buttons that copy the present state: as a command, and as code for a page of one's own.
import { useSignal } from '@preact/signals'
import { complain, say } from '../core/messages.ts'
import { chosenRun, served, starterOf } from '../core/runs.ts'
import { Choice } from '../ui/choice.tsx'
import { commandOf, pageCodeOf, type Scene } from './code.ts'
import { aimed, pull } from './puppetry.ts'
import * as state from './state.ts'

/** The name of the model: a starter's, or that of a run's folder. */
function modelName(): string {
  const key = chosenRun.value
  const [kind, ...rest] = key.split(':')
  const name = rest.join(':')
  if (kind === 'served') return served.value.find(({ id }) => id === name)?.name ?? name
  return starterOf(key)?.name ?? (kind === 'opened' ? 'my-run' : name)
}

/** @param withPose the pose of strings is wanted too, which changes with each picture while they are pulled */
function scene(withPose: boolean): Scene {
  const { name, source, square, clip } = state.picture.value
  const { value: choice } = state.driving
  const { value: reference } = state.reference
  const pose = withPose && choice.kind === 'strings' ? aimed(pull.value) : undefined
  return {
    model: modelName(),
    picture:
      typeof source === 'string'
        ? { kind: 'synthetic', name: source, square }
        : { kind: 'file', name, ...clip, square },
    driving:
      choice.kind === 'video'
        ? { kind: 'file', name: choice.file.name }
        : choice.kind === 'strings'
          ? { kind: 'strings', ...(pose && { pose }) }
          : choice,
    isAbsolute: state.motion.value === 'absolute',
    reference: 'pose' in reference ? reference.pose : undefined,
    paste: state.pastes.value && state.canPaste.value,
    smoothing: state.smooths.value && { minCutoff: state.minCutoff.value, beta: state.beta.value },
    looksForFaces: state.looksForFaces.value,
  }
}

/** Lines do not break within an option: browsers break after hyphens. */
const inWords = (text: string) =>
  text.split(/(?<= )(?=-)|(?<= -\S+)(?= )/).map((part, i) =>
    part.startsWith('-') ? (
      <span class="word" key={`${i} ${part}`}>
        {part}
      </span>
    ) : (
      part
    ),
  )

const kinds = { command: 'command', code: 'code' } as const

/** The command, or the code, of what is shown, and a button that copies it. */
export function CodeControls() {
  const kind = useSignal<keyof typeof kinds>('command')
  const now = scene(kind.value === 'code')
  const text = kind.value === 'command' ? commandOf(now) : pageCodeOf(now)
  const copy = async (what: string) => {
    const { clipboard } = navigator as Partial<Navigator>
    if (clipboard === undefined) return say('This page may not copy. Select the text, and copy it.', 'error')
    await clipboard.writeText(what)
    say(`The ${kinds[kind.peek()]} is copied.`)
  }
  return (
    <section class="panel">
      <h2>The same in code</h2>
      <Choice
        legend="As"
        options={[
          { value: 'command', label: 'A command' },
          { value: 'code', label: 'A page' },
        ]}
        value={kind.value}
        onChange={(value) => {
          kind.value = value
        }}
      />
      {text === undefined ? (
        <p class="note">A command needs a video: let a head, a puppet or a video drive the picture.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by keys
        <section class="scroll code" tabIndex={0} aria-label={`The ${kinds[kind.value]}`}>
          <pre>{kind.value === 'command' ? inWords(text) : text}</pre>
        </section>
      )}
      <div class="row">
        <button
          type="button"
          disabled={text === undefined}
          onClick={() => text !== undefined && copy(text).catch(complain)}
        >
          {`Copy the ${kinds[kind.value]}`}
        </button>
      </div>
    </section>
  )
}
