// Which square of a picture a network sees, as users name it: `auto`, `face`, `motion`, `middle`, or `X,Y,W,H` in pixels.
import type { Square } from '../media/fit.ts'
import { InputError } from '../util/errors.ts'

/** A way to choose the square: by its name, or a square in pixels. `auto`: a face if there is one, otherwise as `motion`. */
export type Crop = 'auto' | 'face' | 'motion' | 'middle' | Square

const cropNames = ['auto', 'face', 'motion', 'middle'] as const

/** What new runs are trained with: a face if there is one, otherwise what moves. */
export const defaultCrop: Crop & string = 'auto'

/** What texts `parseCrop` takes. */
export const cropPattern = /^(auto|face|motion|middle|\d{1,6},\d{1,6},\d{1,6},\d{1,6})$/

/** The same in words. */
export const cropForm = 'face, motion, middle, auto, or X,Y,W,H in pixels, with W and H the same'

/** Reads a crop. @throws InputError if the text is none, or W and H differ. */
export function parseCrop(text: string): Crop {
  const name = cropNames.find((known) => known === text)
  if (name !== undefined) return name
  const [left, top, width, height] = cropPattern.test(text) ? text.split(',').map(Number) : []
  if (width !== undefined && width > 0 && width === height) return { left: left!, top: top!, side: width }
  throw new InputError({
    what: 'there is no such crop',
    where: 'crop',
    got: text,
    expected: cropForm,
    ...(width !== height && { remedy: `the networks see squares: name ${left},${top},${width},${width}` }),
  })
}

/** A crop as `parseCrop` takes it. */
export const formatCrop = (crop: Crop): string =>
  typeof crop === 'string' ? crop : `${crop.left},${crop.top},${crop.side},${crop.side}`
