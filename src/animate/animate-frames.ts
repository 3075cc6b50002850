import type { Clip, FrameRange } from '../media/clip.ts'
import type { FitMode, Fitter } from '../media/fit.ts'
import { fitClip } from '../media/fit-clip.ts'
import type { Frame } from '../media/frame.ts'
import type { Keypoints } from '../model/keypoints.ts'
import type { EncodedPicture, MotionModel } from '../model/motion-model.ts'
import { squareFrame } from '../model/pixels.ts'
import { type Pose, PoseTape } from './pose-tape.ts'
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

/** One frame of an animation; the picture is as large as the model's. */
export interface MovedFrame {
  /** Number in the driving clip. */
  readonly frame: number
  /** The source in the driving frame's pose. */
  readonly result: Frame
  readonly kpSource: Keypoints
  /** Of the driving frame. */
  readonly kpDriving: Keypoints
  /** What the source's were moved to. */
  readonly kpTransferred: Keypoints
  /** Number of the reference frame; undefined for absolute transfer. */
  readonly referenceFrame: number | undefined
}

export interface AnimatedFrame extends MovedFrame {
  /** The driving frame as the model sees it. */
  readonly driving: Frame
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
  const start = await begin(model, source, driving, options)
  for await (const { pose, ...moved } of move(model, start, seenPoses(model, start, options), options)) {
    yield { ...moved, driving: squareFrame(pose.pixels, pose.time, pose.duration) }
  }
}

/**
 * `animateFrames` without the driving frames, which are then decoded once only, even where the reference is
 * looked for first.
 *
 * @throws as `animateFrames`
 */
export async function* moveFrames(
  model: MotionModel,
  source: Uint8Array,
  driving: Clip,
  options: AnimateFramesOptions = {},
): AsyncGenerator<MovedFrame, void, undefined> {
  const start = await begin(model, source, driving, options)
  const poses = start.tape ?? seenPoses(model, start, options)
  for await (const { pose, ...moved } of move<Pose>(model, start, poses, options)) yield moved
}

/** What is known before the first frame is made. */
interface Start {
  readonly driving: Clip
  readonly fitter: Fitter
  readonly encoded: EncodedPicture
  readonly kpSource: Keypoints
  readonly reference: Reference | undefined
  /** The poses of all frames, where they were looked at for the reference. */
  readonly tape: PoseTape | undefined
}

async function begin(
  model: MotionModel,
  source: Uint8Array,
  driving: Clip,
  options: AnimateFramesOptions,
): Promise<Start> {
  options.signal?.throwIfAborted()
  const fitter = await fitClip(driving, model.config.size, options.fit ?? model.fit)
  const kpSource = await model.detect(source)
  const encoded = await model.encode(source)
  const start = { driving, fitter, encoded, kpSource, reference: undefined, tape: undefined }
  return options.absolute ? start : { ...start, ...(await findReference(model, start, options)) }
}

async function findReference(
  model: MotionModel,
  { kpSource, driving, fitter }: Start,
  { reference = 'best', signal, onProgress }: AnimateFramesOptions,
): Promise<Pick<Start, 'reference' | 'tape'>> {
  const total = reference === 'first' ? 1 : driving.frameCount
  const tape = new PoseTape(model.config.keypoints, model.config.jacobian)
  const detected = async function* () {
    for await (const { time, duration, data } of fitted(driving, fitter, { toFrame: total }, signal)) {
      const keypoints = await model.detect(data)
      tape.add({ time, duration, keypoints })
      yield keypoints
      if (reference === 'best') onProgress?.({ phase: 'align', done: tape.length, total })
    }
  }
  const found = await nearestPose(kpSource, detected())
  return { reference: found, tape: reference === 'best' ? tape : undefined }
}

/** Every frame's pose with its pixels, RGB [size, size, 3]; what is on tape is not detected again. */
async function* seenPoses(
  model: MotionModel,
  { driving, fitter, tape }: Start,
  { signal }: AnimateFramesOptions,
): AsyncGenerator<Pose & { readonly pixels: Uint8Array }, void, undefined> {
  const known = tape?.[Symbol.iterator]()
  for await (const { time, duration, data: pixels } of fitted(driving, fitter, {}, signal)) {
    const next = known?.next()
    const keypoints = next?.value?.keypoints ?? (await model.detect(pixels))
    yield { time, duration, keypoints, pixels }
  }
}

async function* fitted(
  driving: Clip,
  fitter: Fitter,
  range: FrameRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<Pick<Frame, 'time' | 'duration' | 'data'>, void, undefined> {
  for await (const read of driving.frames(range)) {
    signal?.throwIfAborted()
    yield { time: read.time, duration: read.duration, data: fitter(read) }
  }
}

async function* move<P extends Pose>(
  model: MotionModel,
  { driving, encoded, kpSource, reference }: Start,
  poses: Iterable<P> | AsyncIterable<P>,
  options: AnimateFramesOptions,
): AsyncGenerator<MovedFrame & { readonly pose: P }, void, undefined> {
  const transfer = createTransfer(kpSource, reference?.keypoints ?? kpSource, options)
  let frame = 0
  for await (const pose of poses) {
    options.signal?.throwIfAborted()
    const kpDriving = pose.keypoints
    const kpTransferred = transfer(kpDriving)
    const made = await model.generate(encoded, kpSource, kpTransferred)
    const result = squareFrame(made, pose.time, pose.duration)
    yield { frame, pose, result, kpSource, kpDriving, kpTransferred, referenceFrame: reference?.frame }
    frame++
    options.onProgress?.({ phase: 'animate', done: frame, total: driving.frameCount })
  }
}
