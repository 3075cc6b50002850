import { createWarp, warpPixels } from '../../evaluate/warp.ts'
import type { Random } from '../../util/random.ts'
import { drawColour } from '../batches.ts'
import type { Settings } from '../config.ts'
import { drawTransform } from '../transform.ts'

/** Pictures beyond those of the clips, which a teacher labels too: any number of them. */

export interface VariantOptions {
  readonly transform: Settings['transform']
  /** Largest change of brightness, contrast and saturation, each as a part of 1. */
  readonly colour: number
}

/**
 * Another picture of the same kind: half of the time mirrored, warped as for equivariance, recoloured. A
 * teacher labels any number of them.
 *
 * @param pixels RGB [size, size, 3]
 */
export function drawVariant(
  random: Random,
  pixels: Uint8Array,
  size: number,
  { transform, colour }: VariantOptions,
): Uint8Array {
  const { theta, spline } = drawTransform(random, 1, transform)
  // Mirroring is a change of the affine map's first column: x becomes -x.
  const mirrored = random.uniform() < 0.5
  const affine = Array.from(theta, (entry, i) => (mirrored && i < 3 ? -entry : entry))
  const warped = warpPixels(pixels, size, createWarp(affine, [...spline]))
  return recoloured(warped, drawColour(random, colour))
}

/**
 * Two pictures laid over each other, of any weights: who is neither of two people, where both are heads. That a student
 * which is to compute the same function is best shown the teacher's answers to blends, over long schedules, is the
 * finding of Beyer et al. 2022 ("Knowledge distillation: A good teacher is patient and consistent", section 3).
 */
export function blended(random: Random, one: Uint8Array, other: Uint8Array): Uint8Array {
  const weight = random.uniform()
  return one.map((byte, i) => Math.round(weight * byte + (1 - weight) * other[i]!))
}

/** @param change [3, 4]: matrix and offset for values in [0, 1] */
function recoloured(pixels: Uint8Array, change: readonly number[]): Uint8Array {
  const out = new Uint8ClampedArray(pixels.length)
  for (let i = 0; i < pixels.length; i += 3) {
    for (let c = 0; c < 3; c++) {
      const [r, g, b, offset] = change.slice(4 * c, 4 * c + 4) as [number, number, number, number]
      out[i + c] = r * pixels[i]! + g * pixels[i + 1]! + b * pixels[i + 2]! + 255 * offset
    }
  }
  return new Uint8Array(out.buffer)
}
