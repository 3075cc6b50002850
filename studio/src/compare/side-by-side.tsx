// Two runs on one clip: their keypoints side by side, or their results one over the other.
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { picture as animatedPicture, type PictureChoice } from '../animate/state.ts'
import type { FilmChoice } from '../core/driving.ts'
import { milliseconds } from '../core/format.ts'
import { place } from '../core/place.ts'
import { firstRun, type RunKey } from '../core/runs.ts'
import { subjectsOf } from '../core/subjects.ts'
import { type Trouble, troubleOf } from '../core/trouble.ts'
import { Choice } from '../ui/choice.tsx'
import { FileButton } from '../ui/file-button.tsx'
import { RunPicker } from '../ui/run-picker.tsx'
import { TroubleBox } from '../ui/trouble-box.tsx'
import { Wipe } from '../ui/wipe.tsx'
import { still, watchKeypoints, watchResults } from './watching.ts'

const side = 384
const example: FilmChoice = { kind: 'synthetic', name: subjectsOf('face')[1]!.film }
const titles = ['First run', 'Second run'] as const

/** Two runs on one clip. */
export function SideBySide() {
  const keys = [useSignal<RunKey>(firstRun), useSignal<RunKey>(firstRun)] as const
  const view = useSignal<'keypoints' | 'results'>('keypoints')
  const clip = useSignal<FilmChoice>(example)
  const picture = useSignal<PictureChoice>(animatedPicture.peek())
  const isOn = useSignal(false)
  const trouble = useSignal<Trouble | undefined>(undefined)
  const canvases = [useRef<HTMLCanvasElement>(null), useRef<HTMLCanvasElement>(null)] as const
  const times = [useSignal<number | undefined>(undefined), useSignal<number | undefined>(undefined)] as const
  const isWipe = view.value === 'results'
  // The picture itself has no keypoints that move.
  const [a, b] = [!isWipe && keys[0].value === still ? firstRun : keys[0].value, keys[1].value]

  useEffect(() => {
    for (const time of times) time.value = undefined
    if (!isOn.value) return
    const stop = new AbortController()
    trouble.value = undefined
    const watched = {
      ...{ keys: [a, b], clip: clip.value, canvases: canvases.map(({ current }) => current!) },
      show(of: number, ms: number) {
        times[of]!.value = ms
      },
    }
    const work = isWipe
      ? watchResults(watched, picture.value, stop.signal)
      : watchKeypoints(watched, stop.signal)
    work.catch((error) => {
      if (stop.signal.aborted) return
      trouble.value = troubleOf(error)
      isOn.value = false
    })
    return () => stop.abort()
  }, [a, b, isWipe, clip.value, picture.value, isOn.value, place.value])

  const timeOf = (i: 0 | 1) => (times[i].value === undefined ? '-' : milliseconds(times[i].value))
  const picker = (i: 0 | 1) => (
    <RunPicker
      label={titles[i]}
      value={i === 0 ? a : b}
      others={isWipe && i === 0 ? [{ value: still, label: 'none: the picture as it is' }] : []}
      onChange={(key) => {
        keys[i].value = key
      }}
    />
  )
  return (
    <section class="panel" aria-label="Two runs on one clip">
      <div class="row spread">
        <h2>Two runs on one clip</h2>
        <div class="row">
          {isWipe && (
            <FileButton
              label="Choose a picture"
              accept="image/*"
              onFiles={([file]) => {
                picture.value = { name: file!.name, source: file! }
              }}
            />
          )}
          <FileButton
            label="Choose a video"
            accept="video/*"
            onFiles={([file]) => {
              clip.value = { kind: 'video', file: file! }
            }}
          />
          <button
            type="button"
            class="strong"
            aria-pressed={isOn.value}
            onClick={() => {
              isOn.value = !isOn.value
            }}
          >
            {isOn.value ? 'Stop' : 'Play both'}
          </button>
        </div>
      </div>
      <div class="narrow">
        <Choice
          legend="Show"
          options={[
            { value: 'keypoints', label: 'Keypoints' },
            { value: 'results', label: 'Results' },
          ]}
          value={view.value}
          onChange={(value) => {
            view.value = value
          }}
        />
      </div>
      {trouble.value !== undefined && <TroubleBox trouble={trouble.value} />}
      {isWipe ? (
        <>
          <Wipe
            canvases={canvases}
            names={[a === still ? 'The picture' : 'Result of the first run', 'Result of the second run']}
            side={side}
          />
          <p class="note" role="status">
            {isOn.value && times[1].value === undefined
              ? 'The models are being opened.'
              : 'Drag the divider, or focus it and press the arrow keys.'}
          </p>
          <p class="note">
            {`${picture.value.name}. Time of a frame: ${a === still ? '' : `first run ${timeOf(0)}, `}second run ${timeOf(1)}.`}
          </p>
          <div class="pair">
            {picker(0)}
            {picker(1)}
          </div>
        </>
      ) : (
        <div class="pair">
          {([0, 1] as const).map((i) => (
            <div key={i}>
              <figure class="stage">
                <canvas
                  ref={canvases[i]}
                  width={side}
                  height={side}
                  role="img"
                  aria-label={`Keypoints of the ${i === 0 ? 'first' : 'second'} run`}
                />
                <figcaption>{timeOf(i)}</figcaption>
              </figure>
              {picker(i)}
            </div>
          ))}
        </div>
      )}
    </section>
  )
}
