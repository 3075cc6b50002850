// From linear light to the bytes of a picture: lens blur, sensor noise, contrast, tint and vignette.

import type { Random } from '../../util/random.ts'
import { clamp, gauss, hash, power } from './numbers.ts'

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
