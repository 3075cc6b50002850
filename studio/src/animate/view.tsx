// The view Animate: a picture moves as a head or puppet, a video or the webcam moves.
import { type Signal, useSignal, useSignalEffect } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { complain, say } from '../core/messages.ts'
import { shownSide } from '../core/pictures.ts'
import { place } from '../core/place.ts'
import { chosenRun, loadRun } from '../core/runs.ts'
import { troubleOf } from '../core/trouble.ts'
import { RunPicker } from '../ui/run-picker.tsx'
import { Toggle } from '../ui/toggle.tsx'
import { TroubleBox } from '../ui/trouble-box.tsx'
import { CodeControls } from './code-controls.tsx'
import { DrivingControls } from './driving-controls.tsx'
import { letFrame } from './framing.ts'
import { Gallery } from './gallery.tsx'
import { MotionControls } from './motion-controls.tsx'
import { PictureControls } from './picture-controls.tsx'
import { letPull } from './pulling.ts'
import { RecordControls } from './record-controls.tsx'
import { recordedSeconds } from './recording.ts'
import { Session, type ShownPicture } from './session.ts'
import { SpeedLine } from './speed-line.tsx'
import * as state from './state.ts'
import { StringControls } from './string-controls.tsx'
import { TrainOffer } from './train-offer.tsx'

/**
 * Applies a choice. A new choice takes its place at once, because the first may never be ready: a webcam waits until the
 * user allows it.
 *
 * @returns the choice that was applied
 */
async function settle<T>(chosen: Signal<T>, apply: (choice: T) => Promise<void>): Promise<T> {
  for (;;) {
    const choice = chosen.peek()
    let stop = () => {}
    const changed = new Promise<void>((resolve) => {
      stop = chosen.subscribe((now) => now !== choice && resolve())
    })
    await Promise.race([apply(choice), changed]).finally(() => stop())
    if (chosen.peek() === choice) return choice
  }
}

/** Shows a picture. If that fails, the one before is chosen again, so that the choice is what is shown. */
async function showPicture(own: Session, choice: state.PictureChoice): Promise<void> {
  try {
    await own.setPicture(choice)
    state.shownPicture.value = choice
  } catch (error) {
    const before = state.shownPicture.peek()
    if (own.isOver || choice === before || state.picture.peek() !== choice) throw error
    complain(error)
    state.picture.value = before
  }
}

