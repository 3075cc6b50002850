// The keypoints of two runs on one clip, side by side.
import { useSignal } from '@preact/signals'
import { Tracker } from 'pantin/web'
import { useEffect, useRef } from 'preact/hooks'
import { type FilmChoice, openDriving } from '../core/driving.ts'
import { milliseconds } from '../core/format.ts'
import { drawOverlay } from '../core/overlay.ts'
import { drawSquare } from '../core/pictures.ts'
import { place, showComputing } from '../core/place.ts'
import { firstRun, loadRun } from '../core/runs.ts'
import { subjectsOf } from '../core/subjects.ts'
import { type Trouble, troubleOf } from '../core/trouble.ts'
import { FileButton } from '../ui/file-button.tsx'
import { RunPicker } from '../ui/run-picker.tsx'
import { TroubleBox } from '../ui/trouble-box.tsx'

const side = 384
const example: FilmChoice = { kind: 'synthetic', name: subjectsOf('face')[1]!.film }

/** The keypoints of two runs on one clip. */
export function SideBySide() {
  const keys = [useSignal(firstRun), useSignal(firstRun)] as const
  const clip = useSignal<FilmChoice>(example)
  const isOn = useSignal(false)
  const trouble = useSignal<Trouble | undefined>(undefined)
  const canvases = [useRef<HTMLCanvasElement>(null), useRef<HTMLCanvasElement>(null)] as const
  const times = [useSignal<number | undefined>(undefined), useSignal<number | undefined>(undefined)] as const
  const [a, b] = [keys[0].value, keys[1].value]

  useEffect(() => {
    if (!isOn.value) return
    const stop = new AbortController()
    trouble.value = undefined
    const show = (of: number, ms: number) => {
      times[of]!.value = ms
    }
    watch([a, b], clip.value, [canvases[0].current!, canvases[1].current!], show, stop.signal).catch(
      (error) => {
        if (stop.signal.aborted) return
        trouble.value = troubleOf(error)
        isOn.value = false
      },
    )
    return () => stop.abort()
  }, [a, b, clip.value, isOn.value, place.value])

  return (
    <section class="panel" aria-label="Two runs side by side">
      <div class="row spread">
        <h2>Two runs on one clip</h2>
        <div class="row">
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
      {trouble.value !== undefined && <TroubleBox trouble={trouble.value} />}
      <div class="pair">
        {[0, 1].map((i) => (
          <div key={i}>
            <figure class="stage">
              <canvas
                ref={canvases[i]!}
                width={side}
                height={side}
                role="img"
                aria-label={`Keypoints of the ${i === 0 ? 'first' : 'second'} run`}
              />
              <figcaption>{times[i]!.value === undefined ? '-' : milliseconds(times[i]!.value)}</figcaption>
            </figure>
            <RunPicker
              label={i === 0 ? 'First run' : 'Second run'}
              value={keys[i]!.value}
              onChange={(key) => {
                keys[i]!.value = key
              }}
            />
          </div>
        ))}
      </div>
    </section>
  )
}

/** Tracks each frame with both, one after the other, until it is stopped. */
async function watch(
  keys: readonly string[],
  choice: FilmChoice,
  canvases: readonly HTMLCanvasElement[],
  show: (of: number, ms: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const trackers: Tracker[] = []
  const driving = await openDriving(choice)
  try {
    for (const key of keys) trackers.push(await Tracker.open(await loadRun(key), place.peek()))
    showComputing(trackers[0]!)
    while (!signal.aborted) {
      await new Promise(requestAnimationFrame)
      const frame = await driving.next()
      if (frame === undefined) continue
      for (const [i, tracker] of trackers.entries()) {
        const tracked = await tracker.track(frame)
        if (signal.aborted) break
        drawSquare(canvases[i]!, frame)
        drawOverlay(canvases[i]!, tracked, { points: true, axes: true, heatmap: false })
        show(i, tracked.milliseconds.prepare + tracked.milliseconds.detect)
      }
      frame.close()
    }
  } finally {
    driving.close()
    for (const tracker of trackers) void tracker.close()
  }
}
