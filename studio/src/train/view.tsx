// The view Train: a form, or the training of this page.
import { useEffect } from 'preact/hooks'
import { refreshStored, stored } from '../core/runs.ts'
import { TrainForm } from './form.tsx'
import { job, resume } from './job.ts'
import { TrainProgress } from './progress.tsx'

export function TrainView() {
  useEffect(() => void refreshStored(), [])
  const now = job.value
  const left = stored.value.filter(({ resumable }) => resumable)
  return (
    <div class="view train">
      <h1>Train</h1>
      <p class="lead">
        A model learns from your clips, in this browser. It is saved every few seconds. You can close the page
        and go on later.
      </p>
      {now !== undefined && <TrainProgress now={now} />}
      {now === undefined && left.length > 0 && (
        <section class="panel unfinished">
          <h2>Not finished yet</h2>
          <ul class="list">
            {left.map(({ name, net, step }) => (
              <li key={name}>
                <span>
                  <strong>{name}</strong> <span class="note">{`${net}, step ${step}`}</span>
                </span>
                <button type="button" onClick={() => void resume(name)}>
                  {`Go on with ${name}`}
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      {now === undefined && <TrainForm />}
    </div>
  )
}
