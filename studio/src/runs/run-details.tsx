// One run of the server: its previews and its settings.
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { go } from '../core/router.ts'
import { chosenRun } from '../core/runs.ts'
import { readPreview } from '../core/server.ts'
import { details } from './follow.ts'

/** The run that is shown in detail: its last preview and its settings. */
export function RunDetails() {
  const run = details.value
  if (run === undefined) return <p class="empty tall">Reading the run</p>
  const { id, name, previews, config, hasWeights } = run
  return (
    <div class="details">
      <div class="row spread">
        <h3>{name}</h3>
        <button
          type="button"
          disabled={!hasWeights}
          onClick={() => {
            chosenRun.value = `served:${id}`
            go('animate')
          }}
        >
          Animate with it
        </button>
      </div>
      <div class="details-grid">
        <Preview key={id} id={id} names={previews} />
        <Settings config={config} />
      </div>
    </div>
  )
}

function Preview({ id, names }: { readonly id: string; readonly names: readonly string[] }) {
  const at = useSignal<number | undefined>(undefined)
  const address = useSignal<string | undefined>(undefined)
  const index = Math.min(at.value ?? names.length - 1, names.length - 1)
  const name = names[index]
  useEffect(() => {
    if (name === undefined) return
    let isOver = false
    let made: string | undefined
    readPreview(id, name).then(
      (picture) => {
        if (isOver) return
        made = URL.createObjectURL(picture)
        address.value = made
      },
      // If a preview is gone, the one before stays. The list tells of a failing server.
      () => {},
    )
    return () => {
      isOver = true
      if (made !== undefined) URL.revokeObjectURL(made)
    }
  }, [id, name, address])
  const step = Number(/\d+/.exec(name ?? '')?.[0] ?? 0)
  return (
    <figure class="preview">
      {address.value === undefined ? (
        <p class="empty">{name === undefined ? 'No previews yet.' : 'Reading the preview'}</p>
      ) : (
        <img
          src={address.value}
          alt={`Held-out frames at step ${step}: picture, driving, result, keypoints`}
        />
      )}
      <figcaption>
        <label class="slider">
          <span>Step {step}</span>
          <input
            type="range"
            min={0}
            max={Math.max(0, names.length - 1)}
            value={Math.max(0, index)}
            disabled={names.length < 2}
            onInput={(event) => {
              at.value = Number(event.currentTarget.value)
            }}
          />
        </label>
      </figcaption>
    </figure>
  )
}

/** config.json, one line per setting. */
function Settings({ config }: { readonly config: unknown }) {
  const lines = flat(config)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by keys
    <section class="scroll settings" tabIndex={0} aria-label="Settings, which scroll">
      <table class="facts">
        <caption class="unseen">Settings</caption>
        <tbody>
          {lines.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">
                {name.split('.').flatMap((part, i) => (i === 0 ? [part] : ['.', <wbr key={part} />, part]))}
              </th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

function flat(value: unknown, path = ''): (readonly [string, string])[] {
  if (typeof value !== 'object' || value === null) return path === '' ? [] : [[path, String(value)]]
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object'))
    return [[path, value.join(', ')]]
  return Object.entries(value).flatMap(([name, inner]) => flat(inner, path === '' ? name : `${path}.${name}`))
}
