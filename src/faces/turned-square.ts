// The pixels of a square that may be turned and may reach beyond the picture, as a network sees them.
import type { Pixels } from '../media/sample-pixels.ts'
import type { FaceSquare } from './box.ts'

/** Samples along each side of a pixel, at most. */
const mostSamples = 6

/**
 * The square as planes. Beyond the picture, its edge goes on.
 *
 * @returns [3, size, size] in [0, 1]
 */
export function turnedSquare(picture: Pixels, square: FaceSquare, size: number): Float32Array<ArrayBuffer> {
  const { width, height, data } = picture
  const { x: cx, y: cy, side, angle } = square
  const step = side / size
  // A pixel that covers several of the picture's is their mean.
  const samples = Math.min(mostSamples, Math.max(1, Math.round(step)))
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const area = size * size
  const out = new Float32Array(3 * area)
  const scale = 1 / (255 * samples * samples)
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      let [r, g, b] = [0, 0, 0]
      for (let sample = 0; sample < samples * samples; sample++) {
        const u = (column + ((sample % samples) + 0.5) / samples) * step - side / 2
        const v = (row + (Math.floor(sample / samples) + 0.5) / samples) * step - side / 2
        const x = clamp(cx + cos * u - sin * v - 0.5, width - 1)
        const y = clamp(cy + sin * u + cos * v - 0.5, height - 1)
        const [left, top] = [Math.floor(x), Math.floor(y)]
        const [fx, fy] = [x - left, y - top]
        const at = 3 * (top * width + left)
        const right = left + 1 < width ? 3 : 0
        const below = top + 1 < height ? 3 * width : 0
        const [w00, w01, w10, w11] = [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy]
        r +=
          w00 * data[at]! +
          w01 * data[at + right]! +
          w10 * data[at + below]! +
          w11 * data[at + right + below]!
        g +=
          w00 * data[at + 1]! +
          w01 * data[at + right + 1]! +
          w10 * data[at + below + 1]! +
          w11 * data[at + right + below + 1]!
        b +=
          w00 * data[at + 2]! +
          w01 * data[at + right + 2]! +
          w10 * data[at + below + 2]! +
          w11 * data[at + right + below + 2]!
      }
      const to = row * size + column
      out[to] = r * scale
      out[area + to] = g * scale
      out[2 * area + to] = b * scale
    }
  }
  return out
}

const clamp = (value: number, most: number) => Math.max(0, Math.min(value, most))
