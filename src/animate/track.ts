// Keypoints of every frame of a clip.
import { openClip } from '../clips/source.ts'
import type { Clip, Frame } from '../media/clip.ts'
import { type FitMode, type Fitter, fitClip } from '../media/fit.ts'
import type { Keypoints } from '../model/keypoints.ts'
import {
  isModel,
  type ModelOptions,
  type MotionModel,
  openModel,
  type RunReference,
} from '../model/open-model.ts'

/** How `track` opens the model and reads the clip. */
export interface TrackOptions extends ModelOptions {
  /** How frames are made square (default: as the training clips were). */
  readonly fit?: FitMode
  /** Called after each frame, with the numbers of frames done and of all frames. */
  onProgress?(done: number, total: number): void
}

/** The keypoints of one frame. */
export interface TrackedFrame {
  /** Number of the frame in the clip, from 0. */
  readonly frame: number
  /** Time in the clip, in seconds. */
  readonly time: number
  /** K x 2, (x, y) in [-1, 1] of the square that the model sees: see `TrackHeader.crop`. */
  readonly value: number[][]
  /** K x 2 x 2, the local affine maps; undefined if the model has points only. */
  readonly jacobian: number[][][] | undefined
}

/**
 * Finds the keypoints of every frame of a clip. One frame is in memory at a time.
 *
 * @param run a run folder, the result of `train`, or an open model, which stays open.
 * @param clip the path of a video, `puppet:SEED`, or an open clip, which stays open.
 * @throws InputError if the run or the clip cannot be used. The signal's reason, if it is aborted.
 */
export async function* track(
  run: RunReference | MotionModel,
  clip: string | Clip,
  options: TrackOptions = {},
): AsyncGenerator<TrackedFrame, void, undefined> {
  const model = isModel(run) ? run : await openModel(run, options)
  try {
    const opened = typeof clip === 'string' ? await openClip(clip, { signal: options.signal }) : clip
    try {
      const fitter = await fitClip(opened, model.config.size, options.fit ?? model.fit, options.signal)
      let frame = 0
      for await (const { read, keypoints } of detectAll(model, opened, fitter, options)) {
        yield tracked(frame++, read.time, keypoints)
      }
    } finally {
      if (opened !== clip) await opened.close()
    }
  } finally {
    if (model !== run) await model.close()
  }
}

/** Every frame of a clip with its keypoints. */
export async function* detectAll(
  model: MotionModel,
  clip: Clip,
  fitter: Fitter,
  { signal, onProgress }: TrackOptions,
): AsyncGenerator<{ readonly read: Frame; readonly keypoints: Keypoints }, void, undefined> {
  let done = 0
  signal?.throwIfAborted()
  for await (const read of clip.frames()) {
    signal?.throwIfAborted()
    yield { read, keypoints: await model.detect(fitter(read)) }
    done++
    onProgress?.(done, clip.frameCount)
  }
}

/** Keypoints as nested lists, rounded to 7 significant digits, the precision of float32. */
export function tracked(frame: number, time: number, { value, jacobian }: Keypoints): TrackedFrame {
  const round = (number: number) => Number(number.toPrecision(7))
  const pairs = (flat: Float32Array) =>
    Array.from({ length: flat.length / 2 }, (_, i) => [round(flat[2 * i]!), round(flat[2 * i + 1]!)])
  const rows = jacobian && pairs(jacobian)
  return {
    frame,
    time,
    value: pairs(value),
    jacobian: rows && Array.from({ length: rows.length / 2 }, (_, k) => [rows[2 * k]!, rows[2 * k + 1]!]),
  }
}
