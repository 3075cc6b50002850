// Picture files, read and written with sharp.
import sharp, { type Sharp } from 'sharp'
import { writeFileAtomic } from '../files/atomic.ts'
import { assertFile } from '../files/read.ts'
import { InputError, messageOf } from '../util/errors.ts'
import type { Frame } from './clip.ts'

/** Limit on pictures, because a file of a few kilobytes could fill the memory: 100 megapixels are 300 MB of RGB. */
const maxPixels = 100_000_000

/** How pictures are written, by file ending. */
const writers = {
  '.png': (image: Sharp) => image.png(),
  '.jpg': (image: Sharp, quality = 93) => image.jpeg({ quality, chromaSubsampling: '4:4:4' }),
  '.jpeg': (image: Sharp, quality = 93) => image.jpeg({ quality, chromaSubsampling: '4:4:4' }),
  '.webp': (image: Sharp, quality = 92) => image.webp({ quality }),
}

/** Endings of the picture files that can be written. */
export type PictureKind = keyof typeof writers
const pictureKinds = Object.keys(writers) as PictureKind[]

/**
 * Reads a picture (png, jpeg, webp, gif, avif, tiff, svg) as it is displayed: rotated by its EXIF orientation, in
 * sRGB, with transparency on white.
 *
 * @throws InputError if the file is missing, empty, not a picture, damaged, or over 100 megapixels.
 */
export async function readPicture(path: string): Promise<Frame> {
  await assertFile(path, 'a picture file', { allowEmpty: false })
  try {
    const { data, info } = await sharp(path, { limitInputPixels: maxPixels, failOn: 'error' })
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return { width: info.width, height: info.height, data: pixels, time: 0, duration: 0 }
  } catch (error) {
    throw (await isHeic(path)) ? heic(path, error) : unreadable(path, error)
  }
}

/** Whether a picture is coded in HEVC, which the library's builds leave out for its patents. */
async function isHeic(path: string): Promise<boolean> {
  const found = await sharp(path, { limitInputPixels: false })
    .metadata()
    .catch(() => undefined)
  return found?.format === 'heif' && found.compression === 'hevc'
}

function heic(path: string, cause: unknown): InputError {
  return new InputError(
    {
      what: 'HEIC pictures are not read here',
      where: path,
      got: 'a HEIC picture, as iPhones take them',
      expected: 'a png, jpeg, webp, gif, avif, tiff or svg file',
      remedy: `save it as JPEG: heif-convert "${path}" picture.jpg, or sips -s format jpeg on a Mac; on an iPhone, Settings > Camera > Formats > Most Compatible takes JPEG pictures from now on`,
    },
    { cause },
  )
}

/** Whether a file begins as picture files do. */
export async function isPicture(path: string): Promise<boolean> {
  try {
    const { width, format } = await sharp(path, { limitInputPixels: false }).metadata()
    return width > 0 && format !== undefined
  } catch {
    return false
  }
}

/**
 * Writes a frame as a picture, completely or not at all. An existing file is replaced.
 *
 * @throws InputError for an ending other than .png, .jpg, .jpeg or .webp, or a path that cannot be written.
 */
export async function writePicture(path: string, frame: Frame): Promise<void> {
  const ending = /\.[^./\\]*$/.exec(path.toLowerCase())?.[0] ?? ''
  const kind = pictureKinds.find((name) => name === ending)
  if (kind === undefined) {
    throw new InputError({
      what: 'the file ending does not say which kind of picture to write',
      where: path,
      got: ending === '' ? 'no ending' : ending,
      expected: pictureKinds.join(', '),
    })
  }
  await writeFileAtomic(path, await encodePicture(kind, frame))
}

/**
 * A frame as the bytes of a picture file.
 *
 * @param quality 1 to 100, for lossy kinds. Default: 92 or more.
 */
export function encodePicture(
  kind: PictureKind,
  { width, height, data }: Frame,
  quality?: number,
): Promise<Uint8Array> {
  return writers[kind](sharp(data, { raw: { width, height, channels: 3 } }), quality).toBuffer()
}

function unreadable(path: string, error: unknown): InputError {
  const reason = messageOf(error)
  if (reason.includes('pixel limit')) {
    return new InputError(
      {
        what: 'the picture is too large',
        where: path,
        expected: `at most ${maxPixels / 1e6} megapixels`,
        remedy: 'make it smaller first',
      },
      { cause: error },
    )
  }
  const foreign = reason.includes('unsupported image format')
  return new InputError(
    {
      what: foreign ? 'this is not a picture that can be read here' : 'the picture is damaged',
      where: path,
      got: reason.split('\n')[0]!,
      expected: 'a png, jpeg, webp, gif, avif, tiff or svg file',
      remedy: foreign ? 'give a picture file' : 'save or download it again',
    },
    { cause: error },
  )
}
