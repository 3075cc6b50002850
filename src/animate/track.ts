import { openClip } from '../clips/source.ts'
import type { Clip } from '../media/clip.ts'
import type { FitMode, Fitter } from '../media/fit.ts'
import { fitClip } from '../media/fit-clip.ts'
import type { Frame } from '../media/frame.ts'
import type { Keypoints } from '../model/keypoints.ts'
import { isModel, type ModelOptions, type MotionModel, openModel, type RunReference } from '../model/model.ts'

export interface TrackOptions extends ModelOptions {
  /** How frames become square; default: as the model's training clips did. */
  readonly fit?: FitMode
  readonly signal?: AbortSignal
  /** After each frame. */
  onProgress?(done: number, total: number): void
}

/** The keypoints of one frame. */
export interface TrackedFrame {
  /** Number in the clip. */
  readonly frame: number
  /** Seconds from the start of the clip. */
  readonly time: number
  /** K x 2, (x, y) in [-1, 1] of the square that the model sees: see `seenSquare` and `videoPosition`. */
  readonly value: number[][]
  /** K x 2 x 2; undefined for a model of points alone. */
  readonly jacobian: number[][][] | undefined
}

/**
 * Finds the keypoints of every frame of a clip, one frame in memory at a time.
 *
 * @param run a run folder, what `train` returned, or a model that is open (and stays so).
 * @param clip the path of a video, `puppet:SEED`, or a clip that is open (and stays so).
 * @throws InputError for a run or clip that cannot serve. The signal's reason, if it is aborted.
 */
export async function* track(
  run: RunReference | MotionModel,
  clip: string | Clip,
  options: TrackOptions = {},
): AsyncGenerator<TrackedFrame, void, undefined> {
  const model = isModel(run) ? run : await openModel(run, options)
  try {
    const opened = typeof clip === 'string' ? await openClip(clip) : clip
    try {
      const fitter = await fitClip(opened, model.config.size, options.fit ?? model.fit)
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

/** Keypoints as nested lists, to 7 digits: all that float32 holds. */
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
