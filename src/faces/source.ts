// A picture to animate, read by its name and fitted: around its face, around what moves in its video, or in the middle.
import { openClip, readSource } from '../clips/source.ts'
import type { Frame } from '../media/clip.ts'
import type { FitMode, Fitter } from '../media/fit.ts'
import { isPicture } from '../media/picture.ts'
import { type Framed, type Framing, frameClip, framePicture } from './framing.ts'
import { type CropOptions, framingOf } from './node.ts'

/** A picture to animate, as the square that a network sees. */
export interface FittedPicture {
  /** The whole picture. */
  readonly picture: Frame
  /** RGB [size, size, 3]. */
  readonly pixels: Uint8Array
  /** The fit that was applied. */
  readonly fitter: Fitter
  /** The square that was kept, and what decided it. */
  readonly framing: Framing
}

/**
 * Reads and fits a picture to animate. Around a face, if there is one. Otherwise a picture is cropped to its middle, and the
 * first frame of a video to what moves in the video.
 *
 * @param source a frame, or a spec as for `readSource`.
 * @param size side of the square in pixels. A smaller square is enlarged.
 * @throws InputError if it cannot be read, or lacks the face that is asked for.
 */
export async function fitSource(
  source: string | Frame,
  size: number,
  mode: FitMode,
  options: Omit<CropOptions, 'fit'> = {},
): Promise<FittedPicture> {
  const { signal } = options
  const picture = typeof source === 'string' ? await readSource(source, { signal }) : source
  const { fitter, framing } = await frame(source, picture, size, mode, options)
  return { picture, pixels: fitter(picture), fitter, framing }
}

async function frame(
  source: string | Frame,
  picture: Frame,
  size: number,
  fit: FitMode,
  options: Omit<CropOptions, 'fit'>,
): Promise<Framed> {
  const { signal } = options
  const framing = framingOf({ fit, crop: 'auto' }, options)
  const where = typeof source === 'string' ? source : undefined
  const framed = await framePicture(picture, size, framing, where)
  // What moves in a video tells where its first frame has its subject.
  const isFallback = framed.framing.by === 'middle' && framing.crop !== 'middle'
  if (!isFallback || where === undefined || picture.width === picture.height || (await isPicture(where))) {
    return framed
  }
  const clip = await openClip(where, { signal })
  try {
    return await frameClip(clip, size, { ...framing, crop: 'motion' })
  } finally {
    await clip.close()
  }
}
