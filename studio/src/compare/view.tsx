// The compare view: the zoo as a table and a plot, one network in detail, two runs side by side.
import { useEffect } from 'preact/hooks'
import { inPercent } from '../core/format.ts'
import { TroubleBox } from '../ui/trouble-box.tsx'
import {
  count,
  countAgain,
  measure,
  measuring,
  profiles,
  rows,
  stopMeasuring,
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
            {times.value.size > 0 ? 'Measure again' : 'Measure on this device'}
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
