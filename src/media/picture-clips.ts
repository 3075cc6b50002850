// Pictures that move: animated GIF, WebP and PNG files, and folders of numbered pictures, as clips. The picture library reads
// the first picture of an animated PNG alone, so that its frames are taken apart and laid over each other here (PNG, third
// edition, sections 11.3.6 and 13.15).
import { readdir, readFile, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { fileError } from '../files/file-errors.ts'
import { InputError, messageOf } from '../util/errors.ts'
import { type Clip, type Frame, type FrameRange, mostPixels, resolveRange } from './clip.ts'
import { largestFile, pictureInput, pngChunk, readPicture, unreadable } from './picture.ts'

/** Endings of pictures that folders are searched for. */
export const pictureEndings: readonly string[] = ['.png', '.jpg', '.jpeg', '.webp', '.avif', '.heic']

/** Pictures of a folder have no times. They are shown at this rate. */
const folderRate = 10

/** Most frames of an animation, as a file of a few kilobytes may claim any number. */
const mostFrames = 100_000

/** Pixels that are decoded at once: a page costs all pages before it, so that several are taken together. */
const pixelsAtOnce = 16_000_000

/** Milliseconds of a frame that has no delay, or less than browsers show. */
const usualDelay = 100
const leastDelay = 11

/**
 * Opens an animated picture.
 *
 * @returns undefined if the picture does not move.
 * @throws InputError if it is too large or damaged.
 */
export async function animationClip(path: string): Promise<Clip | undefined> {
  const input = await pictureInput(path)
  const found = await sharp(input, { pages: -1, limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw unreadable(path, error)
    })
  const { width, pages = 1, pageHeight: height = 1, delay = [], format } = found
  if (format === 'png') return pngClip(path)
  if (pages < 2 || (format !== 'gif' && format !== 'webp')) return undefined
  assertBounds(path, pages, width, height)
  const seconds = Array.from({ length: pages }, (_, i) => shownFor(delay[i] ?? usualDelay))
  const atOnce = Math.max(1, Math.floor(pixelsAtOnce / (width * height)))
  return clipOf(path, { width, height }, seconds, async function* (numbers) {
    let [first, pixels] = [-1, new Uint8Array(0)]
    const bytes = width * height * 3
    for (const number of numbers) {
      if (first < 0 || number >= first + pixels.length / bytes) {
        first = number
        pixels = await readPages(path, input, first, Math.min(atOnce, pages - first))
      }
      yield pixels.slice((number - first) * bytes, (number - first + 1) * bytes)
    }
  })
}

/** @throws InputError for an animation that would fill the memory */
function assertBounds(path: string, pages: number, width: number, height: number): void {
  if (pages <= mostFrames && width * height <= mostPixels) return
  throw new InputError({
    what: 'the animation is too large',
    where: path,
    got: `${pages} frames of ${width} x ${height} pixels`,
    expected: `at most ${mostFrames} frames of ${mostPixels / 1e6} megapixels`,
    remedy: 'make it smaller first',
  })
}

/** Seconds that a frame of this delay is shown, as browsers do. */
const shownFor = (milliseconds: number) => (milliseconds < leastDelay ? usualDelay : milliseconds) / 1000

/** Frames as [frames, height, width, 3]. */
async function readPages(
  path: string,
  input: string | Buffer,
  page: number,
  pages: number,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const image = sharp(input, { page, pages, limitInputPixels: false, failOn: 'error' })
    const flat = image.flatten({ background: '#ffffff' }).toColourspace('srgb').removeAlpha()
    return Uint8Array.from(await flat.raw({ depth: 'uchar' }).toBuffer())
  } catch (error) {
    throw damagedFrame(path, `frame ${page} of the animation, or one soon after it, is damaged`, error)
  }
}

function damagedFrame(path: string, what: string, cause: unknown): InputError {
  const got = messageOf(cause).split('\n')[0]!
  return new InputError({ what, where: path, got, remedy: 'save or download it again' }, { cause })
}

/** A frame of an animated PNG: the part of the picture that it changes, and how. */
interface PngFrame {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  /** Milliseconds. */
  readonly delay: number
  /** What becomes of the part afterwards: it stays, it is cleared, or it is as before. */
  readonly dispose: 'keep' | 'clear' | 'restore'
  /** Whether the part is laid over the picture; otherwise it replaces it. */
  readonly over: boolean
  /** Compressed pixels. */
  readonly data: Buffer[]
}

/** Chunks that say how pixels are coded, which each frame needs. */
const sharedChunks = ['PLTE', 'tRNS', 'gAMA', 'cHRM', 'sRGB', 'iCCP', 'cICP', 'sBIT']

/** An animated PNG as a clip; undefined for one that does not move. */
async function pngClip(path: string): Promise<Clip | undefined> {
  if ((await stat(path)).size > largestFile) return undefined
  const { header, shared, frames } = takeApart(await readFile(path))
  if (header === undefined || frames.length < 2) return undefined
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)]
  assertBounds(path, frames.length, width, height)
  const seconds = frames.map(({ delay }) => shownFor(delay))
  return clipOf(path, { width, height }, seconds, async function* (numbers) {
    const canvas = Buffer.alloc(width * height * 4)
    let next = 0
    for (const number of numbers) {
      const whole = frames.findLastIndex(
        (frame, i) => i <= number && i >= next && replacesAll(frame, width, height),
      )
      for (next = Math.max(next, whole); next <= number; next++) {
        const frame = frames[next]!
        const before = frame.dispose === 'restore' ? Buffer.from(canvas) : undefined
        draw(canvas, width, frame, await pixelsOf(path, header, shared, frame, next))
        if (next === number) yield onWhite(canvas)
        if (frame.dispose === 'clear' || (next === 0 && before)) clear(canvas, width, frame)
        else before?.copy(canvas)
      }
    }
  })
}