export function AnimateView() {
  const picture = useRef<HTMLCanvasElement>(null)
  const driving = useRef<HTMLCanvasElement>(null)
  const result = useRef<HTMLCanvasElement>(null)
  const session = useSignal<Session | undefined>(undefined)
  const attempt = useSignal(0)

  // Changes while it runs. A failure is told, and the session goes on as before.
  const change = (apply: (own: Session) => Promise<void>) => {
    const own = session.peek()
    if (own !== undefined) apply(own).catch((error) => own.isOver || complain(error))
    else if (state.status.peek() === 'failed') attempt.value++
  }

  useSignalEffect(() => {
    const [key, at] = [chosenRun.value, place.value]
    attempt.value
    let isOver = false
    let own: Session | undefined
    state.status.value = 'loading'
    state.trouble.value = undefined
    state.speed.value = undefined
    const open = async () => {
      state.waitingFor.value = 'the model'
      const stages = { picture: picture.current!, driving: driving.current!, result: result.current! }
      own = await Session.open(await loadRun(key), at, stages)
      if (isOver) return own.close()
      state.waitingFor.value = 'the picture'
      const opened = own
      const shown = await settle(state.picture, (choice) => showPicture(opened, choice))
      if (isOver) return
      state.waitingFor.value = 'what drives it'
      await settle(state.driving, (choice) => opened.setDriving(choice))
      if (isOver) return
      session.value = own
      state.status.value = 'running'
      // Another picture was chosen while the session waited for what drives.
      if (state.picture.peek() !== shown) change((own) => showPicture(own, state.picture.peek()))
      await own.run()
      if (!isOver) session.value = undefined
    }
    open().catch((error) => {
      if (isOver) return
      own?.close()
      state.trouble.value = troubleOf(error)
      state.status.value = 'failed'
    })
    return () => {
      isOver = true
      session.value = undefined
      // The recording up to now is kept.
      own?.take?.finish().catch(complain)
      own?.close()
    }
  })

  useEffect(() => {
    // Another picture may have been chosen, which is not shown yet: squares of the one before do not fit it.
    const isChosen = ({ source }: ShownPicture) => source === state.picture.peek().source
    return letFrame<ShownPicture>(picture.current!, {
      now() {
        const shown = session.peek()?.framed.picture
        return shown && isChosen(shown) ? shown : undefined
      },
      show: (square) => session.peek()?.showPicture(square),
      settle(moved) {
        if (isChosen(moved)) state.picture.value = { ...state.picture.peek(), square: moved.square }
      },
    })
  }, [])
  useEffect(
    () =>
      letFrame(driving.current!, {
        now: () => session.peek()?.framed.driving,
        show: (square) => session.peek()?.frameDriving(square),
        settle: () => session.peek()?.reference.start(),
      }),
    [],
  )

  useEffect(() => letPull(driving.current!, () => state.driving.peek().kind === 'strings'), [])
  // What a choice changes is shown at once, while the animation is paused, too.
  useSignalEffect(() => {
    void [state.pastes.value, state.points.value, state.axes.value, state.heatmap.value, state.outline.value]
    void [state.smooths.value, state.minCutoff.value, state.beta.value]
    session.peek()?.refresh()
  })
  useSignalEffect(() => {
    void [state.matches.value, state.motion.value]
    session.peek()?.reference.reconsider()
  })
  useEffect(() => state.startOffering(), [])
  useEffect(() => state.followCamera(), [])
  useEffect(() => state.picture.subscribe((choice) => change((own) => showPicture(own, choice))), [])
  useEffect(() => state.driving.subscribe((choice) => change((own) => own.setDriving(choice))), [])

  useEffect(() => {
    let wasRunning = false
    const tell = () => {
      if (document.hidden) wasRunning = state.status.peek() === 'running'
      else if (wasRunning) say('The animation paused while this tab was hidden.')
    }
    document.addEventListener('visibilitychange', tell)
    return () => document.removeEventListener('visibilitychange', tell)
  }, [])

  const toggle = () => {
    if (state.status.value === 'running') session.value?.pause()
    else session.value?.play()
    state.status.value = state.status.value === 'running' ? 'paused' : 'running'
  }
  const { value: status } = state.status
  const isPulled = state.driving.value.kind === 'strings'
  return (
    <div class="view animate">
      <h1 class="unseen">Animate</h1>
      <div class="table">
        <div class={isPulled ? 'stages pulled' : 'stages'} aria-busy={status === 'loading'}>
          <div class="beside">
            <figure class="stage small">
              <canvas
                ref={picture}
                class="framed"
                width={shownSide}
                height={shownSide}
                tabIndex={0}
                role="img"
                aria-label="The picture"
              />
              <figcaption>Picture</figcaption>
            </figure>
            <SpeedLine />
          </div>
          <figure class="stage drives">
            <canvas
              ref={driving}
              class="framed"
              tabIndex={0}
              width={shownSide}
              height={shownSide}
              role="img"
              aria-label={isPulled ? 'The picture with its strings' : 'What drives, with its keypoints'}
            />
            <figcaption>{isPulled ? 'Strings' : 'Driving'}</figcaption>
          </figure>
          <figure class="stage result">
            <canvas
              ref={result}
              width={shownSide}
              height={shownSide}
              role="img"
              aria-label="The picture, moved"
            />
            <figcaption class="row spread">
              Result
              <Toggle
                label="In the whole picture"
                value={state.pastes}
                disabled={!state.canPaste.value || recordedSeconds.value !== undefined}
              />
            </figcaption>
            {!state.hasMoved.value && status === 'loading' && (
              <img class="poster" src="poster.webp" alt="A portrait that the first model moves" />
            )}
            {status === 'loading' && (
              <p class={state.hasMoved.value ? 'over' : 'over below'} role="status">
                <span class="spin" aria-hidden="true" />
                Loading {state.waitingFor.value}
              </p>
            )}
          </figure>
        </div>
        <div class="row bar">
          <button
            type="button"
            disabled={session.value === undefined || status === 'failed'}
            onClick={toggle}
          >
            {status === 'paused' ? 'Play' : 'Pause'}
          </button>
          <button
            type="button"
            disabled={session.value === undefined}
            onClick={() => session.value?.rewind()}
          >
            From the start
          </button>
          <RecordControls session={session.value} result={result} />
        </div>
        <TrainOffer />
        {state.trouble.value !== undefined && (
          <TroubleBox trouble={state.trouble.value}>
            <button type="button" onClick={() => attempt.value++}>
              Try again
            </button>
            <button
              type="button"
              onClick={() => {
                state.driving.value = state.drivingOf(state.offered.peek()[1]!)
              }}
            >
              Use an example
            </button>
          </TroubleBox>
        )}
        <Gallery />
      </div>
      <div class="panels">
        {isPulled && <StringControls result={result} />}
        <PictureControls />
        <DrivingControls />
        <MotionControls session={session.value} />
        <section class="panel">
          <h2>Model</h2>
          <RunPicker
            label="Run"
            value={chosenRun.value}
            onChange={(key) => {
              chosenRun.value = key
            }}
          />
        </section>
        <CodeControls />
      </div>
    </div>
  )
}
