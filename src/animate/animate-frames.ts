import type { Clip } from '../media/clip.ts'
import type { FitMode, Fitter } from '../media/fit.ts'
import type { Frame } from '../media/frame.ts'
import { fitClip } from './fit.ts'
import type { Keypoints } from './keypoints.ts'
import type { MotionModel } from './model.ts'
import { squareFrame } from './pixels.ts'
import { nearestPose, type Reference } from './reference.ts'
import { createTransfer, type TransferOptions } from './transfer.ts'

/** What is under way: looking for the reference frame, or making frames. */
export interface AnimateProgress {
  readonly phase: 'align' | 'animate'
  /** Frames done and to do in this phase. */
  readonly done: number
  readonly total: number
}

export interface AnimateFramesOptions extends TransferOptions {
  /**
   * The driving frame whose pose counts as the source's: the one most like it (default), which takes one
   * more pass over the clip, or the first.
   */
  readonly reference?: 'best' | 'first'
  /** How the driving clip becomes square; default: as the model's training clips did. */
  readonly fit?: FitMode
  readonly signal?: AbortSignal
  onProgress?(progress: AnimateProgress): void
}

/** One frame of an animation; pictures are as large as the model's. */
export interface AnimatedFrame {
  /** Number in the driving clip. */
  readonly frame: number
  /** The source in the driving frame's pose. */
  readonly result: Frame
  /** The driving frame as the model sees it. */
  readonly driving: Frame
  readonly kpSource: Keypoints
  /** Of the driving frame. */
  readonly kpDriving: Keypoints
  /** What the source's were moved to. */
  readonly kpTransferred: Keypoints
  /** Number of the reference frame; undefined for absolute transfer. */
  readonly referenceFrame: number | undefined
}

/**
 * Animates a picture with a clip, frame by frame: one frame is in memory at a time.
 *
 * @param source RGB [size, size, 3] of the model's size; see `fitSource`.
 * @param driving the clip whose motion is taken over; stays open.
 * @throws InputError if the clip is smaller than the model's frames, or cannot be decoded. The signal's
 * reason, if it is aborted.
 */
export async function* animateFrames(
  model: MotionModel,
  source: Uint8Array,
  driving: Clip,
  options: AnimateFramesOptions = {},
): AsyncGenerator<AnimatedFrame, void, undefined> {
  const { signal, absolute = false } = options
  signal?.throwIfAborted()
  const fitter = await fitClip(driving, model.config.size, options.fit ?? model.fit)
  const kpSource = await model.detect(source)
  const reference = absolute ? undefined : await findReference(model, kpSource, driving, fitter, options)
  const transfer = createTransfer(kpSource, reference?.keypoints ?? kpSource, options)

  let frame = 0
  for await (const read of driving.frames()) {
    signal?.throwIfAborted()
    const pixels = fitter(read)
    const kpDriving = await model.detect(pixels)
    const kpTransferred = transfer(kpDriving)
    const made = await model.generate(source, kpSource, kpTransferred)
    yield {
      frame,
      result: squareFrame(made, read.time, read.duration),
      driving: squareFrame(pixels, read.time, read.duration),
      kpSource,
      kpDriving,
      kpTransferred,
      referenceFrame: reference?.frame,
    }
    frame++
    options.onProgress?.({ phase: 'animate', done: frame, total: driving.frameCount })
  }
}

async function findReference(
  model: MotionModel,
  kpSource: Keypoints,
  driving: Clip,
  fitter: Fitter,
  { reference = 'best', signal, onProgress }: AnimateFramesOptions,
): Promise<Reference | undefined> {
  const total = reference === 'first' ? 1 : driving.frameCount
  const detected = async function* () {
    let done = 0
    for await (const read of driving.frames({ toFrame: total })) {
      signal?.throwIfAborted()
      yield model.detect(fitter(read))
      done++
      if (reference === 'best') onProgress?.({ phase: 'align', done, total })
    }
  }
  return nearestPose(kpSource, detected())
}
