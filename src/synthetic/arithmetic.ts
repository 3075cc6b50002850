// Arithmetic and plane geometry that every machine rounds alike. Math.sin, Math.pow and Math.exp may differ in their
// last bit between engines, and a synthetic clip must have the same pixels everywhere.
import type { Random } from '../util/random.ts'

/** About a standard normal number: the sum of twelve uniform ones less six, never beyond 6 in size. */
export function gauss(random: Random): number {
  let sum = -6
  for (let i = 0; i < 12; i++) sum += random.uniform()
  return sum
}

/** `x` held to `low` to `high`. */
export const clamp = (x: number, low: number, high: number): number => Math.max(low, Math.min(high, x))

/** From `a` at t = 0 to `b` at t = 1. */
export const mix = (a: number, b: number, t: number): number => a + (b - a) * t

/** 0 below `from`, 1 above `to`, and a smooth rise between them (3t^2 - 2t^3). */
export function smoothstep(from: number, to: number, x: number): number {
  const t = clamp((x - from) / (to - from), 0, 1)
  return t * t * (3 - 2 * t)
}

/** e to the power of `x`, for x from -20 to 20, within 1e-7 of its value. */
export function exp(x: number): number {
  // (1 + r + r^2/2 + ...)^1024, with r so small that five terms are enough.
  const r = x / 1024
  let y = 1 + r * (1 + (r / 2) * (1 + (r / 3) * (1 + r / 4)))
  for (let i = 0; i < 10; i++) y *= y
  return y
}

/** Natural logarithm of `x` over 0, by Newton's method on `exp`. */
export function log(x: number): number {
  // Halves and doubles until x is near 1, where the series of artanh is short.
  let m = x
  let halvings = 0
  for (; m > 1.5; halvings++) m /= 2
  for (; m < 0.75; halvings--) m *= 2
  const t = (m - 1) / (m + 1)
  const s = t * t
  const near = 2 * t * (1 + s * (1 / 3 + s * (1 / 5 + s * (1 / 7 + s * (1 / 9 + s / 11)))))
  return near + halvings * Math.LN2
}

/** `x` to the power of `y`, for x over 0. */
export const power = (x: number, y: number): number => exp(y * log(x))

/** A number in [0, 1) from three whole numbers and a seed. */
export function hash(x: number, y: number, z: number, seed: number): number {
  let h = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1) ^ Math.imul(z, 0x3c6ef372) ^ seed
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return ((h ^ (h >>> 16)) >>> 0) / 0x1_0000_0000
}

/** Value noise in [0, 1): hashes at whole places, smooth between them. */
export function noise(x: number, y: number, z: number, seed: number): number {
  const i = Math.floor(x)
  const j = Math.floor(y)
  const k = Math.floor(z)
  const fx = x - i
  const fy = y - j
  const fz = z - k
  const u = fx * fx * (3 - 2 * fx)
  const v = fy * fy * (3 - 2 * fy)
  const w = fz * fz * (3 - 2 * fz)
  const a = mix(hash(i, j, k, seed), hash(i + 1, j, k, seed), u)
  const b = mix(hash(i, j + 1, k, seed), hash(i + 1, j + 1, k, seed), u)
  const c = mix(hash(i, j, k + 1, seed), hash(i + 1, j, k + 1, seed), u)
  const d = mix(hash(i, j + 1, k + 1, seed), hash(i + 1, j + 1, k + 1, seed), u)
  return mix(mix(a, b, v), mix(c, d, v), w)
}

/** Two octaves of `noise`, in [0, 1). */
export const noise2 = (x: number, y: number, z: number, seed: number): number =>
  (2 * noise(x, y, z, seed) + noise(2 * x + 7, 2 * y + 3, 2 * z + 5, seed ^ 0x5bd1e995)) / 3

/** Rotation, uniform scale and shift: (x, y) goes to (a x - b y + tx, b x + a y + ty). */
export interface Similarity {
  readonly a: number
  readonly b: number
  readonly tx: number
  readonly ty: number
}

/** A position. */
export type Point = readonly [x: number, y: number]

/** Rotates by `angle` radians (clockwise on a screen) and scales about (0, 0), then moves to (x, y). */
export function place(x: number, y: number, angle = 0, scale = 1): Similarity {
  return { a: scale * cos(angle), b: scale * sin(angle), tx: x, ty: y }
}

/** Applies `inner`, then `outer`. */
export function compose(outer: Similarity, inner: Similarity): Similarity {
  const [tx, ty] = apply(outer, inner.tx, inner.ty)
  return {
    a: outer.a * inner.a - outer.b * inner.b,
    b: outer.b * inner.a + outer.a * inner.b,
    tx,
    ty,
  }
}

/** The image of (x, y). */
export function apply({ a, b, tx, ty }: Similarity, x: number, y: number): Point {
  return [a * x - b * y + tx, b * x + a * y + ty]
}

/** The inverse. */
export function invert({ a, b, tx, ty }: Similarity): Similarity {
  const square = a * a + b * b
  const [ia, ib] = [a / square, -b / square]
  return { a: ia, b: ib, tx: -(ia * tx - ib * ty), ty: -(ib * tx + ia * ty) }
}

/** The factor by which lengths grow. */
export function scaleOf({ a, b }: Similarity): number {
  return Math.sqrt(a * a + b * b)
}

const fullTurn = 2 * Math.PI

/** Sine of an angle in radians, within 1e-9, from additions and multiplications alone. */
export function sin(angle: number): number {
  let x = angle / fullTurn
  x -= Math.floor(x + 0.5)
  // Fold to a quarter turn, where the series is short.
  if (x > 0.25) x = 0.5 - x
  else if (x < -0.25) x = -0.5 - x
  const r = x * fullTurn
  const s = r * r
  const tail = 1 - (s / 110) * (1 - s / 156)
  return r * (1 - (s / 6) * (1 - (s / 20) * (1 - (s / 42) * (1 - (s / 72) * tail))))
}

/** Cosine of an angle in radians, within 1e-9. */
export function cos(angle: number): number {
  return sin(angle + fullTurn / 4)
}
