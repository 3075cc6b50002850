import { type Signal, signal } from '@preact/signals'
import {
  isModelOption,
  type NumberOption,
  type Option,
  type OptionValues,
  starters,
  trainOptions,
} from 'pantin/web'
import { useEffect } from 'preact/hooks'
import { complain } from '../core/messages.ts'
import { networks, readNetworks } from '../core/networks.ts'
import { stored as storedList } from '../core/runs.ts'
import { stored } from '../core/stored.ts'
import { ClipList } from './clip-list.tsx'
import { clips, begunWith as from } from './clips.ts'
import { chosenName, start } from './job.ts'

const net = stored<string>('train.net', 'ficelle')

/** One option of the table as the form keeps it. A number of 0 and an empty choice are not given where there is no default. */
interface Setting {
  readonly name: string
  readonly option: Option
  readonly value: Signal<string | number | boolean>
}

const settings: readonly Setting[] = Object.entries<Option>(trainOptions).flatMap(([name, option]) => {
  if (option.shown === false) return []
  const initial = option.default ?? { number: 0, switch: false, choice: '', text: '' }[option.kind]
  // A length in steps that is remembered would end the next run when nobody expects it.
  const value = option.default === undefined ? signal(initial) : stored(`train.${name}`, initial)
  return { name, option, value }
})

const isGiven = ({ option, value }: Setting) =>
  option.default !== undefined || (value.value !== 0 && value.value !== '' && value.value !== false)

/** A model that is trained further stays as it is. */
const isOpen = ({ name }: Setting) => from.value === '' || !isModelOption(name)

/** The values of the form. The worker checks them. */
function values(): OptionValues<typeof trainOptions> {
  const given = settings.filter(isGiven).filter(isOpen)
  const excluded = new Set(given.map(({ option }) => option.conflicts))
  const counted = given.filter(({ name }) => !excluded.has(name))
  return Object.fromEntries(counted.map(({ name, value }) => [name, value.value]))
}

/** Clips, a model to begin with, and how long. */
export function TrainForm() {
  useEffect(() => {
    readNetworks().catch(complain)
  }, [])
  const shownName = chosenName.value ?? freeName(storedList.value.map((run) => run.name))
  const submit = (event: Event) => {
    event.preventDefault()
    void start(shownName, clips.value, {
      ...(from.value === '' ? { net: net.value } : { from: from.value }),
      ...values(),
    })
  }
  const known = networks.value.length > 0 ? networks.value : [{ name: net.value, title: net.value, year: 0 }]
  return (
    <form class="panels train-form" onSubmit={submit}>
      <ClipList />
      <section class="panel">
        <h2>Model</h2>
        <label class="field">
          Begin with
          <select
            value={from.value}
            onChange={(event) => {
              from.value = event.currentTarget.value
            }}
          >
            {starters.map(({ name: value, size }) => (
              <option key={value} value={value}>
                {`${value} (${size}x${size})`}
              </option>
            ))}
            <option value="">a new model</option>
          </select>
        </label>
        {from.value === '' ? (
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
        ) : (
          <p class="note">
            {`This starter ${starters.find(({ name: value }) => value === from.value)?.purpose}. It learns your clips in minutes.`}
          </p>
        )}
        {settings.filter(isUpFront).map(field)}
        <label class="field">
          Name of the run
          <input
            type="text"
            required
            maxLength={64}
            value={shownName}
            onInput={(event) => {
              chosenName.value = event.currentTarget.value
            }}
          />
        </label>
        <div class="row">
          <button type="submit" class="strong" disabled={clips.value.length === 0}>
            Start training
          </button>
        </div>
        {clips.value.length === 0 && <p class="note">Add a clip first.</p>}
      </section>
      <details
        class="panel more"
        // The browser shows no message at a field that is out of sight, and nothing would happen.
        onInvalidCapture={({ currentTarget }) => {
          currentTarget.open = true
        }}
      >
        <summary>
          <h2>More settings</h2>
        </summary>
        {settings.filter((setting) => !isUpFront(setting) && isOpen(setting)).map(field)}
      </details>
    </form>
  )
}

/** Everybody decides how long a run takes; the rest can wait. */
const isUpFront = ({ name }: Setting) => name === 'minutes'

const field = (setting: Setting) => <OptionField key={setting.name} {...setting} />

/** The field of an option: its choices, a number within its bounds, a box to check, or a text. */
function OptionField({ option, value }: Setting) {
  const { label, help } = option
  if (option.kind === 'choice') {
    return (
      <label class="field" title={help}>
        {label}
        <select
          value={String(value.value)}
          onChange={(event) => {
            value.value = event.currentTarget.value
          }}
        >
          {option.default === undefined && <option value="">default</option>}
          {option.choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      </label>
    )
  }
  if (option.kind === 'switch') {
    return (
      <label class="field" title={help}>
        {label}
        <input
          type="checkbox"
          checked={value.value === true}
          onChange={(event) => {
            value.value = event.currentTarget.checked
          }}
        />
      </label>
    )
  }
  if (option.kind === 'text') {
    return (
      <label class="field" title={help}>
        {label}
        <input
          type="text"
          value={String(value.value)}
          onInput={(event) => {
            value.value = event.currentTarget.value
          }}
        />
      </label>
    )
  }
  if (option.offered !== undefined) {
    return (
      <label class="field" title={help}>
        {label}
        <select
          value={Number(value.value)}
          onChange={(event) => {
            value.value = Number(event.currentTarget.value)
          }}
        >
          {option.offered.map((number) => (
            <option key={number} value={number}>
              {number}
            </option>
          ))}
        </select>
      </label>
    )
  }
  return <NumberField {...{ option, value }} />
}

function NumberField({ option, value }: { readonly option: NumberOption; readonly value: Setting['value'] }) {
  const least = option.default === undefined ? 0 : (option.min ?? option.above)
  return (
    <label class="field" title={option.help}>
      {option.label}
      <input
        type="number"
        required
        min={least}
        max={option.max ?? option.below}
        step={option.whole ? 1 : 'any'}
        value={Number(value.value)}
        onChange={(event) => {
          const { valueAsNumber } = event.currentTarget
          if (Number.isFinite(valueAsNumber)) value.value = valueAsNumber
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
