import type { Value } from '../graph.ts'
import type { Shape } from '../tensor.ts'
import type { ConvGeometry } from './conv-geometry.ts'
import { type Convolve, rowsAreSafe, weightGradientByRows } from './weight-gradient-by-rows.ts'
import { weightGradientByTaps } from './weight-gradient-by-taps.ts'

/**
 * Gradient of a convolution to its weights, in whichever form is faster for the shape (docs/speed.md has the
 * measurements).
 *
 * @param x [N, C, H, W]
 * @param dy [N, O, H', W']
 * @param shape of the weights, [O, C / group, kh, kw]
 * @param convolve how a convolution is written
 */
export function convWeightGradient(
  x: Value,
  dy: Value,
  shape: Shape,
  geometry: ConvGeometry,
  convolve: Convolve,
): Value {
  return geometry.group === 1 && isWide(shape) && rowsAreSafe(x, dy, shape, geometry)
    ? weightGradientByRows(x, dy, shape, geometry, convolve)
    : weightGradientByTaps(x, dy, shape, geometry)
}

/** Enough taps and channels in a row to make the columns of a product. */
const isWide = ([, channels, , kw]: Shape) => kw! > 3 || (kw! > 1 && kw! * channels! >= 64)
