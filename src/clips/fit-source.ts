import { createFitter, type FitMode, type Fitter, type Square } from '../media/fit.ts'
import { assertAtLeast, type Frame } from '../media/frame.ts'
import { isPicture } from '../media/picture.ts'
import { subjectCrop } from '../media/subject.ts'
import { openClip, readSource } from './source.ts'

/** A picture to animate, as seen by a network of `size` pixels. */
export interface FittedPicture {
  /** RGB [size, size, 3]. */
  readonly pixels: Uint8Array
  readonly fitter: Fitter
}

/**
 * Reads and fits what is to be animated. A picture is cropped in its middle, the first frame of a video
 * around what moves in it.
 *
 * @param source a picture, the path of one or of a video, or `puppet:SEED`.
 * @throws InputError if it cannot be read, or is smaller than `size`.
 */
export async function fitSource(source: string | Frame, size: number, mode: FitMode): Promise<FittedPicture> {
  const frame = typeof source === 'string' ? await readSource(source) : source
  assertAtLeast(frame, size, typeof source === 'string' ? source : 'the source picture')
  const crop = mode === 'crop' && typeof source === 'string' ? await movingCrop(source, frame) : undefined
  const fitter = createFitter(frame, size, { mode, ...(crop === undefined ? {} : { crop }) })
  return { pixels: fitter(frame), fitter }
}

/** The crop that the clip of this name gets; undefined where there is nothing to choose, or no clip. */
async function movingCrop(source: string, { width, height }: Frame): Promise<Square | undefined> {
  if (width === height || (await isPicture(source))) return undefined
  const clip = await openClip(source)
  try {
    return await subjectCrop(clip)
  } finally {
    await clip.close()
  }
}
