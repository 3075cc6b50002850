import type { KeypointDetector } from '../model/keypoint-detector.ts'
import type { MotionModel } from '../model/open-model.ts'
import { jointNames } from '../synthetic/puppet/figure.ts'
import { EquivarianceMeter } from './equivariance.ts'
import type { DetectorEvaluation, DetectorMeasures, Evaluation } from './evaluation.ts'
import { JitterMeter } from './jitter.ts'
import { LandmarkRegression } from './landmarks.ts'
import { ReconstructionMeter } from './reconstruction.ts'
import type { SeenFrame } from './seen-frame.ts'
import { torsoLength } from './seen-joints.ts'
import { TeacherMeter } from './teacher-distance.ts'
import type { TransferMeter } from './transfer-error.ts'

/** Frames, spread over the clips, that equivariance is measured on. */
const equivarianceFrames = 20

/** All measures of an evaluation, over frames that come one by one. */
export class Meters {
  private readonly equivariance: EquivarianceMeter
  private readonly jitter = new JitterMeter()
  private readonly landmarks: LandmarkRegression
  private readonly reconstruction: ReconstructionMeter | undefined
  private readonly teacher = new TeacherMeter()
  private frames = 0

  /**
   * @param total driving frames to come
   * @param transfer where there is a picture to move
   */
  constructor(
    model: MotionModel,
    teacher: KeypointDetector | undefined,
    total: number,
    private readonly transfer: TransferMeter | undefined,
  ) {
    this.equivariance = new EquivarianceMeter(model, Math.max(1, Math.floor(total / equivarianceFrames)))
    this.landmarks = new LandmarkRegression(model.config.keypoints, jointNames.length)
    this.reconstruction = model.hasGenerator ? new ReconstructionMeter(model, teacher) : undefined
  }

  /** A clip begins; `first` is its first frame. */
  async begin(first: SeenFrame): Promise<void> {
    this.jitter.begin()
    this.transfer?.begin(first.keypoints)
    await this.reconstruction?.begin(first)
  }

  /** A frame of any clip, driving or not. @param fitted whether landmarks are fitted on it, or measured */
  addJoints({ keypoints, joints }: SeenFrame, fitted: boolean): void {
    if (joints === undefined) return
    if (fitted) this.landmarks.fit(keypoints.value, joints)
    else this.landmarks.measure(keypoints.value, joints, torsoLength(joints))
  }

  /** The next driving frame of the clip. @param first whether it is the clip's first, which drives nothing */
  async add(driving: SeenFrame, first: boolean): Promise<void> {
    this.jitter.add(driving.keypoints.value)
    if (driving.teacher !== undefined) this.teacher.add(driving.keypoints, driving.teacher)
    if (!first) await this.reconstruction?.add(driving)
    await this.transfer?.add(driving.keypoints)
    await this.equivariance.add(driving.pixels)
    this.frames++
  }

  result(): Evaluation | DetectorEvaluation {
    const { reconstruction, transfer, frames } = this
    const measures: Omit<DetectorMeasures, 'frames'> = {
      equivariance: this.equivariance.result(),
      jitter: this.jitter.result(),
      landmarks: this.landmarks.result(),
      teacher: this.teacher.result(),
    }
    if (reconstruction !== undefined) {
      const { akd, ...likeness } = reconstruction.result()
      return { frames, ...likeness, ...measures, akd, transfer: transfer?.result() }
    }
    const none = { l1: undefined, psnr: undefined, ssim: undefined, still: undefined }
    return { frames, ...none, ...measures, akd: undefined, transfer: undefined }
  }
}
