// Chooses a model among all that the page knows, or opens one more.
import { starters } from 'pantin/web'
import { useEffect } from 'preact/hooks'
import { filesByPath } from '../core/files.ts'
import { upperFirst } from '../core/format.ts'
import { complain } from '../core/messages.ts'
import {
  keyOf,
  opened,
  type RunKey,
  refreshServed,
  refreshStored,
  served,
  starterOf,
  stored,
  takeRun,
} from '../core/runs.ts'
import { FileButton } from './file-button.tsx'

interface RunPickerProps {
  readonly label: string
  readonly value: RunKey
  /** What may be chosen besides runs. */
  readonly others?: readonly { readonly value: string; readonly label: string }[]
  onChange(key: RunKey): void
}

/** Chooses a model among all that the page knows, or opens one more. */
export function RunPicker({ label, value, others = [], onChange }: RunPickerProps) {
  useEffect(() => {
    void refreshStored()
    refreshServed().catch(complain)
  }, [])
  const take = (source: Blob | ReadonlyMap<string, Blob>) => takeRun(source).then(onChange, complain)
  const purpose = starterOf(value)?.purpose
  const usable = served.value.filter(({ hasWeights }) => hasWeights)
  const kept = stored.value.filter(({ problem }) => problem === undefined)
  return (
    <div class="picker">
      <label class="field">
        {label}
        <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          {others.map((other) => (
            <option key={other.value} value={other.value}>
              {other.label}
            </option>
          ))}
          <optgroup label="Starters">
            {starters.map((starter) => (
              <option key={starter.name} value={keyOf(starter)}>
                {starter.name} ({starter.size}x{starter.size})
              </option>
            ))}
          </optgroup>
          {opened.value.length > 0 && (
            <optgroup label="Opened files">
              {opened.value.map((run, i) => (
                <option key={run.name} value={`opened:${i}`}>
                  {run.name}
                </option>
              ))}
            </optgroup>
          )}
          {kept.length > 0 && (
            <optgroup label="Trained in this browser">
              {kept.map(({ name, net, step }) => (
                <option key={name} value={`stored:${name}`}>
                  {name} ({net}, step {step})
                </option>
              ))}
            </optgroup>
          )}
          {usable.length > 0 && (
            <optgroup label="On this machine">
              {usable.map(({ id, name, net, step }) => (
                <option key={id} value={`served:${id}`}>
                  {name} ({net}, step {step})
                </option>
              ))}
            </optgroup>
          )}
        </select>
      </label>
      {purpose !== undefined && <p class="note">{upperFirst(purpose)}.</p>}
      <div class="row">
        <FileButton label="Open a run’s zip" accept=".zip" onFiles={([zip]) => void take(zip!)} />
        <FileButton label="Open a run folder" folder onFiles={(files) => void take(filesByPath(files))} />
      </div>
    </div>
  )
}
