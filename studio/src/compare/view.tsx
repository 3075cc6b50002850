// The compare view: the zoo as a table and a plot, one network in detail, two runs side by side.
import { useEffect } from 'preact/hooks'
import { download } from '../core/files.ts'
import { inPercent } from '../core/format.ts'
import { TroubleBox } from '../ui/trouble-box.tsx'
import {
  chosenStudy,
  count,
  countAgain,
  csv,
  errors,
  measure,
  measured,
  measuring,
  profiles,
  rows,
  stopMeasuring,
  timedDevice,
  times,
  trouble,
} from './facts.ts'
import { Network } from './network.tsx'
import { ParetoPlot } from './pareto-plot.tsx'
import { SideBySide } from './side-by-side.tsx'
import { ZooTable } from './zoo-table.tsx'

export function CompareView() {
  useEffect(() => {
    count()
    return stopMeasuring
  }, [])
  const all = rows()
  const now = measuring.value
  const counted = profiles.value.size
  const devices = Object.keys(times.value)
  return (
    <div class="view compare">
      <h1>Compare</h1>
      <p class="lead">
        Every network of the zoo as the backbone of a keypoint detector, at 64 x 64, ten keypoints.
      </p>
      {trouble.value !== undefined && (
        <TroubleBox trouble={trouble.value}>
          <button type="button" onClick={countAgain}>
            Try again
          </button>
        </TroubleBox>
      )}
      <div class="row bar">
        {now === undefined ? (
          <button type="button" class="strong" disabled={all.length === 0} onClick={() => void measure()}>
            {devices.length > 0 ? 'Measure again' : 'Measure on this device'}
          </button>
        ) : (
          <button type="button" onClick={stopMeasuring}>
            Cancel
          </button>
        )}
        <progress
          value={now?.done ?? (all.length === 0 ? 0 : counted / all.length)}
          max={1}
          aria-label={now === undefined ? 'Networks counted' : 'Networks measured'}
        />
        <span class="note fixed" role="status">
          {now !== undefined
            ? `Measuring ${now.name}, ${inPercent(now.done)}`
            : counted < all.length || all.length === 0
              ? `Counted ${counted} of ${all.length || 'all'} networks`
              : `${counted} networks`}
        </span>
        <button
          type="button"
          disabled={all.length === 0}
          onClick={() => download(new Blob([csv(all)], { type: 'text/csv' }), 'networks.csv')}
        >
          Download as CSV
        </button>
      </div>
      <div class="row">
        {devices.length > 1 && (
          <label class="field">
            Times on
            <select
              value={timedDevice.value}
              onChange={(event) => {
                timedDevice.value = event.currentTarget.value
              }}
            >
              {devices.map((device) => (
                <option key={device} value={device}>
                  {device}
                </option>
              ))}
            </select>
          </label>
        )}
        {measured.value.length > 1 && (
          <label class="field">
            Errors of the study
            <select
              value={chosenStudy.value}
              onChange={(event) => {
                chosenStudy.value = event.currentTarget.value
              }}
            >
              {measured.value.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
        {errors.value !== undefined && (
          <p class="note">Error is what a study of yours measured: {errors.value.measure}. Less is better.</p>
        )}
      </div>
      <div class="zoo-grid">
        <section class="panel" aria-label="The zoo">
          <ZooTable rows={all} />
        </section>
        <section class="panel" aria-label="What a network costs against what it gives">
          <ParetoPlot rows={all} />
        </section>
      </div>
      <Network />
      <SideBySide />
    </div>
  )
}
