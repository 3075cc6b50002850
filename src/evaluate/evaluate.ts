// Measuring a model on clips, in one pass over their frames: all meters see each frame.
import type { TransferOptions } from '../animate/transfer.ts'
import { openClip } from '../clips/source.ts'
import { formatCrop } from '../faces/box.ts'
import type { ClipSquare } from '../faces/framing.ts'
import { type CropOptions, fitSource, framingOf } from '../faces/node.ts'
import { type Clip, type Frame, frameAt, smallNotes } from '../media/clip.ts'
import type { KeypointDetector } from '../model/keypoint-detector.ts'
import { openDetector } from '../model/open-detector.ts'
import { type ModelOptions, type MotionModel, type RunReference, withModel } from '../model/open-model.ts'
import { hasLightness } from '../synthetic/made-clips.ts'
import { jointNames } from '../synthetic/puppet/skeleton.ts'
import { InputError } from '../util/errors.ts'
import { assertComparable, clipEvaluator, type EvaluatedFrame, torsoLength } from './evaluated-frame.ts'
import { TransferMeter, VideoReconstructionMeter } from './generation.ts'
import { HeadLandmarkMeter } from './head-landmarks.ts'
import { EquivarianceMeter, JitterMeter, TeacherMeter } from './keypoint-measures.ts'
import { LandmarkRegression } from './landmarks.ts'
import {
  type DetectorEvaluation,
  type DetectorMeasures,
  type Evaluation,
  type MeasureMeter,
  metered,
} from './measures.ts'

export type { DetectorEvaluation, Evaluation } from './measures.ts'

export interface EvaluateOptions extends ModelOptions, TransferOptions, Omit<CropOptions, 'signal'> {
  /**
   * Where in each clip the driving frames begin, as a fraction: 0 (default) to under 1. After training with
   * a holdout of h, 1 - h begins at the first frame that was held out. With 0 the first frame of a clip, which the
   * others drive, is seen by the detector too, but not rebuilt from itself.
   */
  readonly from?: number
  /** A detector to compare with: a run, an ONNX file (see `openDetector`), or an open detector, which stays open. */
  readonly teacher?: string | KeypointDetector
  /**
   * A picture that each driving frame moves, as `animate` does: see `TransferError`. The options of a transfer apply to
   * it alone.
   */
  readonly source?: string | Frame
  /**
   * Whether the networks are rewritten exactly before they are loaded. Default false: a model is measured as it was
   * trained. A run of `compress` in eight bits is rewritten in any case.
   */
  readonly rewrite?: boolean
  /** After each driving frame. */
  onProgress?(done: number, total: number): void
}

/**
 * Measures a model on clips, in one pass: how well the first frame of each, driven by the others, becomes them
 * (see `VideoReconstructionMeter`), and how good its keypoints are by themselves.
 *
 * @param run a run folder, the result of `train`, or an open model, which stays open.
 * @param clips paths of videos, `puppet:SEED`, `head:SEED`, or open clips, which stay open; at least one.
 * @throws InputError for a run, clip, teacher or source that cannot serve. The signal's reason, if it is aborted.
 */
export async function evaluate(
  run: RunReference | MotionModel,
  clips: string | readonly (string | Clip)[],
  options: EvaluateOptions = {},
): Promise<Evaluation | DetectorEvaluation> {
  const named = typeof clips === 'string' ? [clips] : clips
  const { from = 0 } = options
  if (!(from >= 0 && from < 1)) throw badFraction(from)
  if (named.length === 0) throw new InputError({ what: 'there is no clip to evaluate on' })
  // The networks are measured as they were trained, so that results do not depend on the rewriting.
  return withModel(run, { rewrite: false, ...options }, (model) =>
    withTeacher(options, async (teacher) => {
      if (teacher !== undefined) assertComparable(model, teacher)
      const own: Clip[] = []
      try {
        const opened: Clip[] = []
        for (const clip of named) {
          if (typeof clip !== 'string') opened.push(clip)
          else opened.push(own[own.push(await openClip(clip)) - 1]!)
        }
        for (const clip of opened) assertUsable(clip, from)
        return await measure(model, teacher, opened, { ...options, from })
      } finally {
        for (const clip of own) await clip.close()
      }
    }),
  )
}

