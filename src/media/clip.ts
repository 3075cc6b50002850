// A clip: frames that are read as a stream, whatever they come from.
import { InputError } from '../util/errors.ts'
import type { Frame } from './frame.ts'

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
