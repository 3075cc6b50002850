// All meters of an evaluation, which see its frames one by one.
import type { KeypointDetector } from '../model/keypoint-detector.ts'
import type { MotionModel } from '../model/open-model.ts'
import { jointNames } from '../synthetic/puppet/skeleton.ts'
import { EquivarianceMeter } from './equivariance.ts'
import { type EvaluatedFrame, torsoLength } from './evaluated-frame.ts'
import { JitterMeter } from './jitter.ts'
import { TeacherMeter } from './keypoint-distance.ts'
import { LandmarkRegression } from './landmarks.ts'
import {
  type DetectorEvaluation,
  type DetectorMeasures,
  type Evaluation,
  type MeasureMeter,
  metered,
} from './measures.ts'
import type { TransferMeter } from './transfer-error.ts'
import { VideoReconstructionMeter } from './video-reconstruction.ts'

/** Frames, spread over the clips, that equivariance is measured on. */
const equivarianceFrames = 20

/** All meters of an evaluation, over frames that are added one by one. */
export class Meters {
  private readonly equivariance: EquivarianceMeter
  private readonly jitter = new JitterMeter()
  private readonly landmarks: LandmarkRegression
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
    this.registered = metered().map(([name, meter]) => [name, meter(model, teacher)])
    this.reconstruction = model.hasGenerator ? new VideoReconstructionMeter(model, teacher) : undefined
  }

  /** A clip begins; `first` is its first frame. */
  async begin(first: EvaluatedFrame): Promise<void> {
    this.jitter.begin()
    this.transfer?.begin(first.keypoints)
    await this.reconstruction?.begin(first)
    for (const [, meter] of this.registered) await meter.begin?.(first)
  }

  /** A frame of any clip, driving or not. @param fitted whether landmarks are fitted on it, or measured */
  addJoints({ keypoints, joints }: EvaluatedFrame, fitted: boolean): void {
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

  result(): Evaluation | DetectorEvaluation {
    const { reconstruction, transfer, frames } = this
    const measures: Omit<DetectorMeasures, 'frames'> = {
      equivariance: this.equivariance.result(),
      jitter: this.jitter.result(),
      landmarks: this.landmarks.result(),
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
  private takenByRegistered(): Pick<DetectorMeasures, 'registered'> {
    const taken = this.registered.flatMap(([name, meter]) => {
      const value = meter.result()
      return value === undefined ? [] : [[name, value] as const]
    })
    return taken.length === 0 ? {} : { registered: Object.fromEntries(taken) }
  }
}
