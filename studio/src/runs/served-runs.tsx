// The server's runs, their curves, and the details of one.
import { useComputed } from '@preact/signals'
import type { RunSummary } from 'pantin/web'
import { useEffect } from 'preact/hooks'
import { digits, duration, inPercent } from '../core/format.ts'
import { served } from '../core/runs.ts'
import { Chart } from '../ui/chart.tsx'
import { TroubleBox } from '../ui/trouble-box.tsx'
import { follow, look, looked, overlaid, records, toggleOverlay, trouble } from './follow.ts'
import { RunDetails } from './run-details.tsx'

/** The runs of the server, as they are now. */
export function ServedRuns() {
  useEffect(follow, [])
  const lines = useComputed(() =>
    served.value.flatMap(({ id, name }, tint) => {
      if (!overlaid.value.has(id)) return []
      const points = (records.value.get(id) ?? []).map(({ step, loss }) => [step, loss] as const)
      return [{ label: name, tint, points }]
    }),
  )
  return (
    <section class="panel" aria-label="Runs of the command line">
      <h2>On this machine</h2>
      {trouble.value !== undefined && <TroubleBox trouble={trouble.value} />}
      {served.value.length === 0 ? (
        <p class="empty tall">
          No runs yet. Start one with <code>pantin train CLIP --out RUN</code>, and this page with{' '}
          <code>pantin studio RUN</code>.
        </p>
      ) : (
        <>
          <ul class="list runs">
            {served.value.map((run, tint) => (
              <RunLine key={run.id} run={run} tint={tint} />
            ))}
          </ul>
          <Chart label={`Loss by step of ${overlaid.value.size} runs`} lines={lines.value} />
          <RunDetails />
        </>
      )}
    </section>
  )
}

function RunLine({ run, tint }: { readonly run: RunSummary; readonly tint: number }) {
  const { id, name, state, net, step, progress, etaSeconds, loss, problem } = run
  const facts = [
    net,
    `step ${step}`,
    loss !== undefined && `loss ${digits(loss)}`,
    state === 'training' && `${inPercent(progress)}, ${duration(etaSeconds ?? Number.NaN)} left`,
  ]
  return (
    <li class={looked.value === id ? 'chosen' : ''}>
      <label class="toggle">
        <input type="checkbox" checked={overlaid.value.has(id)} onChange={() => toggleOverlay(id)} />
        <span class={`swatch tint-${tint % 6}`} aria-hidden="true" />
        <span class="unseen">Curve of </span>
        <strong>{name}</strong>
      </label>
      <span class="state" data-state={state}>
        {state}
      </span>
      <span class="note">{problem === undefined ? facts.filter(Boolean).join(', ') : problem.what}</span>
      <button
        type="button"
        aria-pressed={looked.value === id}
        aria-label={`Look at ${name}`}
        onClick={() => look(id)}
      >
        Look
      </button>
    </li>
  )
}
