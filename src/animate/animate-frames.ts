// Animation frame by frame: the keypoints of each driving frame, transferred to the source, and the picture made from them
// (Siarohin et al. 2019, section 3.3).
import { frameClip } from '../faces/framing.ts'
import { type CropOptions, framingOf } from '../faces/node.ts'
import type { Clip, Frame, FrameRange } from '../media/clip.ts'
import type { Fitter } from '../media/fit.ts'
import { type Keypoints, squareFrame } from '../model/keypoint-detector.ts'
import type { MotionModel } from '../model/motion-model.ts'
import { type Smoothing, smoother } from '../model/one-euro.ts'
import { InputError } from '../util/errors.ts'
import type { Painter, Painters } from './painters.ts'
import {
  createTransfer,
  nearestPose,
  type Pose,
  PoseSequence,
  type Reference,
  type TransferOptions,
} from './transfer.ts'

/** How far an animation is. The phase `align` looks for the reference frame; the phase `animate` makes frames. */
export interface AnimateProgress {
  /** The phase. */
  readonly phase: 'align' | 'animate'
  /** Number of frames done in this phase. */
  readonly done: number
  /** Number of frames of this phase. */
  readonly total: number
}

/** The driving frames that may have the pose of the source: the one most like it, or the first. */
const referenceFrames = ['best', 'first'] as const

/** How `animateFrames` animates. */
export interface AnimateFramesOptions extends TransferOptions, Omit<CropOptions, 'signal'> {
  /**
   * The driving frame whose pose is taken to be the pose of the source: `best` (default), the frame most like it, which
   * takes one more pass over the clip; or `first`.
   */
  readonly reference?: (typeof referenceFrames)[number]
  /** The fit of the driving clip's frames (default: by `fit`, `crop` and `face`). */
  readonly fitter?: Fitter
  /** Smooths the keypoints of the driving clip in time by the one-euro filter (default false). */
  readonly smooth?: boolean | Smoothing
  /** Stops the work, which then fails with the signal's reason. */
  readonly signal?: AbortSignal
  /** Called after each frame of each phase. */
  onProgress?(progress: AnimateProgress): void
}

/** One frame of an animation. The picture has the size of the model. */
export interface MovedFrame {
  /** Number of the driving frame, from 0. */
  readonly frame: number
  /** The source in the pose of the driving frame. */
  readonly result: Frame
  /** Keypoints of the source. */
  readonly kpSource: Keypoints
  /** Keypoints of the driving frame. */
  readonly kpDriving: Keypoints
  /** Keypoints that the source was moved to. */
  readonly kpTransferred: Keypoints
  /** Number of the reference frame; undefined if the transfer is absolute. */
  readonly referenceFrame: number | undefined
}

/** One frame of an animation, with the driving frame that it follows. */
export interface AnimatedFrame extends MovedFrame {
  /** The driving frame as the model sees it. */
  readonly driving: Frame
}

/**
 * Animates a picture with the motion of a clip, frame by frame. One frame is in memory at a time.
 *
 * @param source RGB [size, size, 3], 0 to 255, where size is `model.config.size`; see `fitSource`.
 * @param driving the clip whose motion is transferred. It stays open.
 * @throws InputError if the clip cannot be decoded. The signal's reason, if it is aborted.
 */
export async function* animateFrames(
  model: MotionModel,
  source: Uint8Array,
  driving: Clip,
  options: AnimateFramesOptions = {},
): AsyncGenerator<AnimatedFrame, void, undefined> {
  const start = await begin(model, source, driving, options)
  for await (const { pose, ...moved } of move(
    model,
    start,
    posesWithPixels(model, start, options),
    options,
  )) {
    yield { ...moved, driving: squareFrame(pose.pixels, pose.time, pose.duration) }
  }
}

/**
 * `animateFrames` without the driving frames. The clip is then decoded once, even if the reference frame is found
 * first.
 *
 * @param openPainters threads that paint, and are closed at the end (default: the model paints alone)
 * @throws as `animateFrames`
 */
export async function* moveFrames(
  model: MotionModel,
  source: Uint8Array,
  driving: Clip,
  options: AnimateFramesOptions = {},
  openPainters?: OpenPainters,
): AsyncGenerator<MovedFrame, void, undefined> {
  const start = await begin(model, source, driving, options, openPainters)
  const poses = start.poses ?? posesWithPixels(model, start, options)
  for await (const { pose, ...moved } of move<Pose>(model, start, poses, options)) yield moved
}

/**
 * Opens threads that paint frames of a source besides the model; undefined if the model is to paint alone.
 *
 * @param source RGB [size, size, 3], as the model sees it
 */
export type OpenPainters = (
  source: Uint8Array,
  kpSource: Keypoints,
  frames: number,
) => Promise<Painters | undefined>

/** The data that is prepared before the first frame. */
interface Start {
  readonly driving: Clip
  readonly fitter: Fitter
  readonly source: Uint8Array
  readonly kpSource: Keypoints
  readonly reference: Reference | undefined
  /** The poses of all frames, if the search for the reference frame detected them. */
  readonly poses: PoseSequence | undefined
  /** Threads that paint, which are being opened. */
  readonly opening: Promise<Painters | undefined> | undefined
}