/** Whether nothing of the frames before is left. */
const replacesAll = (frame: PngFrame, width: number, height: number) =>
  !frame.over && frame.dispose !== 'restore' && frame.width === width && frame.height === height

/** The chunks of a PNG, up to the first that is damaged or cut off. */
function takeApart(png: Buffer) {
  let header: Buffer | undefined
  const shared: Buffer[] = []
  const frames: PngFrame[] = []
  let isAnimated = false
  let begun = false
  for (let at = 8; at + 12 <= png.length; ) {
    const length = png.readUInt32BE(at)
    const end = at + 12 + length
    if (end > png.length || crc32(png.subarray(at + 4, end - 4)) !== png.readUInt32BE(end - 4)) break
    const kind = png.toString('latin1', at + 4, at + 8)
    const data = png.subarray(at + 8, end - 4)
    if (kind === 'IHDR' && length === 13) header ??= data
    else if (kind === 'acTL') isAnimated = true
    else if (sharedChunks.includes(kind) && !begun) shared.push(png.subarray(at, end))
    else if (kind === 'fcTL' && header !== undefined) {
      const frame = frameOf(data, header)
      if (frame === undefined) break
      frames.push(frame)
    } else if (kind === 'IDAT') {
      begun = true
      // Without a frame before it, it is a picture for programs that know no animation.
      frames.at(-1)?.data.push(data)
    } else if (kind === 'fdAT') frames.at(-1)?.data.push(data.subarray(4))
    at = end
  }
  return { header, shared, frames: isAnimated ? frames.filter(({ data }) => data.length > 0) : [] }
}

/** Reads an fcTL chunk; undefined if its part is not within the picture. */
function frameOf(chunk: Buffer, header: Buffer): PngFrame | undefined {
  if (chunk.length !== 26) return undefined
  const [width, height, left, top] = [4, 8, 12, 16].map((at) => chunk.readUInt32BE(at)) as [
    number,
    number,
    number,
    number,
  ]
  const inside = left + width <= header.readUInt32BE(0) && top + height <= header.readUInt32BE(4)
  if (!inside || width === 0 || height === 0) return undefined
  const delay = (1000 * chunk.readUInt16BE(20)) / (chunk.readUInt16BE(22) || 100)
  const dispose = (['keep', 'clear', 'restore'] as const)[chunk[24]!] ?? 'keep'
  return { left, top, width, height, delay, dispose, over: chunk[25] === 1, data: [] }
}

/** The part of a frame as RGBA. It is decoded as a picture of its own. */
async function pixelsOf(
  path: string,
  header: Buffer,
  shared: readonly Buffer[],
  { width, height, data }: PngFrame,
  number: number,
): Promise<Buffer> {
  const own = Buffer.from(header)
  own.writeUInt32BE(width, 0)
  own.writeUInt32BE(height, 4)
  const signature = Buffer.from('89504e470d0a1a0a', 'hex')
  const parts = [signature, pngChunk('IHDR', own), ...shared, ...data.map((bytes) => pngChunk('IDAT', bytes))]
  try {
    const picture = sharp(Buffer.concat([...parts, pngChunk('IEND', Buffer.alloc(0))]), { failOn: 'error' })
    return await picture.toColourspace('srgb').ensureAlpha().raw({ depth: 'uchar' }).toBuffer()
  } catch (error) {
    throw damagedFrame(path, `frame ${number} of the animation is damaged`, error)
  }
}

/** Draws the part of a frame on RGBA. */
function draw(canvas: Buffer, width: number, frame: PngFrame, part: Buffer): void {
  for (let y = 0; y < frame.height; y++) {
    const to = ((frame.top + y) * width + frame.left) * 4
    const row = part.subarray(y * frame.width * 4, (y + 1) * frame.width * 4)
    if (!frame.over) {
      row.copy(canvas, to)
      continue
    }
    for (let i = 0; i < row.length; i += 4) {
      const above = row[i + 3]! / 255
      const below = (canvas[to + i + 3]! / 255) * (1 - above)
      const alpha = above + below
      for (let c = 0; c < 3 && alpha > 0; c++)
        canvas[to + i + c] = Math.round((row[i + c]! * above + canvas[to + i + c]! * below) / alpha)
      canvas[to + i + 3] = Math.round(255 * alpha)
    }
  }
}

function clear(canvas: Buffer, width: number, { left, top, width: across, height }: PngFrame): void {
  for (let y = top; y < top + height; y++)
    canvas.fill(0, (y * width + left) * 4, (y * width + left + across) * 4)
}

/** RGB over white, of RGBA. */
function onWhite(canvas: Buffer): Uint8Array {
  const rgb = new Uint8Array((canvas.length / 4) * 3)
  for (let from = 0, to = 0; from < canvas.length; from += 4, to += 3) {
    const alpha = canvas[from + 3]! / 255
    for (let c = 0; c < 3; c++) rgb[to + c] = Math.round(255 + (canvas[from + c]! - 255) * alpha)
  }
  return rgb
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
 * @throws InputError if the folder has no numbered pictures, or the first cannot be read.
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
