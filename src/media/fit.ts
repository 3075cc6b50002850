import { InputError } from '../util/errors.ts'
import type { Frame } from './frame.ts'
import { createResampler, type Window } from './resample.ts'

/**
 * How a picture becomes square: `crop` keeps the square around its subject, `letterbox` keeps the whole
 * picture between bars of the mean grey.
 */
export const fitModes = ['crop', 'letterbox'] as const
export type FitMode = (typeof fitModes)[number]

/** Turns frames of one size into square ones. */
export interface Fitter {
  /** Pixels a side of the result. */
  readonly size: number
  /** The part of the frame that is seen, in its pixels. */
  readonly window: Window
  /** RGB [size, size, 3], the caller's to keep. @throws InputError if the frame has another size. */
  (frame: Frame): Uint8Array
}

/**
 * Prepares the fit of all frames of one size.
 *
 * @param from width and height of the frames to come.
 * @param size pixels a side of the square.
 * @param options.mode default `crop`.
 * @param options.crop the square to keep, for `crop`; default the middle one. See `subjectCrop`.
 */
export function createFitter(
  from: { readonly width: number; readonly height: number },
  size: number,
  options: { readonly mode?: FitMode; readonly crop?: Square } = {},
): Fitter {
  const { width, height } = from
  const window =
    options.mode === 'letterbox'
      ? { left: 0, top: 0, width, height }
      : squareWindow(from, options.crop ?? middleSquare(from))
  const long = Math.max(window.width, window.height)
  const shown = {
    width: Math.max(1, Math.round((size * window.width) / long)),
    height: Math.max(1, Math.round((size * window.height) / long)),
  }
  // Frames of the right size are the most frequent, and resampling them would cost as much as decoding.
  const asTheyAre = width === size && height === size
  const resample = asTheyAre ? (data: Uint8Array) => data.slice() : createResampler(from, window, shown)
  const fit = (frame: Frame): Uint8Array => {
    if (frame.width !== width || frame.height !== height) {
      throw new InputError({
        what: 'a frame has another size than the ones before',
        got: `${frame.width} x ${frame.height}`,
        expected: `${width} x ${height}`,
      })
    }
    const pixels = resample(frame.data)
    return shown.width === size && shown.height === size ? pixels : addBars(pixels, shown, size)
  }
  return Object.assign(fit, { size, window })
}

/** A square part of a picture, in pixels. */
export interface Square {
  readonly left: number
  readonly top: number
  readonly side: number
}

/** The largest square in the middle. */
export function middleSquare({ width, height }: { readonly width: number; readonly height: number }): Square {
  const side = Math.min(width, height)
  return { left: Math.floor((width - side) / 2), top: Math.floor((height - side) / 2), side }
}

function squareWindow(from: { readonly width: number; readonly height: number }, square: Square): Window {
  const { left, top, side } = square
  if (left < 0 || top < 0 || side < 1 || left + side > from.width || top + side > from.height) {
    throw new InputError({
      what: 'the crop is not within the picture',
      got: `${side} pixels a side at (${left}, ${top})`,
      expected: `within ${from.width} x ${from.height}`,
    })
  }
  return { left, top, width: side, height: side }
}

function addBars(pixels: Uint8Array, shown: { width: number; height: number }, size: number): Uint8Array {
  const out = new Uint8Array(size * size * 3).fill(128)
  const left = Math.floor((size - shown.width) / 2)
  const top = Math.floor((size - shown.height) / 2)
  for (let y = 0; y < shown.height; y++) {
    const row = pixels.subarray(y * shown.width * 3, (y + 1) * shown.width * 3)
    out.set(row, ((top + y) * size + left) * 3)
  }
  return out
}
