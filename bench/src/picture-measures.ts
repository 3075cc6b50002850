// How near one picture is to another, and how sharp: L1, PSNR, and the gradient where things moved.
import { mostPsnr } from '../../src/evaluate/generation.ts'
import { framePsnr } from '../../src/media/clip.ts'
import { squareFrame } from '../../src/model/keypoint-detector.ts'

/** Mean absolute difference over all channels, values in [0, 1], and PSNR in dB, of RGB [side, side, 3]. */
export function difference(
  truth: Uint8Array,
  made: Uint8Array,
): { readonly l1: number; readonly psnr: number } {
  let sum = 0
  for (let i = 0; i < truth.length; i++) sum += Math.abs(truth[i]! - made[i]!)
  const psnr = Math.min(mostPsnr, framePsnr(squareFrame(truth), squareFrame(made)))
  return { l1: sum / truth.length / 255, psnr }
}

/** Steps of a pixel's luma from which on it counts as moved. */
const movedFrom = 10
/** Distance in pixels up to which the neighbours of a moved pixel count as moved, too. */
const around = 2

/**
 * Where a picture differs from another: 1 for such pixels and their neighbours, [side, side].
 *
 * @param a luma, [side, side], 0 to 255
 */
export function movedPixels(a: Float64Array, b: Float64Array, side: number): Uint8Array {
  const changed = Uint8Array.from(a, (v, i) => (Math.abs(v - b[i]!) > movedFrom ? 1 : 0))
  const wide = spread(changed, side, 1)
  return spread(wide, side, side)
}

/** A mask grown along one axis. @param step from one pixel of the axis to the next */
function spread(mask: Uint8Array, side: number, step: number): Uint8Array {
  return mask.map((_, i) => {
    const place = Math.floor(i / step) % side
    for (let k = -around; k <= around; k++) {
      if (place + k >= 0 && place + k < side && mask[i + k * step] === 1) return 1
    }
    return 0
  })
}

/**
 * Sum of the gradient's magnitude, by differences to the right and downward.
 *
 * @param luma [side, side]
 * @param mask 1 where the gradient counts (default: everywhere)
 */
export function gradientSum(luma: Float64Array, side: number, mask?: Uint8Array): number {
  let sum = 0
  for (let y = 0; y < side - 1; y++) {
    for (let x = 0; x < side - 1; x++) {
      const i = y * side + x
      if (mask !== undefined && mask[i] === 0) continue
      sum += Math.hypot(luma[i + 1]! - luma[i]!, luma[i + side]! - luma[i]!)
    }
  }
  return sum
}