async function withTeacher<T>(
  { teacher, device, signal }: EvaluateOptions,
  use: (teacher: KeypointDetector | undefined) => Promise<T>,
): Promise<T> {
  if (typeof teacher !== 'string') return use(teacher)
  const opened = await openDetector(teacher, {
    ...(device !== undefined && { device }),
    ...(signal && { signal }),
  })
  try {
    return await use(opened)
  } finally {
    await opened.close()
  }
}

/** Number of the first driving frame; the same rounding as training's, which ends right before it. */
export function firstDrivingFrame(frameCount: number, from: number): number {
  return Math.floor(frameCount * from + 1e-9)
}

async function measure(
  model: MotionModel,
  teacher: KeypointDetector | undefined,
  clips: readonly Clip[],
  options: EvaluateOptions & { readonly from: number },
): Promise<Evaluation | DetectorEvaluation> {
  const { from, signal, onProgress } = options
  const total = clips.reduce((sum, { frameCount }) => {
    return sum + frameCount - firstDrivingFrame(frameCount, from)
  }, 0)
  const meters = new Meters(model, teacher, total, await openTransfer(model, options))
  const squares: ClipSquare[] = []
  let done = 0
  for (const clip of clips) {
    signal?.throwIfAborted()
    const { framing, evaluated } = await clipEvaluator(model, teacher, clip, framingOf(model, options))
    squares.push({ clip: clip.name, ...framing })
    const start = await evaluated(await frameAt(clip, 0))
    await meters.begin(start, hasLightness(clip) ? clip.lightness : undefined)
    const first = firstDrivingFrame(clip.frameCount, from)
    // Puppets and heads are read from their start: landmarks are fitted on frames before the driving ones, too.
    let number = start.joints === undefined && start.landmarks === undefined ? first : 0
    const fitted = Math.max(first, Math.floor(clip.frameCount / 2))
    for await (const frame of clip.frames({ fromFrame: number })) {
      signal?.throwIfAborted()
      const driving = number >= first
      const one = await evaluated(frame, driving ? 'both' : 'model')
      meters.addPoints(one, number < fitted)
      if (driving) {
        await meters.add(one, number === 0)
        onProgress?.(++done, total)
      }
      number++
    }
  }
  const size = Math.max(model.config.size, teacher?.size ?? 0)
  const notices = clips.flatMap((clip) => [
    ...(clip.notices ?? []).map((notice) => `${clip.name}: ${notice}`),
    ...smallNotes(clip, size, clip.name),
  ])
  return { ...meters.result(), squares, notices }
}

async function openTransfer(
  model: MotionModel,
  { source, fit = model.fit, crop, signal, face: _, ...options }: EvaluateOptions,
): Promise<TransferMeter | undefined> {
  if (source === undefined) return undefined
  const named = crop ?? formatCrop(model.crop)
  const { pixels } = await fitSource(source, model.config.size, fit, { crop: named, signal })
  return TransferMeter.open(model, pixels, options)
}

function assertUsable(clip: Clip, from: number): void {
  if (clip.frameCount >= 2 && firstDrivingFrame(clip.frameCount, from) < clip.frameCount) return
  throw new InputError({
    what: 'the clip has too few frames to evaluate on',
    where: clip.name,
    got: `${clip.frameCount} frames`,
    expected: 'at least 2, and one of them after --from',
    remedy: 'use a longer clip',
  })
}

function badFraction(from: number): InputError {
  return new InputError({
    what: 'the place to evaluate from is not a fraction of the clip',
    got: String(from),
    expected: '0 to under 1',
    remedy: 'use --from 0.8 for the last fifth',
  })
}

/** Frames, spread over the clips, that equivariance is measured on. */
const equivarianceFrames = 20

