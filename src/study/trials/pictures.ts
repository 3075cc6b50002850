// Pictures of what the detectors of a study find in the same frames.
import { drawKeypoints } from '../../animate/preview.ts'
import { openClips } from '../../clips/source.ts'
import { firstDrivingFrame } from '../../evaluate/evaluate.ts'
import { type Frame, frameAt } from '../../media/clip.ts'
import { sideBySide } from '../../media/draw.ts'
import { fitClip } from '../../media/fit.ts'
import { encodePicture } from '../../media/picture.ts'
import { resized, squareFrame } from '../../model/inputs-outputs.ts'
import { type KeypointDetector, openDetector } from '../../model/open-detector.ts'
import { measuredOn } from '../plan.ts'
import { type Trial, type TrialPlan, type TrialSettings, trialKey } from './plan.ts'
import { type TrialState, trialFolder } from './run-trials.ts'
import { runFolder } from './trial.ts'

/** The same frames in a row, with what each detector finds in them. */
export interface Strips {
  /** WebP; undefined where there is no teacher. */
  readonly teacher: Uint8Array | undefined
  /** WebP by the key of a trial: of each network, skip and method the first seed that was measured. */
  readonly trials: ReadonlyMap<string, Uint8Array>
  /** Of each, in pixels. */
  readonly width: number
  readonly height: number
}

export interface StripOptions {
  readonly signal?: AbortSignal
  onProgress?(done: number, total: number): void
}

/** Frames of a strip, spread over the clips; pixels a side of each, and between them. */
const [frames, side, gap] = [6, 128, 2]
/** A page has a hundred of them. */
const quality = 75

/**
 * Draws what the detectors of a comparison find in frames that none of them was trained on.
 *
 * @param folder of the comparison
 * @throws InputError, FormatError where clips, the teacher or runs are not there any more. The signal's reason.
 */
export async function drawStrips(
  folder: string,
  plan: TrialPlan,
  states: readonly TrialState[],
  { signal, onProgress }: StripOptions = {},
): Promise<Strips> {
  const pictures = await heldOutFrames(plan.settings)
  const { teacher, device } = plan.settings
  const shown = firstSeeds(states)
  const draw = async (path: string) => {
    signal?.throwIfAborted()
    const detector = await openDetector(path, { device })
    try {
      return await encodePicture('.webp', await strip(detector, pictures), quality)
    } finally {
      await detector.close()
    }
  }
  const trials = new Map<string, Uint8Array>()
  for (const trial of shown) {
    trials.set(trialKey(trial), await draw(runFolder(trialFolder(folder, trial))))
    onProgress?.(trials.size, shown.length)
  }
  return {
    teacher: teacher === undefined ? undefined : await draw(teacher),
    trials,
    width: frames * (side + gap) - gap,
    height: side,
  }
}

/** Of each network, skip and method. */
function firstSeeds(states: readonly TrialState[]): Trial[] {
  const first = new Map<string, Trial>()
  for (const { trial, result } of states) {
    const key = trialKey({ ...trial, seed: 0 })
    if (result?.status === 'done' && !first.has(key)) first.set(key, trial)
  }
  return [...first.values()]
}

/** RGB [size, size, 3] of each frame. */
async function heldOutFrames(settings: TrialSettings): Promise<Uint8Array[]> {
  const { size, fit } = settings
  const { clips, from } = measuredOn(settings)
  const opened = await openClips(clips)
  const pictures: Uint8Array[] = []
  try {
    for (let i = 0; i < frames; i++) {
      const clip = opened[Math.floor((i * opened.length) / frames)]!
      const first = firstDrivingFrame(clip.frameCount, from)
      const at = first + Math.floor(((i + 0.5) / frames) * (clip.frameCount - first))
      const fitter = await fitClip(clip, size, fit)
      pictures.push(fitter(await frameAt(clip, at)))
    }
  } finally {
    await Promise.all(opened.map((clip) => clip.close()))
  }
  return pictures
}

async function strip(detector: KeypointDetector, pictures: readonly Uint8Array[]): Promise<Frame> {
  const cells: Frame[] = []
  for (const pixels of pictures) {
    const { value, jacobian } = await detector.detect(pixels)
    cells.push(drawKeypoints(resized(squareFrame(pixels), side), { value, jacobian }))
  }
  return sideBySide(cells, gap)
}
