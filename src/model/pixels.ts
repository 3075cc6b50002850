// Conversion between pictures of bytes and the planes of numbers that networks take; square frames and their sizes.
import { type Tensor, tensor } from '../graph/tensor.ts'
import type { Frame } from '../media/clip.ts'
import { createResampler } from '../media/resample.ts'

/** RGB [size, size, 3], 0 to 255, as [1, 3, size, size] in [0, 1]. */
export function toPlanes(pixels: Uint8Array, size: number): Tensor<'float32'> {
  const area = size * size
  const planes = new Float32Array(3 * area)
  for (let i = 0, from = 0; i < area; i++, from += 3) {
    planes[i] = pixels[from]! / 255
    planes[area + i] = pixels[from + 1]! / 255
    planes[2 * area + i] = pixels[from + 2]! / 255
  }
  return tensor('float32', [1, 3, size, size], planes)
}

/** The inverse of `toPlanes`. Values are rounded and clipped to 0 to 255. */
export function fromPlanes(planes: Float32Array, size: number): Uint8Array {
  const area = size * size
  const pixels = new Uint8ClampedArray(3 * area)
  for (let i = 0, to = 0; i < area; i++, to += 3) {
    pixels[to] = 255 * planes[i]!
    pixels[to + 1] = 255 * planes[area + i]!
    pixels[to + 2] = 255 * planes[2 * area + i]!
  }
  return new Uint8Array(pixels.buffer)
}

/** A frame over the square picture RGB [side, side, 3], which is not copied. Times are in seconds. */
export function squareFrame(data: Uint8Array, time = 0, duration = 0): Frame {
  const side = Math.round(Math.sqrt(data.length / 3))
  return { width: side, height: side, data, time, duration }
}

/** The frame at another size in pixels. Shrinking takes the mean of the pixels covered; growing is bilinear. */
export function resized(frame: Frame, width: number, height = width): Frame {
  if (frame.width === width && frame.height === height) return frame
  const whole = { left: 0, top: 0, width: frame.width, height: frame.height }
  return { ...frame, width, height, data: createResampler(frame, whole, { width, height })(frame.data) }
}
