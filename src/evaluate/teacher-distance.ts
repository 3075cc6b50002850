import type { Keypoints } from '../model/keypoints.ts'
import { jacobianDifference, keypointDistance } from './akd.ts'
import { Mean } from './mean.ts'

/** How far a detector is from its teacher on the same frames; 0 is best. */
export interface TeacherDistance {
  /** Mean ‖x_s - x_t‖₂ over keypoints and frames, in units of [-1, 1]: see `keypointDistance`. */
  readonly distance: number
  /** Mean |J_s - J_t| over the entries; undefined where one of the two has points alone. */
  readonly jacobian: number | undefined
}

/** Measures it over frames that come one by one. */
export class TeacherMeter {
  private readonly distance = new Mean()
  private readonly jacobian = new Mean()

  add(student: Keypoints, teacher: Keypoints): void {
    this.distance.add(keypointDistance(student.value, teacher.value))
    if (student.jacobian === undefined || teacher.jacobian === undefined) return
    this.jacobian.add(jacobianDifference(student.jacobian, teacher.jacobian))
  }

  /** Undefined where there was no frame. */
  result(): TeacherDistance | undefined {
    if (this.distance.count === 0) return undefined
    return {
      distance: this.distance.value,
      jacobian: this.jacobian.count === 0 ? undefined : this.jacobian.value,
    }
  }
}
