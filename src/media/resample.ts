/**
 * Resizing with precomputed taps: the mean over the covered area when shrinking, bilinear when enlarging.
 * sharp does the same, but its start-up cost per call exceeds the work at these sizes.
 */

/** Maps pixels [sourceHeight, sourceWidth, 3] to [height, width, 3]. */
export type Resampler = (source: Uint8Array) => Uint8Array

/** A window of the source, in pixels; may have fractions. */
export interface Window {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** For each output pixel: source pixels `first` to `first + count - 1` and their weights, which sum to 1. */
interface Taps {
  readonly first: Int32Array
  readonly count: number
  /** [outputs, count] */
  readonly weights: Float64Array
}

/**
 * @param source size of the pictures to come, in pixels.
 * @param window the part of them to show, within the source.
 * @param target size of the result, in pixels.
 */
export function createResampler(
  source: { readonly width: number; readonly height: number },
  window: Window,
  target: { readonly width: number; readonly height: number },
): Resampler {
  const across = axisTaps(source.width, window.left, window.width, target.width)
  const down = axisTaps(source.height, window.top, window.height, target.height)
  // Only the columns that a tap touches are summed vertically.
  const firstColumn = across.first[0]!
  const columns = across.first[target.width - 1]! + across.count - firstColumn
  const row = new Float64Array(columns * 3)
  const stride = source.width * 3

  return (pixels) => {
    const out = new Uint8Array(target.width * target.height * 3)
    let to = 0
    for (let y = 0; y < target.height; y++) {
      sumRows(pixels, down.first[y]! * stride + firstColumn * 3, stride, down, y, row)
      for (let x = 0; x < target.width; x++) {
        let from = (across.first[x]! - firstColumn) * 3
        let r = 0.5
        let g = 0.5
        let b = 0.5
        for (let k = x * across.count; k < (x + 1) * across.count; k++) {
          const weight = across.weights[k]!
          r += weight * row[from]!
          g += weight * row[from + 1]!
          b += weight * row[from + 2]!
          from += 3
        }
        out[to] = r
        out[to + 1] = g
        out[to + 2] = b
        to += 3
      }
    }
    return out
  }
}

function sumRows(
  pixels: Uint8Array,
  start: number,
  stride: number,
  taps: Taps,
  y: number,
  row: Float64Array,
): void {
  for (let k = 0; k < taps.count; k++) {
    const weight = taps.weights[y * taps.count + k]!
    const from = start + k * stride
    if (k === 0) for (let i = 0; i < row.length; i++) row[i] = weight * pixels[from + i]!
    else if (weight !== 0) for (let i = 0; i < row.length; i++) row[i]! += weight * pixels[from + i]!
  }
}

function axisTaps(sourceSize: number, offset: number, length: number, outputs: number): Taps {
  const scale = length / outputs
  const width = Math.max(scale, 1)
  const count = Math.min(Math.ceil(width) + 1, sourceSize)
  const first = new Int32Array(outputs)
  const weights = new Float64Array(outputs * count)
  for (let i = 0; i < outputs; i++) {
    const centre = offset + (i + 0.5) * scale
    const start = Math.floor(centre - width / 2)
    first[i] = Math.min(Math.max(start, 0), sourceSize - count)
    let sum = 0
    for (let p = start; p <= start + Math.ceil(width); p++) {
      const weight =
        scale > 1
          ? Math.min(p + 1, centre + width / 2) - Math.max(p, centre - width / 2)
          : 1 - Math.abs(p + 0.5 - centre)
      if (weight <= 0) continue
      // Taps beyond the edge fall on the edge pixel.
      const slot = Math.min(Math.max(p, 0), sourceSize - 1) - first[i]!
      weights[i * count + slot]! += weight
      sum += weight
    }
    for (let k = 0; k < count; k++) weights[i * count + k]! /= sum
  }
  return { first, count, weights }
}
