import type { Value } from '../graph/graph.ts'
import { reshape, transpose } from '../graph/ops/shape.ts'

/**
 * Squares of pixels as channels, and back (Shi et al. 2016, sub-pixel convolution): full resolution for the price
 * of a coarse one.
 */

/**
 * @param x [N, C, H, W], H and W multiples of `side`
 * @returns [N, C side², H / side, W / side]
 */
export function pixelsToChannels(x: Value, side: number): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const cut = reshape(x, [n, c, h / side, side, w / side, side])
  return reshape(transpose(cut, [0, 1, 3, 5, 2, 4]), [n, c * side ** 2, h / side, w / side])
}

/**
 * @param x [N, C side², h, w]
 * @returns [N, C, h side, w side]
 */
export function channelsToPixels(x: Value, side: number): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const cut = reshape(x, [n, c / side ** 2, side, side, h, w])
  return reshape(transpose(cut, [0, 1, 4, 2, 5, 3]), [n, c / side ** 2, h * side, w * side])
}
