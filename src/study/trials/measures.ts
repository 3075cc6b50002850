import type { DetectorEvaluation, Evaluation } from '../../evaluate/evaluation.ts'
import type { TrainedRun } from '../../train/loop.ts'
import type { Method } from './plan.ts'

/** What is known of a trial in numbers, by name; means over the frames that it was measured on. */
export interface MeasureKind {
  readonly label: string
  /** For the head of a column. */
  readonly short: string
  readonly better: 'lower' | 'higher' | 'neither'
  /** Whose accuracy it is: what networks are ranked by. */
  readonly ranks?: Method
}

export const measureKinds = {
  distance: { label: 'distance to teacher', short: 'to teacher', better: 'lower', ranks: 'distilled' },
  jacobian: { label: 'jacobian to teacher', short: 'jacobian', better: 'lower' },
  ratio: { label: "l1 over the still picture's", short: 'l1 / still', better: 'lower', ranks: 'scratch' },
  l1: { label: 'l1', short: 'l1', better: 'lower' },
  psnr: { label: 'psnr, dB', short: 'psnr dB', better: 'higher' },
  ssim: { label: 'ssim', short: 'ssim', better: 'higher' },
  akd: { label: 'akd, pixels', short: 'akd px', better: 'lower' },
  equivariance: { label: 'equivariance', short: 'equivariance', better: 'lower' },
  equivarianceJacobian: { label: 'equivariance of jacobians', short: 'eq. jacobian', better: 'lower' },
  jitter: { label: 'jitter', short: 'jitter', better: 'lower' },
  jitterRelative: { label: 'jitter to speed', short: 'jitter / speed', better: 'lower' },
  landmarks: { label: 'landmarks from keypoints', short: 'landmarks', better: 'lower' },
  landmarksBackward: { label: 'keypoints from landmarks', short: 'backward', better: 'lower' },
  steps: { label: 'steps', short: 'steps', better: 'neither' },
  seconds: { label: 'seconds of training', short: 'train s', better: 'lower' },
} as const satisfies Readonly<Record<string, MeasureKind>>

export type MeasureName = keyof typeof measureKinds
export const measureNames = Object.keys(measureKinds) as MeasureName[]

export const rankedBy: Readonly<Record<Method, MeasureName>> = { distilled: 'distance', scratch: 'ratio' }

/** A trial's numbers; what was not measured is missing. */
export function measuresOf(
  { steps, seconds }: TrainedRun,
  found: Evaluation | DetectorEvaluation,
): Record<string, number> {
  const { teacher, equivariance, jitter, landmarks, l1, psnr, ssim, still, akd } = found
  const all: Readonly<Record<MeasureName, number | undefined>> = {
    distance: teacher?.distance,
    jacobian: teacher?.jacobian,
    ratio: still && l1 / still.l1,
    ...{ l1, psnr, ssim },
    akd: akd?.pixels,
    equivariance: equivariance.value,
    equivarianceJacobian: equivariance.jacobian,
    jitter: jitter?.acceleration,
    jitterRelative: jitter?.relative,
    landmarks: landmarks?.forward,
    landmarksBackward: landmarks?.backward,
    ...{ steps, seconds },
  }
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) =>
      value !== undefined && Number.isFinite(value) ? [[name, value]] : [],
    ),
  )
}
