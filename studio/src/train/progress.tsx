// A training as it goes: numbers, curve, held-out frames, and what can be done with it.
import { useComputed, useSignal } from '@preact/signals'
import { type CurvePoint, curveTitle, type Point, smoothed, smoothing, valueAt } from '../core/curves.ts'
import { download } from '../core/files.ts'
import { digits, duration, inPercent } from '../core/format.ts'
import { complain } from '../core/messages.ts'
import { go } from '../core/router.ts'
import { chosenRun, takeOpened } from '../core/runs.ts'
import { Chart, type Line, SmoothingSlider } from '../ui/chart.tsx'
import { TroubleBox } from '../ui/trouble-box.tsx'
import { showLearned } from './clips.ts'
import {
  cancel,
  curve,
  downloaded,
  firstClip,
  heldOut,
  inMemory,
  isOnlyCopy,
  type Job,
  leave,
  result,
  resumable,
  resume,
  stop,
} from './job.ts'

const stateNames: Readonly<Record<Job['state'], string>> = {
  decoding: 'Reading clips',
  training: 'Training',
  saving: 'Saving',
  paused: 'Paused',
  finished: 'Finished',
  failed: 'Stopped',
}

/** A training in progress or at its end. */
export function TrainProgress({ now }: { readonly now: Job }) {
  const lines = useComputed(() => linesOf(curve.value, smoothing.value))
  const errors = useComputed(() => heldOutLines(heldOut.value))
  const { state, last, decoded, preview, savedAt, trouble } = now
  const done =
    state === 'decoding' ? (decoded === undefined ? 0 : decoded.done / decoded.total) : (last?.progress ?? 0)
  return (
    <section class="panel job" aria-label={`Training of ${now.name}`}>
      <div class="row spread">
        <h2>{now.name}</h2>
        <span class="state" role="status" data-state={state}>
          {stateNames[state]}
        </span>
      </div>
      <progress value={done} max={1} aria-label={stateNames[state]} />
      <dl class="numbers">
        <Figure
          name="step"
          value={last === undefined ? '-' : `${last.step}${last.steps ? ` of ${last.steps}` : ''}`}
        />
        <Figure name="loss" value={last === undefined ? '-' : digits(last.loss)} />
        <Figure name="steps/s" value={last === undefined ? '-' : digits(last.rate)} />
        <Figure name="time left" value={last === undefined ? '-' : duration(last.etaSeconds)} />
        <Figure name="done" value={inPercent(done)} />
        <Figure name="saved at step" value={savedAt === undefined ? '-' : String(savedAt)} />
      </dl>
      {trouble !== undefined && <TroubleBox trouble={trouble} />}
      <Keeping now={now} />
      <JobButtons now={now} />
      <div class="job-pictures">
        <div class="charts">
          <Chart label={curveLabel(now)} up="loss" lines={lines.value} />
          <SmoothingSlider />
          {heldOut.value.length > 1 && (
            <Chart label={errorLabel(heldOut.value)} up="error on held-out frames" lines={errors.value} />
          )}
        </div>
        <figure class="preview">
          {preview === undefined ? (
            <p class="empty">Previews of held-out frames appear here after some steps.</p>
          ) : (
            <img
              src={preview.address}
              alt={`Held-out frames at step ${preview.step}: picture, driving, result, keypoints`}
            />
          )}
          <figcaption class="note">
            {preview === undefined
              ? 'Held-out frames'
              : `Step ${preview.step}: picture, driving, result, keypoints. ${measuresText(preview.measures)}`}
          </figcaption>
        </figure>
      </div>
    </section>
  )
}

/** Tells that the storage had no room, and what to do. */
function Keeping({ now: { state } }: { readonly now: Job }) {
  if (isOnlyCopy.value) {
    const remedy =
      result.value === undefined
        ? 'keep this page open until the training is finished, then download the run; after a pause it may not be possible to go on'
        : 'download it before you leave the page'
    return (
      <TroubleBox trouble={{ what: 'storage is full: this page has the only copy of the run', remedy }} />
    )
  }
  if (state !== 'paused' || resumable.value !== undefined) return null
  return <p class="note">This run cannot go on here: the frames of its clips are not kept.</p>
}

