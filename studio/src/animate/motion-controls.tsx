// Chooses how motion is transferred, what is drawn over it, and how it is smoothed.
import type { Signal } from '@preact/signals'
import { inPercent } from '../core/format.ts'
import { Choice } from '../ui/choice.tsx'
import { Toggle } from '../ui/toggle.tsx'
import type { Session } from './session.ts'
import {
  axes,
  beta,
  driving,
  heatmap,
  matches,
  minCutoff,
  motion,
  nearness,
  outline,
  points,
  type Reference,
  reference,
  smoothingBounds,
  smooths,
} from './state.ts'

export function MotionControls({ session }: { readonly session: Session | undefined }) {
  return (
    <section class="panel">
      <h2>Motion</h2>
      <Choice
        legend="Motion is"
        options={[
          { value: 'relative', label: 'Relative' },
          { value: 'absolute', label: 'Absolute' },
        ]}
        value={motion.value}
        onChange={(value) => {
          motion.value = value
        }}
      />
      {motion.value === 'relative' && driving.value.kind !== 'strings' && (
        <ReferenceControls session={session} />
      )}
      <fieldset class="toggles">
        <legend>Show</legend>
        <Toggle label="Keypoints" value={points} />
        <Toggle label="Axes" value={axes} />
        <Toggle label="Heatmaps" value={heatmap} />
      </fieldset>
      <fieldset class="toggles">
        <legend>Smoothing</legend>
        <Toggle label="One-euro filter" value={smooths} />
        <Slider label="Cutoff" unit="Hz" value={minCutoff} bounds={smoothingBounds.minCutoff} step={0.1} />
        <Slider label="Beta" unit="" value={beta} bounds={smoothingBounds.beta} step={0.05} />
      </fieldset>
    </section>
  )
}

/** Which frame of what drives has the pose of the picture: relative motion starts from it. */
function ReferenceControls({ session }: { readonly session: Session | undefined }) {
  if (driving.value.kind === 'webcam') return <OwnPose session={session} />
  return (
    <fieldset class="toggles">
      <legend>Starts from</legend>
      <Toggle label="The frame most like the picture" value={matches} />
      <p class="note" role="status">
        {referenceText(reference.value)}
      </p>
      <div class="row">
        <button type="button" disabled={session === undefined} onClick={() => session?.takeReference()}>
          Start from this frame
        </button>
      </div>
    </fieldset>
  )
}

/** The person before the webcam takes the pose of the picture. */
function OwnPose({ session }: { readonly session: Session | undefined }) {
  const isTaken = reference.value.kind === 'chosen'
  return (
    <fieldset class="toggles">
      <legend>Starts from a pose of yours</legend>
      {!isTaken && <Toggle label="Outline of the picture’s pose" value={outline} />}
      {!isTaken && outline.value && (
        <label class="slider">
          <span>Nearness</span>
          <meter min={0} max={1} value={nearness.value ?? 0} />
          <output>{nearness.value === undefined ? '-' : inPercent(nearness.value)}</output>
        </label>
      )}
      <p class="note" role="status">
        {isTaken
          ? 'The picture moves from the pose that you took.'
          : 'Turn your head as the picture does, until the rings and the dots meet. Then take this pose.'}
      </p>
      <div class="row">
        <button
          type="button"
          class={isTaken ? '' : 'strong'}
          disabled={session === undefined}
          onClick={() => session?.takeReference()}
        >
          Use this pose
        </button>
        {isTaken && (
          <button type="button" onClick={() => session?.reference.start()}>
            Match again
          </button>
        )}
      </div>
    </fieldset>
  )
}

function referenceText(now: Reference): string {
  switch (now.kind) {
    case 'searched':
      return 'The video is searched for the pose of the picture.'
    case 'nearest':
      return `Frame ${now.frame + 1} of ${now.frameCount} is most like the picture.`
    case 'chosen':
      return 'You chose the frame.'
    case 'first':
      return 'The frame that came after your last change.'
  }
}

interface SliderProps {
  readonly label: string
  readonly unit: string
  readonly value: Signal<number>
  readonly bounds: readonly [number, number]
  readonly step: number
}

function Slider({ label, unit, value, bounds: [min, max], step }: SliderProps) {
  return (
    <label class="slider">
      <span>{label}</span>
      <input
        type="range"
        {...{ min, max, step }}
        value={value.value}
        disabled={!smooths.value}
        onInput={(event) => {
          value.value = Number(event.currentTarget.value)
        }}
      />
      <output>
        {value.value.toFixed(2)} {unit}
      </output>
    </label>
  )
}
