import { describe, expect, it } from 'vitest'
import { likeness, mostPsnr, ssim } from '../../src/evaluate/generation.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'

const side = 16
const flat = (level: number) => new Uint8Array(side * side * 3).fill(level)

function noise(seed: number): Uint8Array {
  const random = new Random(seed)
  return Uint8Array.from({ length: side * side * 3 }, () => random.integer(256))
}

/** SSIM as the paper writes it down: one window at a time, with the two-dimensional Gaussian. */
function plainSsim(a: Float64Array, b: Float64Array): number {
  const weights = Array.from({ length: 121 }, (_, i) => {
    return Math.exp(-(((i % 11) - 5) ** 2 + (Math.floor(i / 11) - 5) ** 2) / (2 * 1.5 ** 2))
  })
  const total = weights.reduce((sum, w) => sum + w, 0)
  const values: number[] = []
  for (let y = 0; y + 11 <= side; y++) {
    for (let x = 0; x + 11 <= side; x++) {
      const sum = (of: (i: number) => number) =>
        weights.reduce(
          (all, w, i) => all + (w / total) * of((y + Math.floor(i / 11)) * side + x + (i % 11)),
          0,
        )
      const [ma, mb] = [sum((i) => a[i]!), sum((i) => b[i]!)]
      const va = sum((i) => (a[i]! - ma) ** 2)
      const vb = sum((i) => (b[i]! - mb) ** 2)
      const cov = sum((i) => (a[i]! - ma) * (b[i]! - mb))
      const [c1, c2] = [6.5025, 58.5225]
      values.push(((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma ** 2 + mb ** 2 + c1) * (va + vb + c2)))
    }
  }
  return values.reduce((all, v) => all + v, 0) / values.length
}

describe('likeness', () => {
  it('is perfect for equal pictures', () => {
    const same = likeness(noise(1), noise(1))
    expect(same).toMatchObject({ l1: 0, psnr: mostPsnr })
    expect(same.ssim).toBeCloseTo(1, 12)
  })

  it('has the values of a hand calculation for two flat greys', () => {
    const { l1, psnr, ssim: s } = likeness(flat(100), flat(151))
    expect(l1).toBeCloseTo(0.2, 12)
    // 20 log10(255 / 51)
    expect(psnr).toBeCloseTo(13.9794, 4)
    // Only the luminance term is left: (2 p q + c1) / (p² + q² + c1)
    expect(s).toBeCloseTo((2 * 100 * 151 + 6.5025) / (100 ** 2 + 151 ** 2 + 6.5025), 9)
  })

  it('averages over all channels', () => {
    const red = flat(0).map((_, i) => (i % 3 === 0 ? 255 : 0))
    const { l1, psnr } = likeness(red, flat(0))
    expect(l1).toBeCloseTo(1 / 3, 12)
    expect(psnr).toBeCloseTo(10 * Math.log10(3), 9)
  })

  it('refuses pictures of two sizes, and ones under the window', () => {
    expect(() => likeness(flat(0), new Uint8Array(3))).toThrow(InputError)
    expect(() => likeness(new Uint8Array(300), new Uint8Array(300))).toThrow(/too small for SSIM/)
  })
})

describe('ssim', () => {
  const plane = (pixels: Uint8Array) => Float64Array.from(pixels.subarray(0, side * side))

  it('agrees with the formula of the paper, window by window', () => {
    const a = plane(noise(2))
    const b = a.map((v, i) => Math.min(255, v * 0.8 + (i % 7) * 5))
    expect(ssim(a, b, side)).toBeCloseTo(plainSsim(a, b), 9)
    expect(ssim(a, plane(noise(3)), side)).toBeLessThan(0.2)
  })
})
