// L1, PSNR and SSIM: three measures of how similar two pictures are.
import { InputError } from '../util/errors.ts'

/** The similarity of two pictures, RGB [side, side, 3] of 0 to 255. Values are divided by 255. */
export interface Likeness {
  /** Mean absolute difference over all channels, values in [0, 1]. */
  readonly l1: number
  /** Peak signal to noise ratio over all channels, in dB; at most `mostPsnr`. */
  readonly psnr: number
  /** Structural similarity of the luma, at most 1. */
  readonly ssim: number
}

/**
 * PSNR of equal pictures, in dB, so that a mean over frames stays finite. No two pictures of bytes that
 * differ come near it below 10 megapixels.
 */
export const mostPsnr = 100

/** @throws InputError if the pictures differ in size, or are under 11 pixels a side. */
export function likeness(a: Uint8Array, b: Uint8Array): Likeness {
  if (a.length !== b.length) {
    const [got, expected] = [`${b.length} bytes`, `${a.length}`]
    throw new InputError({ what: 'only pictures of one size can be compared', got, expected })
  }
  let [absolute, squared] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    const difference = a[i]! - b[i]!
    absolute += Math.abs(difference)
    squared += difference * difference
  }
  const side = Math.round(Math.sqrt(a.length / 3))
  const psnr = squared === 0 ? mostPsnr : 10 * Math.log10((255 ** 2 * a.length) / squared)
  return { l1: absolute / a.length / 255, psnr: Math.min(psnr, mostPsnr), ssim: ssim(luma(a), luma(b), side) }
}

/** Luma of ITU-R BT.601, as in the common implementations of SSIM: [side, side], 0 to 255. */
export function luma(pixels: Uint8Array): Float64Array {
  return Float64Array.from({ length: pixels.length / 3 }, (_, i) => {
    return 0.299 * pixels[3 * i]! + 0.587 * pixels[3 * i + 1]! + 0.114 * pixels[3 * i + 2]!
  })
}

const windowSide = 11
const sigma = 1.5
const [c1, c2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2]

/** The window's weights along one axis; the window is their product with themselves. */
const window = (() => {
  const line = Array.from({ length: windowSide }, (_, i) => Math.exp(-((i - 5) ** 2) / (2 * sigma ** 2)))
  const sum = line.reduce((total, weight) => total + weight, 0)
  return Float64Array.from(line, (weight) => weight / sum)
})()

/**
 * Structural similarity (Wang et al. 2004, "Image quality assessment: from error visibility to structural
 * similarity"): mean over all windows of 11x11 that lie within the picture, Gaussian of 1.5 pixels,
 * K1 = 0.01, K2 = 0.03.
 *
 * @param a [side, side], 0 to 255
 * @throws InputError for pictures under 11 pixels a side.
 */
export function ssim(a: Float64Array, b: Float64Array, side: number): number {
  if (side < windowSide) {
    const what = 'the pictures are too small for SSIM'
    throw new InputError({ what, got: `${side} pixels a side`, expected: `at least ${windowSide}` })
  }
  const mean = (of: Float64Array) => windowMeans(of, side)
  const times = (p: Float64Array, q: Float64Array) => p.map((v, i) => v * q[i]!)
  const [ma, mb] = [mean(a), mean(b)]
  const [maa, mbb, mab] = [mean(times(a, a)), mean(times(b, b)), mean(times(a, b))]
  let sum = 0
  for (let i = 0; i < ma.length; i++) {
    const [p, q] = [ma[i]!, mb[i]!]
    const variances = maa[i]! - p * p + mbb[i]! - q * q
    const covariance = mab[i]! - p * q
    sum += ((2 * p * q + c1) * (2 * covariance + c2)) / ((p * p + q * q + c1) * (variances + c2))
  }
  return sum / ma.length
}

/** Weighted means over every window within the picture, [side - 10, side - 10]. */
function windowMeans(picture: Float64Array, side: number): Float64Array {
  const inside = side - windowSide + 1
  const rows = new Float64Array(side * inside)
  const means = new Float64Array(inside * inside)
  for (let k = 0; k < windowSide; k++) {
    const weight = window[k]!
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < inside; x++) rows[y * inside + x]! += weight * picture[y * side + x + k]!
    }
  }
  for (let k = 0; k < windowSide; k++) {
    const weight = window[k]!
    for (let i = 0; i < means.length; i++) means[i]! += weight * rows[k * inside + i]!
  }
  return means
}
