// The view Runs: the runs of this machine, and those of this browser.
import { token } from '../core/token.ts'
import { ServedRuns } from './served-runs.tsx'
import { StoredRuns } from './stored-runs.tsx'

export function RunsView() {
  return (
    <div class="view runs-view">
      <h1>Runs</h1>
      {token.value === undefined ? (
        <section class="panel" aria-label="Runs of the command line">
          <h2>On this machine</h2>
          <p class="empty">
            The runs of the command line appear here, live, if their machine serves this page: start{' '}
            <code>pantin studio RUN</code> and open the address that it prints.
          </p>
        </section>
      ) : (
        <ServedRuns />
      )}
      <StoredRuns />
    </div>
  )
}
