// Equivariance: whether keypoints move along with the picture under random warps.
import { inverse, matrixAt, product } from '../model/keypoints.ts'
import type { MotionModel } from '../model/open-model.ts'
import { Random } from '../util/random.ts'
import { Mean } from './keypoint-distance.ts'
import { drawWarp, type Warp, warpPixels } from './warp.ts'

/** How far keypoints are from moving along with the picture. 0 is best. */
export interface Equivariance {
  /** Mean |kp(D) - T(kp(T D))| over keypoints and coordinates, in units of [-1, 1]. */
  readonly value: number
  /** Mean |I - J(D)⁻¹ T'(p) J(T D)| over the entries; undefined for a model of points alone. */
  readonly jacobian: number | undefined
}

/**
 * Measures one frame under one warp (Siarohin et al. 2019, section 3.1; the published equivariance losses).
 *
 * @param frame D, RGB [size, size, 3].
 * @param warp T: the warped frame shows at z what D has at T(z), so points found there go back through T.
 */
export async function measureEquivariance(
  model: Pick<MotionModel, 'config' | 'detect'>,
  frame: Uint8Array,
  warp: Warp,
): Promise<Equivariance> {
  const straight = await model.detect(frame)
  const warped = await model.detect(warpPixels(frame, model.config.size, warp))
  const count = straight.value.length / 2
  let [value, jacobian] = [0, 0]
  for (let k = 0; k < count; k++) {
    const [x, y] = [warped.value[2 * k]!, warped.value[2 * k + 1]!]
    const [backX, backY] = warp.point(x, y)
    value += Math.abs(straight.value[2 * k]! - backX) + Math.abs(straight.value[2 * k + 1]! - backY)
    if (straight.jacobian === undefined || warped.jacobian === undefined) continue
    const moved = product(warp.jacobian(x, y), matrixAt(warped.jacobian, 4 * k))
    const [a, b, c, d] = product(inverse(matrixAt(straight.jacobian, 4 * k)), moved)
    jacobian += Math.abs(1 - a) + Math.abs(b) + Math.abs(c) + Math.abs(1 - d)
  }
  return {
    value: value / (2 * count),
    jacobian: straight.jacobian === undefined ? undefined : jacobian / (4 * count),
  }
}

/** Seed of the warps that frames are measured under. */
const seed = 0

/** Measures every n-th frame, under random warps that are the same in every evaluation. */
export class EquivarianceMeter {
  private readonly random = new Random(seed)
  private readonly value = new Mean()
  private readonly jacobian = new Mean()
  private frames = 0

  constructor(
    private readonly model: Pick<MotionModel, 'config' | 'detect'>,
    private readonly every: number,
  ) {}

  /** @param frame RGB [size, size, 3] */
  async add(frame: Uint8Array): Promise<void> {
    if (this.frames++ % this.every !== 0) return
    const { value, jacobian } = await measureEquivariance(this.model, frame, drawWarp(this.random))
    this.value.add(value)
    if (jacobian !== undefined) this.jacobian.add(jacobian)
  }

  result(): Equivariance {
    return {
      value: this.value.value,
      jacobian: this.jacobian.count === 0 ? undefined : this.jacobian.value,
    }
  }
}
