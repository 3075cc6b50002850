import type { Keypoints } from '../../model/keypoints.ts'
import type { Tracked } from '../types.ts'

/** Keypoints as nested lists: K x 2, and K x 2 x 2. */
export function nested({ value, jacobian }: Keypoints): Pick<Tracked, 'value' | 'jacobian'> {
  const points = pairs(value)
  if (jacobian === undefined) return { value: points }
  const rows = pairs(jacobian)
  const matrices = Array.from({ length: rows.length / 2 }, (_, k) => [rows[2 * k]!, rows[2 * k + 1]!])
  return { value: points, jacobian: matrices }
}

function pairs(flat: Float32Array): number[][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!])
}
