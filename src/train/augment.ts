// Random changes of pictures that are trained on: warps, colours, mirror images, blends of two, and what cameras, light and
// faces do.
import { createWarp, drawWarpNumbers, type WarpOptions, warpPixels } from '../evaluate/warp.ts'
import { mix } from '../synthetic/arithmetic.ts'
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

/** Width in squares of the grids that smooth fields are drawn on, at most. */
const mostSquares = 5
/** Pixels between the places at which a smooth field is computed; between them it is read linearly. */
const fieldStep = 4

/** A smooth random field over a picture: a uniform cubic B-spline on a grid of normal numbers. By pixel. */
function drawField(random: Random, size: number, squares: number, deviation: number) {
  const knots = squares + 3
  const values = Float32Array.from({ length: knots ** 2 }, () => deviation * random.normal())
  const across = Math.ceil((size - 1) / fieldStep) + 1
  const field = new Float32Array(across ** 2)
  const shares = Array.from({ length: across }, (_, i) => {
    const place = Math.min((i * fieldStep * squares) / (size - 1), squares - 1e-6)
    return { first: Math.floor(place), of: splineShares(place % 1) }
  })
  shares.forEach((y, row) => {
    shares.forEach((x, column) => {
      let sum = 0
      for (let j = 0; j < 4; j++) {
        for (let i = 0; i < 4; i++) sum += y.of[j]! * x.of[i]! * values[(y.first + j) * knots + x.first + i]!
      }
      field[row * across + column] = sum
    })
  })
  return (x: number, y: number): number => {
    // A picture has many pixels: nothing is allocated for one.
    const u = Math.max(0, Math.min(across - 1.001, x / fieldStep))
    const v = Math.max(0, Math.min(across - 1.001, y / fieldStep))
    const left = Math.floor(u)
    const top = Math.floor(v)
    const fx = u - left
    const fy = v - top
    const at = top * across + left
    const above = field[at]! * (1 - fx) + field[at + 1]! * fx
    const below = field[at + across]! * (1 - fx) + field[at + across + 1]! * fx
    return above * (1 - fy) + below * fy
  }
}

/** Shares of four neighbouring knots of a uniform cubic B-spline, `t` of the way from the second to the third. */
const splineShares = (t: number): readonly number[] => [
  (1 - t) ** 3 / 6,
  (3 * t ** 3 - 6 * t ** 2 + 4) / 6,
  (-3 * t ** 3 + 3 * t ** 2 + 3 * t + 1) / 6,
  t ** 3 / 6,
]

/**
 * Changes one picture as faces, light and cameras differ, in place: a smooth warp, blur or sharpening, uneven light, another curve
 * of brightness, grain, and soft spots in front. Points go with the warp. A detector that finds its points in all of that finds
 * them on faces that no training has shown (Tobin et al. 2017, "Domain randomization"). Two frames of a pair change by
 * themselves, so that it is for losses on keypoints alone.
 *
 * @param pixels RGB [size, size, 3]
 * @param points [points, 3] as x, y in [-1, 1] and a weight, which becomes 0 for what leaves the picture
 * @param amount 0 changes nothing, 1 is the most
 */
export function varyPicture(
  random: Random,
  pixels: Uint8Array,
  size: number,
  points: Float32Array,
  amount: number,
): void {
  if (random.uniform() < 0.7) warpFace(random, pixels, size, points, 0.035 * amount * random.uniform())
  soften(random, pixels, size, amount)
  lightAgain(random, pixels, size, amount)
  for (let spots = random.integer(4); spots > 0; spots--) addSpot(random, pixels, size, amount)
}

/** @param deviation of each knot's shift, in parts of the picture */
function warpFace(
  random: Random,
  pixels: Uint8Array,
  size: number,
  points: Float32Array,
  deviation: number,
): void {
  const squares = 3 + random.integer(mostSquares - 2)
  const [dx, dy] = [0, 1].map(() => drawField(random, size, squares, 2 * deviation)) as [Field, Field]
  const pixel = (coordinate: number) => ((coordinate + 1) / 2) * (size - 1)
  const point = (x: number, y: number) => {
    const [px, py] = [pixel(x), pixel(y)]
    return [x + dx(px, py), y + dy(px, py)] as const
  }
  pixels.set(warpPixels(pixels, size, { point }))
  for (let at = 0; at < points.length; at += 3) {
    const [fromX, fromY] = [points[at]!, points[at + 1]!]
    // The warp says where a pixel comes from. Where a point goes is its inverse, by repeated correction.
    let [x, y] = [fromX, fromY]
    for (let i = 0; i < 6; i++) {
      const [nowX, nowY] = point(x, y)
      ;[x, y] = [x + fromX - nowX, y + fromY - nowY]
    }
    points[at] = x
    points[at + 1] = y
    if (Math.max(Math.abs(x), Math.abs(y)) > 1) points[at + 2] = 0
  }
}

