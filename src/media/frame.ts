// A frame: 8-bit RGB pixels with a time, and the positions of keypoints in it.
import { InputError } from '../util/errors.ts'

/** A picture in time: 8-bit sRGB, 3 bytes per pixel, rows from the top, no padding. */
export interface Frame {
  /** Columns in pixels, at least 1. */
  readonly width: number
  /** Rows in pixels, at least 1. */
  readonly height: number
  /** [height, width, 3], red first. */
  readonly data: Uint8Array
  /** Seconds from the start of the clip; 0 for a still picture. */
  readonly time: number
  /** Seconds until the next frame; 0 for a still picture. */
  readonly duration: number
}

/** A still frame of one colour ([red, green, blue], 0 to 255), black by default. */
export function blankFrame(width: number, height: number, colour: Colour = [0, 0, 0]): Frame {
  const data = new Uint8Array(width * height * 3)
  for (let i = 0; i < data.length; i += 3) data.set(colour, i)
  return { width, height, data, time: 0, duration: 0 }
}

/** [red, green, blue], 0 to 255. */
export type Colour = readonly [number, number, number]

/** The colour at column x and row y, which must lie inside the frame. */
export function pixelAt(frame: Frame, x: number, y: number): Colour {
  const i = (y * frame.width + x) * 3
  return [frame.data[i]!, frame.data[i + 1]!, frame.data[i + 2]!]
}

/** A copy of a frame, to draw on. */
export function copyFrame(frame: Frame): Frame {
  return { ...frame, data: frame.data.slice() }
}

/**
 * Pixel position of a keypoint coordinate: -1 is the centre of the first pixel, 1 of the last.
 *
 * @param size pixels along this axis.
 */
export function toPixel(coordinate: number, size: number): number {
  return ((coordinate + 1) / 2) * (size - 1)
}

/** The inverse of `toPixel`; 0 for an axis of one pixel, which has only a centre. */
export function fromPixel(pixel: number, size: number): number {
  return size === 1 ? 0 : (2 * pixel) / (size - 1) - 1
}

/**
 * Peak signal to noise ratio of two frames of one size, in dB over all channels; Infinity if equal.
 *
 * @throws InputError if the sizes differ.
 */
export function framePsnr(a: Frame, b: Frame): number {
  if (a.width !== b.width || a.height !== b.height) {
    throw new InputError({
      what: 'only frames of one size can be compared',
      got: `${b.width} x ${b.height}`,
      expected: `${a.width} x ${a.height}`,
    })
  }
  let sum = 0
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i]! - b.data[i]!) ** 2
  return sum === 0 ? Infinity : 10 * Math.log10((255 ** 2 * a.data.length) / sum)
}

/**
 * Refuses a frame that is smaller than the input of a network: enlarging it would invent detail.
 *
 * @param size least width and height in pixels.
 * @param where file or clip of the frame, for the message.
 * @throws InputError
 */
export function assertAtLeast(
  frame: { readonly width: number; readonly height: number },
  size: number,
  where: string,
): void {
  if (Math.min(frame.width, frame.height) >= size) return
  throw new InputError({
    what: 'the picture is smaller than the network input',
    where,
    got: `${frame.width} x ${frame.height} pixels`,
    expected: `at least ${size} x ${size}`,
    remedy: 'use a larger picture or clip, or a network with a smaller input (--size)',
  })
}
