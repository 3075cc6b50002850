import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { complain } from '../core/messages.ts'
import { networks, readNetworks } from '../core/networks.ts'
import { stored as storedList } from '../core/runs.ts'
import { stored } from '../core/stored.ts'
import { ClipList } from './clip-list.tsx'
import { clips } from './clips.ts'
import { start } from './job.ts'

const net = stored<string>('train.net', 'ficelle')
const size = stored<number>('train.size', 64)
const minutes = stored('train.minutes', 8)
const batch = stored('train.batch', 8)
const keypoints = stored('train.keypoints', 10)
/** 0: minutes decide. */
const steps = signal(0)
const seed = stored('train.seed', 42)
const holdout = stored('train.holdout', 0.2)

/** Clips, a network, and how long. */
export function TrainForm() {
  const [name, setName] = useState<string>()
  useEffect(() => {
    readNetworks().catch(complain)
  }, [])
  const shownName = name ?? freeName(storedList.value.map((run) => run.name))
  const submit = (event: Event) => {
    event.preventDefault()
    void start(
      shownName,
      clips.value.map(({ source }) => source),
      {
        net: net.value,
        size: size.value,
        keypoints: keypoints.value,
        batch: batch.value,
        seed: seed.value,
        holdout: holdout.value,
        ...(steps.value > 0 ? { steps: steps.value } : { minutes: minutes.value }),
      },
    )
  }
  const known = networks.value.length > 0 ? networks.value : [{ name: net.value, title: net.value, year: 0 }]
  return (
    <form class="panels train-form" onSubmit={submit}>
      <ClipList />
      <section class="panel">
        <h2>Network</h2>
        <label class="field">
          Network
          <select
            value={net.value}
            onChange={(event) => {
              net.value = event.currentTarget.value
            }}
          >
            {known.map(({ name: value, title }) => (
              <option key={value} value={value}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <NumberField label="Minutes" setting={minutes} min={0.1} max={600} step="any" />
        <label class="field">
          Name of the run
          <input
            type="text"
            required
            maxLength={64}
            value={shownName}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <div class="row">
          <button type="submit" class="strong" disabled={clips.value.length === 0}>
            Start training
          </button>
        </div>
        {clips.value.length === 0 && <p class="note">Add a clip first.</p>}
      </section>
      <details class="panel more">
        <summary>
          <h2>More settings</h2>
        </summary>
        <label class="field">
          Frame size
          <select
            value={size.value}
            onChange={(event) => {
              size.value = Number(event.currentTarget.value)
            }}
          >
            {[64, 96, 128, 192, 256].map((side) => (
              <option key={side} value={side}>
                {side} x {side}
              </option>
            ))}
          </select>
        </label>
        <NumberField label="Keypoints" setting={keypoints} min={1} max={100} />
        <NumberField label="Frame pairs a step" setting={batch} min={1} max={64} />
        <NumberField label="Steps (0: minutes decide)" setting={steps} min={0} max={1_000_000} />
        <NumberField
          label="Held out at the end of each clip"
          setting={holdout}
          min={0}
          max={0.9}
          step="any"
        />
        <NumberField label="Seed" setting={seed} min={0} max={4_294_967_295} />
      </details>
    </form>
  )
}

interface NumberFieldProps {
  readonly label: string
  readonly setting: { value: number }
  readonly min: number
  readonly max: number
  readonly step?: 'any'
}

function NumberField({ label, setting, min, max, step }: NumberFieldProps) {
  return (
    <label class="field">
      {label}
      <input
        type="number"
        required
        {...{ min, max }}
        step={step ?? 1}
        value={setting.value}
        onChange={(event) => {
          const { valueAsNumber } = event.currentTarget
          if (Number.isFinite(valueAsNumber)) setting.value = valueAsNumber
        }}
      />
    </label>
  )
}

/** `run 1`, `run 2`, ...: the first that is not taken. */
function freeName(taken: readonly string[]): string {
  for (let n = 1; ; n++) {
    if (!taken.includes(`run ${n}`)) return `run ${n}`
  }
}
