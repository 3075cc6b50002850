// Chooses how motion is transferred, what is drawn over it, and how it is smoothed.
import type { Signal } from '@preact/signals'
import { Choice } from '../ui/choice.tsx'
import { Toggle } from '../ui/toggle.tsx'
import type { Session } from './session.ts'
import { axes, beta, heatmap, minCutoff, motion, points, smoothingBounds, smooths } from './state.ts'

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
      <div class="row">
        <button
          type="button"
          disabled={session === undefined || motion.value === 'absolute'}
          onClick={() => session?.resetReference()}
        >
          Reset the reference pose
        </button>
      </div>
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