type Field = ReturnType<typeof drawField>

/** Blurs a third of pictures, and sharpens a third. */
function soften(random: Random, pixels: Uint8Array, size: number, amount: number): void {
  const kind = random.integer(3)
  if (kind === 0) return
  const blurs = kind === 1
  const part = amount * (blurs ? random.between(0.3, 1) : -random.between(0.2, 1.2))
  const soft = boxBlurred(
    boxBlurred(Float32Array.from(pixels), size, 1 + random.integer(blurs ? 3 : 2)),
    size,
    1,
  )
  const clamped = new Uint8ClampedArray(pixels.buffer, pixels.byteOffset, pixels.length)
  for (let i = 0; i < pixels.length; i++) clamped[i] = pixels[i]! + part * (soft[i]! - pixels[i]!)
}

/** Means over squares of 2 `radius` + 1 pixels; beyond the picture its edge goes on. */
function boxBlurred(pixels: Float32Array, size: number, radius: number): Float32Array {
  let from = pixels
  for (const [step, line] of [
    [3, 3 * size],
    [3 * size, 3],
  ] as const) {
    const to = new Float32Array(from.length)
    for (let start = 0; start < size; start++) {
      for (let c = 0; c < 3; c++) {
        const first = start * line + c
        const last = first + (size - 1) * step
        let sum = (radius + 1) * from[first]!
        for (let i = 1; i <= radius; i++) sum += from[first + i * step]!
        for (let at = first; at <= last; at += step) {
          to[at] = sum / (2 * radius + 1)
          sum += from[Math.min(last, at + (radius + 1) * step)]! - from[Math.max(first, at - radius * step)]!
        }
      }
    }
    from = to
  }
  return from
}

/** Uneven light, another curve of brightness, and grain. */
function lightAgain(random: Random, pixels: Uint8Array, size: number, amount: number): void {
  const light = drawField(random, size, 2 + random.integer(mostSquares - 2), random.between(0, 0.5 * amount))
  const gamma = Math.exp(random.between(-0.45, 0.45) * amount)
  const curve = Float32Array.from({ length: 256 }, (_, i) => 255 * (i / 255) ** gamma)
  const grain = random.uniform() < 0.5 ? 0 : random.between(0, 10) * amount
  const clamped = new Uint8ClampedArray(pixels.buffer, pixels.byteOffset, pixels.length)
  for (let y = 0, at = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const lit = Math.exp(light(x, y))
      const speck = grain === 0 ? 0 : grain * (random.uniform() + random.uniform() - 1)
      for (let c = 0; c < 3; c++, at++) clamped[at] = curve[pixels[at]!]! * lit + speck
    }
  }
}

/** A soft spot of any colour: something in front, a shine, make-up. */
function addSpot(random: Random, pixels: Uint8Array, size: number, amount: number): void {
  const [left, top] = [random.between(0, size), random.between(0, size)]
  const [width, height] = [random.between(0.02, 0.12) * size, random.between(0.02, 0.12) * size]
  const opaque = random.between(0.1, 0.8) * amount
  const colour = [0, 1, 2].map(() => random.between(0, 255))
  for (let y = Math.max(0, Math.floor(top - height)); y < Math.min(size, top + height); y++) {
    for (let x = Math.max(0, Math.floor(left - width)); x < Math.min(size, left + width); x++) {
      const inside = 1 - Math.hypot((x - left) / width, (y - top) / height)
      const share = opaque * Math.max(0, Math.min(1, 3 * inside))
      const at = 3 * (y * size + x)
      for (let c = 0; c < 3; c++) pixels[at + c] = Math.round(mix(pixels[at + c]!, colour[c]!, share))
    }
  }
}
