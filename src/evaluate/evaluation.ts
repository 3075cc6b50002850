import type { Equivariance } from './equivariance.ts'
import type { Jitter } from './jitter.ts'
import type { LandmarkErrors } from './landmarks.ts'
import type { Reconstruction } from './reconstruction.ts'
import type { TeacherDistance } from './teacher-distance.ts'
import type { TransferError } from './transfer-error.ts'

/** What is measured of a detector. Means over all driving frames of all clips. */
export interface DetectorMeasures {
  /** Driving frames. */
  readonly frames: number
  /** Under random warps of some of the frames, always the same ones. */
  readonly equivariance: Equivariance
  /** Undefined where no clip has three driving frames. */
  readonly jitter: Jitter | undefined
  /** Undefined without a teacher. */
  readonly teacher: TeacherDistance | undefined
  /**
   * Over the puppets among the clips, whose joints are known; undefined where there are none. Lengths are over the
   * torso's. Fitted on what stands before the driving frames, but at least on a clip's first half, and measured
   * on the rest.
   */
  readonly landmarks: LandmarkErrors | undefined
}

/** What `evaluate` finds of a model that can move pictures. */
export interface Evaluation extends Reconstruction, DetectorMeasures {
  /** Undefined where no source was given. */
  readonly transfer: TransferError | undefined
}

/** What `evaluate` finds of a run that holds a detector alone. */
export interface DetectorEvaluation extends DetectorMeasures {
  readonly l1: undefined
  readonly psnr: undefined
  readonly ssim: undefined
  readonly still: undefined
  readonly akd: undefined
  readonly transfer: undefined
}
