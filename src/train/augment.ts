// Random changes of pictures that are trained on: warps, colours, mirror images, and blends of two.
import { createWarp, drawWarpNumbers, type WarpOptions, warpPixels } from '../evaluate/warp.ts'
import type { Random } from '../util/random.ts'

/** Numbers of `n` warps in float32: `theta` [n, 2, 3] and `spline` [n, points², 1], flat. */
export function drawTransform(random: Random, n: number, options: WarpOptions) {
  const { theta, spline } = drawWarpNumbers(random, n, options)
  return { theta: Float32Array.from(theta), spline: Float32Array.from(spline) }
}

/** Mirrors RGB [size, size, 3] left to right, in place. */
export function mirror(frame: Uint8Array, size: number): void {
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size >> 1; x++) {
      const left = (y * size + x) * 3
      const right = (y * size + size - 1 - x) * 3
      for (let c = 0; c < 3; c++) {
        const kept = frame[left + c]!
        frame[left + c] = frame[right + c]!
        frame[right + c] = kept
      }
    }
  }
}

/** Weights of red, green and blue in the grey that saturation is measured from (ITU-R BT.601). */
const luma = [0.299, 0.587, 0.114]

/** Whether pairs get other colours. */
export const recolours = ({
  colour,
  tint = 0,
}: {
  readonly colour: number
  readonly tint?: number | undefined
}): boolean => colour > 0 || tint > 0

/**
 * A change of colours [3, 4], a matrix and an offset for values in [0, 1]: of the saturation around grey, then of the
 * contrast around the middle, then of the brightness, and at last of hues and of the light's colour.
 *
 * @param amount largest change of saturation and contrast as a part of 1, and twice that of brightness; 0 is no change
 * @param tint largest change of hues, in thirds of a half turn, and of the logarithm of each channel's light. A quarter of
 * it is the part of changes that take all colours away.
 */
export function drawColour(random: Random, amount: number, tint = 0): number[] {
  const colour = drawShade(random, amount)
  return tint === 0 ? colour : tinted(colour, random, tint)
}

function drawShade(random: Random, amount: number): number[] {
  if (amount === 0) return [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
  const saturation = 1 + random.between(-amount, amount)
  const contrast = 1 + random.between(-amount, amount)
  const brightness = random.between(-amount, amount) / 2
  const offset = 0.5 - 0.5 * contrast + brightness
  return [0, 1, 2].flatMap((row) => [
    ...luma.map(
      (weight, column) => contrast * ((row === column ? saturation : 0) + (1 - saturation) * weight),
    ),
    offset,
  ])
}

/** A change of colours, followed by one of hues (a turn around the axis of greys) and of light. */
function tinted(colour: readonly number[], random: Random, tint: number): number[] {
  const angle = (random.between(-tint, tint) * Math.PI) / 3
  const light = [0, 1, 2].map(() => Math.exp(random.between(-tint, tint)))
  const isGrey = random.uniform() < tint / 4
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const turn = (row: number, column: number) => {
    if (isGrey) return luma[column]!
    // Rodrigues' formula, around (1, 1, 1).
    const side = (column - row + 3) % 3
    return (1 - cos) / 3 + (side === 0 ? cos : (side === 1 ? -1 : 1) * (sin / Math.sqrt(3)))
  }
  return [0, 1, 2].flatMap((row) =>
    [0, 1, 2, 3].map((column) => {
      const turned = [0, 1, 2].reduce((sum, i) => sum + turn(row, i) * colour[4 * i + column]!, 0)
      return (isGrey ? 1 : light[row]!) * turned
    }),
  )
}

/** How variants of a picture differ from it. */
export interface VariantOptions {
  readonly transform: WarpOptions
  /** Largest change of brightness, contrast and saturation, each as a part of 1. */
  readonly colour: number
}

/**
 * A variant of a picture, which a teacher labels: mirrored in half of the cases, warped as for equivariance, with changed
 * colours.
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
 * A blend of two pictures with a random weight. Blends and long schedules teach a student best to compute the teacher's
 * function (Beyer et al. 2022, "Knowledge distillation: A good teacher is patient and consistent", section 3).
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
