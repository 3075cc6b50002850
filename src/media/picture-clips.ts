// Pictures that move: animated GIF and WebP files, and folders of numbered pictures, as clips.
import { readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import sharp from 'sharp'
import { fileError } from '../files/file-errors.ts'
import { InputError, messageOf } from '../util/errors.ts'
import { type Clip, type Frame, type FrameRange, resolveRange } from './clip.ts'
import { readPicture } from './picture.ts'

/** Endings of pictures that folders are searched for. */
export const pictureEndings: readonly string[] = ['.png', '.jpg', '.jpeg', '.webp']

/** Pictures of a folder have no times. They are shown at this rate. */
const folderRate = 10

/** Most frames and pixels of an animation, as a file of a few kilobytes may claim any number. */
const mostFrames = 100_000
const mostPixels = 100_000_000

/** Pixels that are decoded at once: a page costs all pages before it, so that several are taken together. */
const pixelsAtOnce = 16_000_000

/** Milliseconds of a frame that has no delay, or less than browsers show. */
const usualDelay = 100
const leastDelay = 11

/**
 * Opens an animated picture.
 *
 * @returns undefined if the picture does not move.
 * @throws InputError if it is too large.
 */
export async function animationClip(path: string): Promise<Clip | undefined> {
  const found = await sharp(path, { pages: -1, limitInputPixels: false }).metadata()
  const { width, pages = 1, pageHeight: height = 1, delay = [], format } = found
  if (pages < 2 || (format !== 'gif' && format !== 'webp')) return undefined
  if (pages > mostFrames || width * height > mostPixels) {
    throw new InputError({
      what: 'the animation is too large',
      where: path,
      got: `${pages} frames of ${width} x ${height} pixels`,
      expected: `at most ${mostFrames} frames of ${mostPixels / 1e6} megapixels`,
      remedy: 'make it smaller first',
    })
  }
  const seconds = Array.from({ length: pages }, (_, i) => {
    const given = delay[i] ?? usualDelay
    return (given < leastDelay ? usualDelay : given) / 1000
  })
  const atOnce = Math.max(1, Math.floor(pixelsAtOnce / (width * height)))
  return clipOf(path, { width, height }, seconds, async function* (numbers) {
    let [first, pixels] = [-1, new Uint8Array(0)]
    const bytes = width * height * 3
    for (const number of numbers) {
      if (first < 0 || number >= first + pixels.length / bytes) {
        first = number
        pixels = await readPages(path, first, Math.min(atOnce, pages - first))
      }
      yield pixels.slice((number - first) * bytes, (number - first + 1) * bytes)
    }
  })
}

/** Frames as [frames, height, width, 3]. */
async function readPages(path: string, page: number, pages: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const image = sharp(path, { page, pages, limitInputPixels: false, failOn: 'error' })
    const flat = image.flatten({ background: '#ffffff' }).toColourspace('srgb').removeAlpha()
    return Uint8Array.from(await flat.raw({ depth: 'uchar' }).toBuffer())
  } catch (error) {
    throw new InputError(
      {
        what: `frame ${page} of the animation, or one soon after it, is damaged`,
        where: path,
        got: messageOf(error).split('\n')[0]!,
        remedy: 'save or download it again',
      },
      { cause: error },
    )
  }
}

/**
 * The pictures of a folder that are the frames of a clip, in the order of their numbers: at least two, each with a number in
 * its name. Without such pictures, the list is empty.
 *
 * @throws InputError if the folder cannot be read.
 */
export async function numberedPictures(folder: string): Promise<string[]> {
  const entries = await readdir(folder).catch((error: unknown) => {
    throw fileError(error, folder, 'read')
  })
  const found = entries.filter(
    (name) => !name.startsWith('.') && pictureEndings.includes(extname(name).toLowerCase()),
  )
  if (found.length < 2 || !found.every((name) => /\d/.test(name))) return []
  const { compare } = new Intl.Collator('en', { numeric: true })
  return found.sort(compare).map((name) => join(folder, name))
}

/**
 * Opens a folder of numbered pictures. A picture of another size than the first is fitted into it.
 *
 * @throws InputError if there are none, or the first cannot be read.
 */
export async function folderClip(folder: string): Promise<Clip> {
  const files = await numberedPictures(folder)
  if (files.length === 0) {
    throw new InputError({
      what: 'this is a folder, and not one of numbered pictures',
      where: folder,
      expected: `a video, or a folder of pictures (${pictureEndings.join(', ')}) with numbers in their names`,
      remedy: 'name a file in it',
    })
  }
  const { width, height } = await readPicture(files[0]!)
  const seconds = files.map(() => 1 / folderRate)
  const notice = `the pictures of a folder have no times: they are taken as ${folderRate} frames per second`
  const clip = clipOf(folder, { width, height }, seconds, async function* (numbers) {
    for (const number of numbers) yield (await fitted(await readPicture(files[number]!), width, height)).data
  })
  return { ...clip, notices: [notice] }
}

async function fitted(picture: Frame, width: number, height: number): Promise<Pick<Frame, 'data'>> {
  if (picture.width === width && picture.height === height) return picture
  const raw = { width: picture.width, height: picture.height, channels: 3 } as const
  const resized = sharp(picture.data, { raw }).resize(width, height, {
    fit: 'contain',
    background: '#000000',
  })
  return { data: Uint8Array.from(await resized.raw().toBuffer()) }
}

/** A clip of frames that last `seconds` each. */
function clipOf(
  name: string,
  { width, height }: Pick<Frame, 'width' | 'height'>,
  seconds: readonly number[],
  read: (numbers: readonly number[]) => AsyncGenerator<Uint8Array>,
): Clip {
  const frameCount = seconds.length
  let at = 0
  const times = seconds.map((one) => {
    const time = Number(at.toFixed(6))
    at += one
    return time
  })
  const duration = Number(at.toFixed(6))
  const frameRate = Math.round((1000 * frameCount) / duration) / 1000
  const variableRate = times.some((time, i) => Math.abs(time - i / frameRate) > 0.002)
  return {
    ...{ name, width, height, frameRate, duration, frameCount, variableRate },
    async *frames(range?: FrameRange) {
      const numbers = resolveRange({ name, frameCount }, range)
      let done = 0
      for await (const data of read(numbers)) {
        const number = numbers[done++]!
        yield { width, height, data, time: times[number]!, duration: seconds[number]! }
      }
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
}
