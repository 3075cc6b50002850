// The server's studies, searches and runs, curves of runs, and the details of one.
import { useComputed, useSignal } from '@preact/signals'
import type { RunSummary, SearchBest, SearchSummary, StudySummary } from 'pantin/web'
import { useEffect } from 'preact/hooks'
import { curveTitle, type Point, smoothed, smoothing, valueAt } from '../core/curves.ts'
import { digits, duration, inPercent, upperFirst } from '../core/format.ts'
import { searches, served, studies } from '../core/runs.ts'
import { Chart, SmoothingSlider, swatchOf } from '../ui/chart.tsx'
import { TroubleBox } from '../ui/trouble-box.tsx'
import { follow, look, looked, overlaid, records, toggleOverlay, trouble } from './follow.ts'
import { RunDetails } from './run-details.tsx'

/** The runs of the server, as they are now. */
export function ServedRuns() {
  useEffect(follow, [])
  const shown = useSignal('loss')
  const lines = useComputed(() =>
    served.value.flatMap(({ id, name }, tint) => {
      if (!overlaid.value.has(id)) return []
      const points = (records.value.get(id) ?? []).flatMap((point): Point[] => {
        const y = valueAt(point, shown.value)
        return y === undefined ? [] : [[point.step, y]]
      })
      // Held-out frames are looked at seldom.
      return [
        { label: name, tint, points: shown.value === 'heldOut' ? points : smoothed(points, smoothing.value) },
      ]
    }),
  )
  const terms = useComputed(() => {
    const all = [...overlaid.value].flatMap((id) => records.value.get(id) ?? [])
    return [...new Set(all.flatMap((point) => Object.keys(point.terms ?? {})))]
  })
  return (
    <section class="panel" aria-label="Runs of the command line">
      <h2>On this machine</h2>
      {trouble.value !== undefined && <TroubleBox trouble={trouble.value} />}
      {studies.value.length > 0 && (
        <ul class="list studies" aria-label="Studies">
          {studies.value.map((study) => (
            <PlannedLine key={study.id} planned={study} parts="trials" />
          ))}
        </ul>
      )}
      {searches.value.length > 0 && (
        <ul class="list studies" aria-label="Searches">
          {searches.value.map((search) => (
            <PlannedLine key={search.id} planned={search} parts="trainings" best={search.best} />
          ))}
        </ul>
      )}
      {served.value.length === 0 ? (
        studies.value.length + searches.value.length === 0 && (
          <p class="empty tall">
            No runs yet. Start one with <code>pantin train CLIP --out RUN</code>, and this page with{' '}
            <code>pantin studio RUN</code>.
          </p>
        )
      ) : (
        <>
          <ul class="list runs">
            {served.value.map((run, tint) => (
              <RunLine key={run.id} run={run} tint={tint} />
            ))}
          </ul>
          <div class="row chart-choice">
            <label class="field">
              Curve
              <select
                value={shown.value}
                onChange={(event) => {
                  shown.value = event.currentTarget.value
                }}
              >
                {['loss', 'heldOut', ...terms.value].map((name) => (
                  <option key={name} value={name}>
                    {curveTitle(name)}
                  </option>
                ))}
              </select>
            </label>
            <SmoothingSlider />
          </div>
          <Chart
            label={`${upperFirst(curveTitle(shown.value))} by step of ${overlaid.value.size} runs`}
            up={curveTitle(shown.value)}
            lines={lines.value}
          />
          <RunDetails />
        </>
      )}
    </section>
  )
}

interface PlannedLineProps {
  readonly planned: StudySummary | SearchSummary
  /** What it consists of, in the plural. */
  readonly parts: 'trials' | 'trainings'
  readonly best?: SearchBest | undefined
}

/** How far a study or a search is. */
function PlannedLine({ planned, parts, best }: PlannedLineProps) {
  const { name, state, total, done, failed, etaSeconds, problem } = planned
  const facts = [
    `${done} of ${total} ${parts} done`,
    failed > 0 && `${failed} failed`,
    best !== undefined &&
      `best so far ${best.id}, ${digits(best.distance)} from the teacher after ${best.steps} steps`,
    state === 'training' && `${duration(etaSeconds ?? Number.NaN)} left`,
  ]
  return (
    <li>
      <strong>{name}</strong>
      <span class="state" data-state={state}>
        {state}
      </span>
      <span class="note">{problem === undefined ? facts.filter(Boolean).join(', ') : problem.what}</span>
      {problem === undefined && (
        <progress aria-label={`${upperFirst(parts)} of ${name}`} max={total} value={done} />
      )}
    </li>
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
        <span class={swatchOf(tint)} aria-hidden="true" />
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