async function begin(
  model: MotionModel,
  source: Uint8Array,
  driving: Clip,
  options: AnimateFramesOptions,
  openPainters?: OpenPainters,
): Promise<Start> {
  options.signal?.throwIfAborted()
  const { reference = 'best' } = options
  if (!referenceFrames.includes(reference)) {
    throw new InputError({
      what: 'there is no such reference frame',
      got: reference,
      expected: referenceFrames.join(' or '),
    })
  }
  const fitter =
    options.fitter ?? (await frameClip(driving, model.config.size, framingOf(model, options))).fitter
  const kpSource = await model.detect(source)
  // The threads open the model while the reference frame is looked for.
  const opening = openPainters?.(source, kpSource, driving.frameCount)
  // They may fail before anybody waits for them; `move` tells it.
  opening?.catch(() => {})
  const start = { driving, fitter, source, kpSource, reference: undefined, poses: undefined, opening }
  if (options.absolute) return start
  try {
    return { ...start, ...(await findReference(model, start, options)) }
  } catch (error) {
    await closePainters(opening)
    throw error
  }
}

/** Waits for the end of threads, also of threads that could not be opened. */
async function closePainters(opening: Start['opening']): Promise<void> {
  const painters = await opening?.catch(() => undefined)
  await painters?.close()
}

async function findReference(
  model: MotionModel,
  { kpSource, driving, fitter }: Pick<Start, 'kpSource' | 'driving' | 'fitter'>,
  { reference = 'best', smooth, signal, onProgress }: AnimateFramesOptions,
): Promise<Pick<Start, 'reference' | 'poses'>> {
  const total = reference === 'first' ? 1 : driving.frameCount
  const poses = new PoseSequence(model.config.keypoints, model.config.jacobian)
  const filter = smoother(smooth)
  const detected = async function* () {
    for await (const { time, duration, data } of fitted(driving, fitter, { toFrame: total }, signal)) {
      const keypoints = filter(await model.detect(data), time)
      poses.add({ time, duration, keypoints })
      yield keypoints
      if (reference === 'best') onProgress?.({ phase: 'align', done: poses.length, total })
    }
  }
  const found = await nearestPose(kpSource, detected())
  return { reference: found, poses: reference === 'best' ? poses : undefined }
}

/** The pose and the pixels of every frame, RGB [size, size, 3]. Poses that are known are not detected again. */
async function* posesWithPixels(
  model: MotionModel,
  { driving, fitter, poses }: Start,
  { smooth, signal }: AnimateFramesOptions,
): AsyncGenerator<Pose & { readonly pixels: Uint8Array }, void, undefined> {
  const known = poses?.[Symbol.iterator]()
  const filter = smoother(smooth)
  for await (const { time, duration, data: pixels } of fitted(driving, fitter, {}, signal)) {
    const next = known?.next()
    const keypoints = next?.value?.keypoints ?? filter(await model.detect(pixels), time)
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
  { driving, source, kpSource, reference, opening }: Start,
  poses: Iterable<P> | AsyncIterable<P>,
  options: AnimateFramesOptions,
): AsyncGenerator<MovedFrame & { readonly pose: P }, void, undefined> {
  const transfer = createTransfer(kpSource, reference?.keypoints ?? kpSource, options)
  const painters = await opening
  const painter = painters ?? (await painting(model, source, kpSource))
  // Frames that are begun and not yet given, the first one first.
  const begun: { readonly pose: P; readonly kpTransferred: Keypoints; readonly made: Promise<Uint8Array> }[] =
    []
  let frame = 0
  const next = async () => {
    const { pose, kpTransferred, made } = begun.shift()!
    const result = squareFrame(await made, pose.time, pose.duration)
    const kpDriving = pose.keypoints
    return { frame, pose, result, kpSource, kpDriving, kpTransferred, referenceFrame: reference?.frame }
  }
  const given = () => {
    frame++
    options.onProgress?.({ phase: 'animate', done: frame, total: driving.frameCount })
  }
  try {
    for await (const pose of poses) {
      options.signal?.throwIfAborted()
      const kpTransferred = transfer(pose.keypoints)
      const made = painter.paint(kpTransferred)
      // It is awaited in its turn, which may never come.
      made.catch(() => {})
      begun.push({ pose, kpTransferred, made })
      if (begun.length < (painters?.ahead ?? 1)) continue
      yield await next()
      given()
    }
    while (begun.length > 0) {
      options.signal?.throwIfAborted()
      yield await next()
      given()
    }
  } finally {
    await closePainters(opening)
  }
}

/** The model as what paints. */
async function painting(model: MotionModel, source: Uint8Array, kpSource: Keypoints): Promise<Painter> {
  const encoded = await model.encode(source)
  return { paint: (kpDriving) => model.generate(encoded, kpSource, kpDriving) }
}
