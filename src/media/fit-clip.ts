import type { Clip } from './clip.ts'
import { createFitter, type FitMode, type Fitter, type Square } from './fit.ts'
import { assertAtLeast } from './frame.ts'
import { subjectCrop } from './subject.ts'

/** Pictures and clips as the networks see them: square, and of one size. */

/**
 * The fit of a clip's frames: the square around what moves, or all of it between bars.
 *
 * @throws InputError if the clip is smaller than `size`, or cannot be decoded.
 */
export async function fitClip(clip: Clip, size: number, mode: FitMode): Promise<Fitter> {
  assertAtLeast(clip, size, clip.name)
  return createFitter(clip, size, { mode, ...(mode === 'crop' ? { crop: await subjectCrop(clip) } : {}) })
}

/**
 * The square of a clip's picture that keypoint coordinates span, in its pixels. For `letterbox` it reaches
 * over the picture: its bars. Its corner and side may be fractions.
 */
export function seenSquare({ window, size }: Fitter): Square {
  const { left, top, width, height } = window
  const side = Math.max(width, height)
  // Bars are whole pixels of the network, the odd one at the right or the bottom.
  const start = (length: number) => {
    const shown = Math.max(1, Math.round((size * length) / side))
    return length / 2 - ((Math.floor((size - shown) / 2) + shown / 2) * side) / size
  }
  return { left: left + start(width), top: top + start(height), side }
}

/**
 * From keypoint coordinates to pixels of the video: x = left + ((v + 1) / 2 * (size - 1) + 0.5) * side / size
 * - 0.5, where (0, 0) is the centre of the first pixel. Exact for `crop`; for `letterbox` within a quarter of
 * a pixel of the network, by which the picture between its bars is rounded.
 *
 * @param size pixels a side that the network sees.
 */
export function videoPosition(square: Square, size: number): (x: number, y: number) => [number, number] {
  const along = (v: number) => ((((v + 1) / 2) * (size - 1) + 0.5) * square.side) / size - 0.5
  return (x, y) => [square.left + along(x), square.top + along(y)]
}
