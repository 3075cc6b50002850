// Paints: colours by position. Prints of cloth, cut card, the grain of paper, and the press that makes card of prints.
import type { Random } from '../../util/random.ts'
import type { Paint, Rgb } from './canvas.ts'
import type { Character } from './character.ts'
import type { Shape } from './shapes.ts'

/** The colour at `t` of the way from `a` to `b`, by channel. */
export function mix(a: Rgb, b: Rgb, t: number): Rgb {
  const s = 1 - t
  const r = ((a >> 16) * s + (b >> 16) * t + 0.5) | 0
  const g = (((a >> 8) & 255) * s + ((b >> 8) & 255) * t + 0.5) | 0
  const blue = ((a & 255) * s + (b & 255) * t + 0.5) | 0
  return (r << 16) | (g << 8) | blue
}

/** A lighter (`gain` above 1) or darker colour. */
export function shadeOf(colour: Rgb, gain: number): Rgb {
  const channel = (value: number) => Math.min(255, (value * gain + 0.5) | 0)
  return (channel(colour >> 16) << 16) | (channel((colour >> 8) & 255) << 8) | channel(colour & 255)
}

/** One colour everywhere. */
export const plain =
  (colour: Rgb): Paint =>
  () =>
    colour

/** Bands of `period` across the direction (`nx`, `ny`); `soft` is the width of a pixel. */
export function stripes(a: Rgb, b: Rgb, period: number, soft: number, nx: number, ny: number): Paint {
  return (x, y) => {
    const phase = (x * nx + y * ny) / period
    return mix(a, b, step((triangle(phase) - 0.5) * period * 0.5, soft))
  }
}

/** Discs of `radius` on a staggered grid. */
export function dots(ground: Rgb, dot: Rgb, period: number, radius: number, soft: number): Paint {
  return (x, y) => {
    const row = Math.floor(y / period + 0.5)
    const shift = (row & 1) * 0.5
    const u = x / period + shift
    const dx = (u - Math.floor(u + 0.5)) * period
    const dy = y - row * period
    return mix(ground, dot, step(radius - Math.sqrt(dx * dx + dy * dy), soft))
  }
}

/** Lozenges, the harlequin's cloth. */
export function lozenges(a: Rgb, b: Rgb, period: number, soft: number): Paint {
  return (x, y) => {
    const u = triangle((x + y * 0.62) / period) - 0.5
    const v = triangle((x - y * 0.62) / period) - 0.5
    const edge = u > 0 === v > 0 ? 1 : -1
    return mix(a, b, step(edge * Math.min(Math.abs(u), Math.abs(v)) * period * 0.4, soft))
  }
}

/** Two crossing bands, woven. */
export function gingham(ground: Rgb, band: Rgb, period: number, soft: number): Paint {
  return (x, y) => {
    const u = step((triangle(x / period) - 0.5) * period * 0.5, soft)
    const v = step((triangle(y / period) - 0.5) * period * 0.5, soft)
    return mix(ground, band, (u + v) * 0.42)
  }
}

/** Coloured card, cut out: a pale rim along the cut, a slightly darker line, then the print. */
export function cutCard(print: Paint, rim: Rgb, width: number, soft: number): Paint {
  return (x, y, inside) => {
    const depth = step(inside - width, soft)
    if (depth === 0) return rim
    const fade = Math.min(Math.max((inside - width) / (width * 2.4), 0), 1)
    return mix(rim, shadeOf(print(x, y, inside), 0.86 + 0.14 * fade), depth)
  }
}

/** Smooth noise that repeats: the grain of paper. */
export class Grain {
  private static readonly size = 128
  private readonly values = new Float32Array(Grain.size * Grain.size)

  constructor(random: Random) {
    const fine = Float32Array.from({ length: this.values.length }, () => random.uniform() - 0.5)
    const mask = Grain.size - 1
    for (let y = 0; y < Grain.size; y++) {
      for (let x = 0; x < Grain.size; x++) {
        // A little blur, more along x: fibres.
        let sum = 0
        for (let k = -2; k <= 2; k++) sum += fine[y * Grain.size + ((x + k) & mask)]!
        sum += fine[((y + 1) & mask) * Grain.size + x]!
        this.values[y * Grain.size + x] = sum
      }
    }
  }

  /** A paint with grain of `strength` (0.05 is visible), with `fineness` cells per unit. */
  on(paint: Paint, strength: number, fineness: number): Paint {
    const mask = Grain.size - 1
    return (x, y, inside) => {
      const column = Math.floor(x * fineness) & mask
      const row = Math.floor(y * fineness) & mask
      return shadeOf(paint(x, y, inside), 1 + strength * this.values[row * Grain.size + column]!)
    }
  }
}

/** 0 to 1 to 0 over one period. */
export function triangle(phase: number): number {
  const t = phase - Math.floor(phase)
  return t < 0.5 ? 2 * t : 2 - 2 * t
}

/** Coverage of a pixel of width `soft` at signed distance `inside` from an edge. */
export function step(inside: number, soft: number): number {
  return Math.min(Math.max(inside / soft + 0.5, 0), 1)
}

/** One printed area of a part. */
export interface Layer {
  readonly shape: Shape
  readonly paint: Paint
}

/** A piece of card: its outline, which casts a shadow and hides what is behind it, and the prints on it. */
export interface Part {
  readonly outline: Shape
  readonly layers: readonly Layer[]
}

/** Width of the pale cut edge. */
const rimWidth = 0.011

/** Turns prints into cut card with paper grain; knows the size of a pixel. */
export interface Press {
  /** A piece of card with a cut rim. */
  readonly card: (shape: Shape, print: Paint) => Layer
  /** A print on card, without a rim. */
  readonly print: (shape: Shape, paint: Paint) => Layer
  readonly soft: number
}

/** @param size side of the picture in pixels: prints are as sharp as its pixels. */
export function createPress(character: Character, size: number, random: Random): Press {
  const soft = 2 / size
  const grain = new Grain(random)
  // In pictures whose pixels are larger than the grain, strong grain would flicker.
  const strength = 0.035 * Math.min(1, size / 256)
  const on = (paint: Paint) => grain.on(paint, strength, 120)
  const { rim } = character.palette
  return {
    card: (shape, print) => ({ shape, paint: on(cutCard(print, rim, rimWidth, soft)) }),
    print: (shape, paint) => ({ shape, paint: on(paint) }),
    soft,
  }
}
