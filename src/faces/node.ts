// Faces in Node: the networks from pantin's assets, on the CPU; and the square of a source picture.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { openClip, readSource } from '../clips/source.ts'
import { assertFrame, type Frame } from '../media/clip.ts'
import { type FitMode, type Fitter, fitModes } from '../media/fit.ts'
import { isPicture } from '../media/picture.ts'
import { createSession } from '../runtime/node.ts'
import { EnvironmentError, InputError, messageOf } from '../util/errors.ts'
import { type Crop, parseCrop } from './box.ts'
import { type Face, type FaceFinder, openFaceFinder } from './finder.ts'
import { type Framed, type Framing, type FramingOptions, frameClip, framePicture } from './framing.ts'
import { faceAsset, readFaceWeights } from './networks.ts'

/** From `src/faces` and from `dist/faces` alike. */
const address = new URL(`../../assets/${faceAsset}`, import.meta.url)

let opened: Promise<FaceFinder> | undefined

/**
 * What finds faces. It is opened once in a process, and stays open.
 *
 * @throws EnvironmentError if pantin's files are missing; FormatError if they are damaged.
 */
export function nodeFaces(): Promise<FaceFinder> {
  opened ??= open().catch((error: unknown) => {
    opened = undefined
    throw error
  })
  return opened
}

async function open(): Promise<FaceFinder> {
  const path = fileURLToPath(address)
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new EnvironmentError(
      {
        what: 'the networks that find faces are not installed',
        where: path,
        got: messageOf(error),
        remedy: 'install pantin again',
      },
      { cause: error },
    )
  })
  const weights = await readFaceWeights(bytes, path)
  return openFaceFinder(weights, (model, options) =>
    createSession(model, { ...options, device: 'cpu', threads: 1 }),
  )
}

/**
 * Finds faces in a picture: photographs, paintings, drawings. The largest comes first; there may be none.
 *
 * The networks have learned from synthetic heads alone. A face whose side is under a twelfth of the picture's longer side may
 * be missed, and one that is turned away further than a profile.
 *
 * @param picture see `readSource`
 * @throws InputError if the picture is smaller than 16 pixels along a side; EnvironmentError if pantin's files are missing.
 */
export async function findFaces(picture: Frame): Promise<Face[]> {
  assertFrame(picture)
  return (await nodeFaces()).find(picture)
}

/** How the square of clips and pictures is chosen. */
export interface CropOptions {
  /** How frames are made square (default: as the training clips were). */
  readonly fit?: FitMode
  /**
   * Which square is kept: `face` (around a face; it is an error if there is none), `motion` (around what moves; of a picture,
   * the middle), `middle`, `X,Y,W,H` in pixels, or `auto` (a face if there is one, otherwise as `motion`). Default: as the
   * training clips were.
   */
  readonly crop?: string
  /** Which face, if there are several: 1 for the largest (default). */
  readonly face?: number
  /** Stops the work, which then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * These options, with what finds faces in Node.
 *
 * @param own what holds without them: a model's
 * @throws InputError for a fit or a crop that is none.
 */
export function framingOf(
  own: { readonly fit: FitMode; readonly crop: Crop },
  { fit = own.fit, crop, face, signal }: CropOptions,
): FramingOptions {
  if (!fitModes.includes(fit)) {
    throw new InputError({
      what: 'frames cannot be made square so',
      got: fit,
      expected: fitModes.join(' or '),
    })
  }
  return {
    ...{ fit, face, signal, faces: nodeFaces },
    crop: crop === undefined ? own.crop : parseCrop(crop),
  }
}

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