function JobButtons({ now: { name, state } }: { readonly now: Job }) {
  const asks = useSignal(false)
  const run = result.value
  const isOver = state === 'paused' || state === 'finished' || state === 'failed'
  const take = async (from: NonNullable<typeof run>) => {
    download(await from.toZip(), `${name}.zip`)
    downloaded.value = true
  }
  return (
    <div class="row">
      {state === 'decoding' && (
        <button type="button" onClick={cancel}>
          Cancel
        </button>
      )}
      {!isOver && (
        <button type="button" disabled={state !== 'training'} onClick={stop}>
          Pause
        </button>
      )}
      {state === 'paused' && resumable.value !== undefined && !isOnlyCopy.value && (
        <button type="button" class="strong" onClick={() => void resume(name)}>
          {resumable.value.step === run?.step ? 'Go on' : `Go on from step ${resumable.value.step}`}
        </button>
      )}
      {run !== undefined && (
        <>
          <button
            type="button"
            class={state === 'finished' && !isOnlyCopy.value ? 'strong' : ''}
            onClick={() => {
              chosenRun.value = inMemory.peek() ? takeOpened(run) : `stored:${name}`
              const learned = firstClip.peek()
              if (learned !== undefined) showLearned(learned).catch(complain)
              go('animate')
            }}
          >
            Animate with it
          </button>
          <button
            type="button"
            class={isOnlyCopy.value ? 'strong' : ''}
            onClick={() => take(run).catch(complain)}
          >
            Download the run
          </button>
        </>
      )}
      {isOver && (
        <button
          type="button"
          class={asks.value ? 'danger' : ''}
          onBlur={() => {
            asks.value = false
          }}
          onClick={() => {
            asks.value = isOnlyCopy.peek() && !asks.peek()
            if (!asks.peek()) leave()
          }}
        >
          {asks.value ? 'Lose this run?' : 'Train another'}
        </button>
      )}
    </div>
  )
}

export function Figure({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

/** The loss as it is, its mean, and its terms. */
function linesOf(points: readonly CurvePoint[], part: number): Line[] {
  const curveOf = (name: string) =>
    points.flatMap((point): Point[] => {
      const y = valueAt(point, name)
      return y === undefined ? [] : [[point.step, y]]
    })
  const loss = curveOf('loss')
  return [
    { label: 'loss', tint: 1, thin: true, points: loss },
    { label: 'mean loss', tint: 0, points: smoothed(loss, part) },
    ...Object.keys(points.at(-1)?.terms ?? {}).map((name, i) => ({
      label: curveTitle(name),
      tint: 2 + i,
      thin: true,
      points: smoothed(curveOf(name), part),
    })),
  ]
}

/** The error on held-out frames of the moved picture and of the still one. */
const heldOutLines = (points: readonly CurvePoint[]): Line[] => [
  {
    label: 'moved picture',
    tint: 0,
    points: points.flatMap(({ step, heldOut }): Point[] => (heldOut ? [[step, heldOut.l1]] : [])),
  },
  {
    label: 'still picture',
    tint: 1,
    thin: true,
    points: points.flatMap(({ step, heldOut }): Point[] => (heldOut ? [[step, heldOut.still]] : [])),
  },
]

function errorLabel(points: readonly CurvePoint[]): string {
  const last = points.at(-1)
  if (last?.heldOut === undefined) return 'Error on held-out frames by step: none yet'
  const { l1, still } = last.heldOut
  return `Error on held-out frames by step: ${digits(l1)} at step ${last.step}, ${digits(still)} of the still picture`
}

const curveLabel = ({ last }: Job): string =>
  last === undefined ? 'Loss by step: no step yet' : `Loss by step: ${digits(last.loss)} at step ${last.step}`

function measuresText({ l1, still }: Readonly<Record<string, number>>): string {
  if (l1 === undefined) return ''
  return `L1 ${digits(l1)}${still === undefined ? '' : `; of the still picture ${digits(still)}`}.`
}