/** All meters of an evaluation, over frames that are added one by one. */
export class Meters {
  private readonly equivariance: EquivarianceMeter
  private readonly jitter = new JitterMeter()
  private readonly landmarks: LandmarkRegression
  private readonly heads: HeadLandmarkMeter
  private readonly reconstruction: VideoReconstructionMeter | undefined
  private readonly registered: readonly (readonly [string, MeasureMeter])[]
  private readonly teacher = new TeacherMeter()
  private frames = 0

  /**
   * @param total number of driving frames
   * @param transfer if there is a picture to move
   */
  constructor(
    model: MotionModel,
    teacher: KeypointDetector | undefined,
    total: number,
    private readonly transfer: TransferMeter | undefined,
  ) {
    this.equivariance = new EquivarianceMeter(model, Math.max(1, Math.floor(total / equivarianceFrames)))
    this.landmarks = new LandmarkRegression(model.config.keypoints, jointNames.length)
    this.heads = new HeadLandmarkMeter(model.config.keypoints)
    this.registered = metered().map(([name, meter]) => [name, meter(model, teacher)])
    this.reconstruction = model.hasGenerator ? new VideoReconstructionMeter(model, teacher) : undefined
  }

  /** A clip begins; `first` is its first frame. @param lightness of the skin, if the clip is of a head */
  async begin(first: EvaluatedFrame, lightness?: number): Promise<void> {
    if (lightness !== undefined) this.heads.begin(lightness)
    this.jitter.begin()
    this.transfer?.begin(first.keypoints)
    await this.reconstruction?.begin(first)
    for (const [, meter] of this.registered) await meter.begin?.(first)
  }

  /** A frame of any clip, driving or not. @param fitted whether landmarks are fitted on it, or measured */
  addPoints({ keypoints, joints, landmarks }: EvaluatedFrame, fitted: boolean): void {
    if (landmarks !== undefined) this.heads.add(keypoints.value, landmarks, fitted)
    if (joints === undefined) return
    if (fitted) this.landmarks.fit(keypoints.value, joints)
    else this.landmarks.measure(keypoints.value, joints, torsoLength(joints))
  }

  /** The next driving frame of the clip. @param first whether it is the clip's first, which drives nothing */
  async add(driving: EvaluatedFrame, first: boolean): Promise<void> {
    this.jitter.add(driving.keypoints.value)
    if (driving.teacher !== undefined) this.teacher.add(driving.keypoints, driving.teacher)
    const generated = first ? undefined : await this.reconstruction?.add(driving)
    await this.transfer?.add(driving.keypoints)
    await this.equivariance.add(driving.pixels)
    for (const [, meter] of this.registered) await meter.add(driving, generated)
    this.frames++
  }

  result(): Omit<Evaluation, 'squares' | 'notices'> | Omit<DetectorEvaluation, 'squares' | 'notices'> {
    const { reconstruction, transfer, frames } = this
    const measures: Omit<DetectorMeasures, 'frames'> = {
      equivariance: this.equivariance.result(),
      jitter: this.jitter.result(),
      landmarks: this.landmarks.result(),
      ...this.takenOfHeads(),
      teacher: this.teacher.result(),
      ...this.takenByRegistered(),
    }
    if (reconstruction !== undefined) {
      const { akd, ...likeness } = reconstruction.result()
      return { frames, ...likeness, ...measures, akd, transfer: transfer?.result() }
    }
    const none = { l1: undefined, psnr: undefined, ssim: undefined, still: undefined }
    return { frames, ...none, ...measures, akd: undefined, transfer: undefined }
  }

  private takenOfHeads(): Pick<DetectorMeasures, 'headLandmarks'> {
    const headLandmarks = this.heads.result()
    return headLandmarks === undefined ? {} : { headLandmarks }
  }

  private takenByRegistered(): Pick<DetectorMeasures, 'registered'> {
    const taken = this.registered.flatMap(([name, meter]) => {
      const value = meter.result()
      return value === undefined ? [] : [[name, value] as const]
    })
    return taken.length === 0 ? {} : { registered: Object.fromEntries(taken) }
  }
}
