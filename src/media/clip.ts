// Frames and clips: a frame is 8-bit RGB pixels with a time, a clip is frames that are read as a stream.
import { fileWord, InputError } from '../util/errors.ts'

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
  /** Set if the frame cannot be decoded: its pixels are those of the nearest frame before it. */
  readonly damaged?: true
}

/** @throws InputError if a frame has not 3 bytes for each of its pixels, such as RGBA of a canvas. */
export function assertFrame({ width, height, data }: Pick<Frame, 'width' | 'height' | 'data'>): void {
  const isSize = [width, height].every((side) => Number.isInteger(side) && side >= 1)
  if (isSize && data.length === width * height * 3) return
  throw new InputError({
    what: 'a frame has not three bytes for each of its pixels',
    got: `${data.length} bytes for ${width} x ${height}`,
    expected: isSize ? `${width * height * 3}: red, green and blue` : 'at least 1 x 1',
    ...(data.length === width * height * 4 &&
      isSize && { remedy: 'leave out every fourth byte, which is alpha' }),
  })
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
 * Most pixels of a picture, or of a frame of a video. A file of a few kilobytes may claim any size, and could fill the memory.
 * 100 megapixels are 300 MB of RGB.
 */
export const mostPixels = 100_000_000

/** Most pixels along a side of a frame of a video. */
const longestSide = 32_768

/**
 * Refuses a video whose frames would fill the memory.
 *
 * @param sizes of a frame in pixels, as it is stored and as it is shown
 * @throws InputError for a size below 1, over 100 megapixels, or over 32768 along a side
 */
export function assertFrameSize(
  where: string,
  sizes: Readonly<Record<'stored' | 'shown', readonly [width: number, height: number]>>,
): void {
  const bad = Object.entries(sizes).find(
    ([, [width, height]]) =>
      !(
        Math.min(width, height) >= 1 &&
        Math.max(width, height) <= longestSide &&
        width * height <= mostPixels
      ),
  )
  if (bad === undefined) return
  const [kind, [width, height]] = bad
  throw new InputError({
    what: 'the frames of the video have a size that cannot be read',
    where,
    got: `${width} x ${height} pixels, as they are ${kind}`,
    expected: `at most ${mostPixels / 1e6} megapixels, and 1 to ${longestSide} pixels a side`,
    remedy: 'make the video smaller first; if it is not that large, its header is damaged',
  })
}

/** Most frames per second of a video without times of its own. Containers count milliseconds. */
export const mostRate = 1000

/** The command that makes a video readable, to be pasted. */
export const toMp4 = (path: string) =>
  `ffmpeg -i ${fileWord(path)} -c:v libx264 -crf 16 -pix_fmt yuv420p converted.mp4`

/** A note if a picture is smaller than what the network sees, and has to be enlarged. */
export function smallNotes(
  { width, height }: { readonly width: number; readonly height: number },
  size: number,
  where: string,
): string[] {
  if (Math.min(width, height) >= size) return []
  return [
    `${where}: enlarged from ${width} x ${height} pixels, because the model sees ${size} x ${size}; detail is missing`,
  ]
}

/** Frames from `fromFrame` (default 0) to just before `toFrame` (default: the end), every `step`th (default 1). */
export interface FrameRange {
  /** Number of the first frame (default 0). */
  readonly fromFrame?: number
  /** One more than the number of the last frame (default: to the end). */
  readonly toFrame?: number
  /** Distance between frames that are given (default 1). */
  readonly step?: number
}

/**
 * A moving picture that is read as a stream. It is never in memory as a whole, and frame i is always the same frame.
 * Every frame has its own pixels, which the reader may keep.
 */
export interface Clip<F extends Frame = Frame> {
  /** File name or spec that it was opened from, for messages. */
  readonly name: string
  /** Width in pixels as displayed: after rotation and pixel aspect ratio. */
  readonly width: number
  /** Height in pixels as displayed. */
  readonly height: number
  /** Frames per second; the average if the rate varies. */
  readonly frameRate: number
  /** Seconds. */
  readonly duration: number
  /** Number of frames, exact. */
  readonly frameCount: number
  /** Set if frames are not evenly spaced: frame i is not shown at i / frameRate. */
  readonly variableRate?: boolean
  /** What a user should know about the file, a sentence each. Reading may add some. */
  readonly notices?: readonly string[]
  /**
   * Decodes the frames of a range in order. If the loop ends early, the decoder is freed.
   *
   * @throws InputError if the range is empty or not within the clip, or a frame cannot be decoded.
   */
  frames(range?: FrameRange): AsyncGenerator<F, void, undefined>
  /** Closes the file. Frames that were read stay valid. Calling it again does no harm. */
  close(): Promise<void>
  /** Closes the clip at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void>
}

/** The frame numbers of a range, checked against the clip. @throws InputError */
export function resolveRange(clip: Pick<Clip, 'name' | 'frameCount'>, range: FrameRange = {}): number[] {
  const { fromFrame = 0, toFrame = clip.frameCount, step = 1 } = range
  const whole = [fromFrame, toFrame, step].every(Number.isInteger)
  if (!whole || fromFrame < 0 || toFrame > clip.frameCount || fromFrame >= toFrame || step < 1) {
    throw new InputError({
      what: 'there are no such frames',
      where: clip.name,
      got: `frames ${fromFrame} to ${toFrame}, step ${step}`,
      expected: `whole numbers, 0 <= from < to <= ${clip.frameCount}, step at least 1`,
    })
  }
  return Array.from({ length: Math.ceil((toFrame - fromFrame) / step) }, (_, i) => fromFrame + i * step)
}

/** One frame of a clip, decoded by itself. @throws InputError as `frames` does. */
export async function frameAt<F extends Frame>(clip: Clip<F>, index: number): Promise<F> {
  for await (const frame of clip.frames({ fromFrame: index, toFrame: index + 1 })) return frame
  throw new InputError({ what: `frame ${index} cannot be decoded`, where: clip.name })
}
