// Two runs at work on one clip: the keypoints that they find, or the results that they make of a picture.
import { Animator, type Square, Tracker } from 'pantin/web'
import { nearestFrame } from '../animate/matching.ts'
import { matches, type PictureChoice } from '../animate/state.ts'
import { type Driving, type FilmChoice, openDriving } from '../core/driving.ts'
import { DrivingSquare } from '../core/driving-square.ts'
import { headIn } from '../core/faces.ts'
import { drawOverlay } from '../core/overlay.ts'
import { drawSquare, syntheticFilm } from '../core/pictures.ts'
import { place, showComputing } from '../core/place.ts'
import { loadRun, type RunKey } from '../core/runs.ts'

/** Stands where a run's key does: the picture as it is, which nothing moves. */
export const still = 'still'

/** What is watched, and where it is shown. */
export interface Watched {
  /** Keys of runs; `still` for the picture itself. */
  readonly keys: readonly RunKey[]
  readonly clip: FilmChoice
  readonly canvases: readonly HTMLCanvasElement[]
  /** Is told how long a run took for a frame, in milliseconds. */
  show(of: number, ms: number): void
}

/** Tracks each frame with both runs, one after the other, until it is stopped. */
export async function watchKeypoints(
  { keys, clip, canvases, show }: Watched,
  signal: AbortSignal,
): Promise<void> {
  const trackers: Tracker[] = []
  const driving = await openDriving(clip)
  try {
    for (const key of keys) trackers.push(await Tracker.open(await loadRun(key), place.peek()))
    showComputing(trackers[0]!)
    for await (const frame of framesOf(driving, signal)) {
      for (const [i, tracker] of trackers.entries()) {
        const tracked = await tracker.track(frame)
        if (signal.aborted) break
        drawSquare(canvases[i]!, frame)
        drawOverlay(canvases[i]!, tracked, { points: true, axes: true, heatmap: false })
        show(i, tracked.milliseconds.prepare + tracked.milliseconds.detect)
      }
    }
  } finally {
    driving.close()
    for (const tracker of trackers) void tracker.close()
  }
}

/** Moves a picture by both runs, as the clip moves, until it is stopped. Both results are of the same frame. */
export async function watchResults(
  { keys, clip, canvases, show }: Watched,
  { source, square }: PictureChoice,
  signal: AbortSignal,
): Promise<void> {
  const animators: (Animator | undefined)[] = []
  const isFilm = typeof source === 'string'
  // Before a video plays: a picture that cannot be read leaves nothing open.
  const picture = isFilm ? (await syntheticFilm(source)).frames[0]! : await createImageBitmap(source)
  let driving: Driving | undefined
  try {
    const film = await openDriving(clip)
    driving = film
    const crop = square ?? (isFilm ? undefined : await headIn(picture))
    // Something to see while the models are opened.
    if (!signal.aborted) for (const canvas of canvases) drawSquare(canvas, picture, crop)
    for (const key of keys) {
      if (key === still) {
        animators.push(undefined)
        continue
      }
      const animator = await Animator.open(await loadRun(key), place.peek())
      animators.push(animator)
      await animator.setSource(picture, crop && { crop })
      showComputing(animator)
    }
    if (signal.aborted) return
    const drivingSquare = new DrivingSquare(clip.kind === 'video')
    let isFirst = true
    for await (const frame of framesOf(film, signal)) {
      const drivingCrop = await drivingSquare.of(frame)
      const made = await Promise.all(
        animators.map((animator) =>
          animator?.animate(frame, { ...(drivingCrop && { crop: drivingCrop }), time: film.time() }),
        ),
      )
      for (const [i, one] of made.entries()) {
        if (one === undefined) drawSquare(canvases[i]!, picture, crop)
        else drawSquare(canvases[i]!, one.frame)
        one?.frame.close()
        if (one !== undefined) show(i, one.milliseconds.detect + one.milliseconds.generate)
      }
      if (isFirst && matches.peek()) void matchAll(animators, film, drivingCrop, signal)
      isFirst = false
    }
  } finally {
    driving?.close()
    if (!isFilm) picture.close()
    for (const animator of animators) void animator?.close()
  }
}

/**
 * Lets each model start from the frame whose pose is nearest to the picture's, as the view Animate does, while the clip goes
 * on. A model that finds none keeps its first frame.
 */
async function matchAll(
  animators: readonly (Animator | undefined)[],
  driving: Driving,
  crop: Square | undefined,
  signal: AbortSignal,
): Promise<void> {
  for (const animator of animators) {
    if (animator === undefined) continue
    try {
      const found = await nearestFrame(animator, driving, crop, () => !signal.aborted)
      if (found !== undefined) await animator.setReference(found.pose)
    } catch {
      // The clip cannot be read apart from its playing, or the model was closed meanwhile.
    }
  }
}

/** The frames of what drives, as they come. Each is closed when the next one is asked for. */
async function* framesOf(driving: Driving, signal: AbortSignal) {
  while (!signal.aborted) {
    await new Promise(requestAnimationFrame)
    const frame = await driving.next()
    if (frame === undefined) continue
    try {
      yield frame
    } finally {
      frame.close()
    }
  }
}
