// The strings as sliders, and the poses that are kept.
import type { RefObject } from 'preact'
import { complain } from '../core/messages.ts'
import type { Pull } from '../core/strings.ts'
import { dropPose, keepPose, kept, letGo, plays, pull, puppet, taken } from './puppetry.ts'

interface StringControlsProps {
  readonly result: RefObject<HTMLCanvasElement | null>
}

/** A slider for each string, and poses to play between. */
export function StringControls({ result }: StringControlsProps) {
  const { value: tied } = puppet
  const poses = kept.value
  return (
    <section class="panel" aria-label="Strings">
      <h2>Strings</h2>
      <p class="note">
        Pull a point on the picture in the middle, or a slider. With the keyboard, N and P take the next point
        and the one before, and arrows pull it.
      </p>
      {tied?.strings.length === 0 && (
        <p class="note">
          This model has no strings yet. Let a video drive it for a few seconds and come back: its movements
          become strings. Points can be pulled already.
        </p>
      )}
      <fieldset class="toggles">
        <legend class="unseen">Strings</legend>
        {tied?.strings.map(({ name }, s) => (
          <StringSlider key={name} name={name} index={s} />
        ))}
      </fieldset>
      <div class="row">
        <button type="button" disabled={tied === undefined} onClick={letGo}>
          Let go
        </button>
        <button
          type="button"
          disabled={tied === undefined}
          onClick={() => result.current && keepPose(result.current).catch(complain)}
        >
          Keep this pose
        </button>
        <button
          type="button"
          disabled={poses.length < 2}
          aria-pressed={plays.value}
          onClick={() => {
            plays.value = !plays.value
          }}
        >
          Play the poses
        </button>
      </div>
      <ol class="poses" aria-label="Kept poses">
        {poses.map((pose, i) => (
          <li key={pose.picture}>
            <button
              type="button"
              class="subject"
              aria-label={`Pose ${i + 1}`}
              onClick={() => {
                plays.value = false
                pull.value = pose.pull
              }}
            >
              <img src={pose.picture} alt="" width={112} height={112} />
            </button>
            <button type="button" class="small" aria-label={`Drop pose ${i + 1}`} onClick={() => dropPose(i)}>
              Drop
            </button>
          </li>
        ))}
      </ol>
      <p class="note" aria-live="polite">
        {poses.length < 2
          ? 'Keep two poses or more, and play between them. Record makes a film of it.'
          : `${poses.length} poses are kept.`}{' '}
        {tied !== undefined && `Point ${taken.value + 1} of ${tied.rest.value.length} is taken.`}
      </p>
    </section>
  )
}

const withPull = (pull: Pull, index: number, value: number): Pull => ({
  ...pull,
  pulls: pull.pulls.map((old, s) => (s === index ? value : old)),
})

function StringSlider({ name, index }: { readonly name: string; readonly index: number }) {
  const value = pull.value.pulls[index] ?? 0
  return (
    <label class="slider">
      <span>{name}</span>
      <input
        type="range"
        min={-1.5}
        max={1.5}
        step={0.05}
        value={value}
        onInput={(event) => {
          plays.value = false
          pull.value = withPull(pull.peek(), index, Number(event.currentTarget.value))
        }}
      />
      <output>{Math.round(100 * value)} %</output>
    </label>
  )
}
