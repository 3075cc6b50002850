// The picture around a synthetic person: the backdrop behind the person, and how the camera turns linear light into
// bytes (lens blur, sensor noise, contrast, tint and vignette).
import type { Random } from '../../util/random.ts'
import { clamp, gauss, hash, mix, noise2, power, smoothstep } from '../arithmetic.ts'
import { type Albedo, albedo } from './look.ts'

/** A picture that is larger than the frame, so that a moving camera never sees its edge. */
export interface Backdrop {
  readonly side: number
  /** [side, side, 3], linear. */
  readonly pixels: Float32Array
}

const walls = [
  '#cfcac2',
  '#a7a39c',
  '#7d7a76',
  '#e4e1da',
  '#4a4c50',
  '#26282c',
  '#b7c3cc',
  '#7f95a8',
  '#4d6379',
  '#c6b59c',
  '#93795c',
  '#5f4a38',
  '#d9c6b4',
  '#8a9a86',
  '#a5565a',
  '#3b4a63',
].map(albedo)

/** Paints a backdrop. */
export function paintBackdrop(random: Random, side: number): Backdrop {
  const pixels = new Float32Array(side * side * 3)
  const [first, second] = [random.pick(walls), random.pick(walls)]
  const seed = random.uint32() | 0
  const slant = random.between(-1, 1)
  const cloudy = random.uniform() < 0.5 ? random.between(0.1, 0.5) : 0.05
  const shapes = random.uniform() < 0.6 ? drawShapes(random) : []
  const blur = random.between(0.01, 0.09)
  const strength = random.between(0.5, 1)
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const [x, y] = [(2 * column) / side - 1, (2 * row) / side - 1]
      const t = clamp(0.5 + 0.35 * (y + slant * x) + cloudy * (noise2(x * 2.5, y * 2.5, 0, seed) - 0.5), 0, 1)
      const grain = 0.94 + 0.12 * noise2(x * 9, y * 9, 1, seed)
      const at = 3 * (row * side + column)
      for (let channel = 0; channel < 3; channel++) {
        let value = mix(first[channel]!, second[channel]!, t * strength)
        for (const { inside, colour } of shapes) value = mix(value, colour[channel]!, inside(x, y, blur))
        pixels[at + channel] = value * grain
      }
    }
  }
  return { side, pixels }
}

interface Shape {
  readonly colour: Albedo
  /** 0 outside to 1 inside. */
  inside(x: number, y: number, blur: number): number
}

function drawShapes(random: Random): Shape[] {
  return Array.from({ length: 2 + random.integer(6) }, () => {
    const [cx, cy] = [random.between(-1.1, 1.1), random.between(-1.1, 1.1)]
    const [w, h] = [random.between(0.08, 0.5), random.between(0.08, 0.7)]
    const isRound = random.uniform() < 0.35
    return {
      colour: random.pick(walls),
      inside: (x: number, y: number, blur: number) => {
        const [dx, dy] = [Math.abs(x - cx) / w, Math.abs(y - cy) / h]
        const out = isRound ? Math.sqrt(dx * dx + dy * dy) : Math.max(dx, dy)
        return 0.85 * smoothstep(1 + blur / Math.min(w, h), 1 - blur / Math.min(w, h), out)
      },
    }
  })
}

export interface Film {
  /** 0 sharp to 1: how much of each pixel comes from its neighbours. */
  readonly blur: number
  /** Deviation of the sensor's noise, in levels of 255. */
  readonly noise: number
  /** Bytes by linear light: 4,096 steps from 0 to 1.25, one table a channel. */
  readonly curves: readonly [Uint8Array, Uint8Array, Uint8Array]
  /** How much darker the corners are, 0 to 1. */
  readonly vignette: number
  readonly seed: number
}

const steps = 4096
const brightest = 1.25

/** Draws a camera's way with light. */
export function drawFilm(random: Random): Film {
  const contrast = random.between(0.94, 1.14)
  const lift = random.between(0, 0.02)
  const tint = [1 + 0.018 * gauss(random), 1, 1 + 0.022 * gauss(random)]
  const curve = (channel: number) =>
    Uint8Array.from({ length: steps }, (_, i) => {
      const light = (i / steps) * brightest * tint[channel]!
      // Highlights roll off instead of clipping.
      const soft = light < 0.7 ? light : 0.7 + (light - 0.7) / (1 + 1.2 * (light - 0.7))
      const shown = power(soft + 1e-4, 1 / 2.2)
      return Math.round(255 * clamp(lift + (1 - lift) * (0.5 + contrast * (shown - 0.5)), 0, 1))
    })
  return {
    blur: random.uniform() < 0.5 ? 0 : random.between(0.1, 0.7),
    noise: random.uniform() < 0.3 ? 0 : random.between(0.3, 3),
    curves: [curve(0), curve(1), curve(2)],
    vignette: random.uniform() < 0.5 ? 0 : random.between(0, 0.3),
    seed: random.uint32() | 0,
  }
}

/**
 * Develops a picture.
 *
 * @param light [side, side, 3], linear; it is blurred in place
 * @returns [side, side, 3]
 */
export function develop(light: Float32Array, side: number, film: Film, frame: number): Uint8Array {
  if (film.blur > 0) {
    blurAlong(light, side, 3, 3 * side, film.blur / 4)
    blurAlong(light, side, 3 * side, 3, film.blur / 4)
  }
  const bytes = new Uint8Array(light.length)
  const scale = steps / brightest
  const noisy = film.noise > 0
  let state = Math.floor(hash(frame, 1, 2, film.seed) * 0x1_0000_0000) | 1
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const x = (2 * column + 1) / side - 1
      const y = (2 * row + 1) / side - 1
      const fall = 1 - film.vignette * 0.5 * (x * x + y * y)
      const at = 3 * (row * side + column)
      for (let channel = 0; channel < 3; channel++) {
        const index = Math.floor(light[at + channel]! * fall * scale)
        let value = film.curves[channel]![index < 0 ? 0 : index >= steps ? steps - 1 : index]!
        if (noisy) {
          // xorshift32; the sum of its four bytes is near enough to normal: deviation 147.8.
          state ^= state << 13
          state ^= state >>> 17
          state ^= state << 5
          const sum = (state & 255) + ((state >>> 8) & 255) + ((state >>> 16) & 255) + (state >>> 24) - 510
          value = Math.round(value + (film.noise * sum) / 147.8)
        }
        bytes[at + channel] = Math.max(0, Math.min(255, value))
      }
    }
  }
  return bytes
}

/** Blends each pixel with its two neighbours along one axis. */
function blurAlong(light: Float32Array, side: number, step: number, line: number, part: number): void {
  for (let i = 0; i < side; i++) {
    for (let channel = 0; channel < 3; channel++) {
      let before = light[i * line + channel]!
      for (let k = 0; k < side; k++) {
        const at = i * line + k * step + channel
        const own = light[at]!
        const after = k + 1 < side ? light[at + step]! : own
        light[at] = own * (1 - 2 * part) + part * (before + after)
        before = own
      }
    }
  }
}
