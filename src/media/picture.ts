// Picture files, read and written with sharp.
import { open, readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { crc32, deflateSync } from 'node:zlib'
import sharp, { type Sharp } from 'sharp'
import { writeFileAtomic } from '../files/atomic.ts'
import { assertFile } from '../files/read.ts'
import { EnvironmentError, fileWord, InputError, messageOf } from '../util/errors.ts'
import { assertFrame, type Frame, mostPixels } from './clip.ts'
import { type Mark, markXmp, sourceTypeIn } from './mark.ts'
import { inThread } from './video-file.ts'

// The library keeps what it read by the file's name, and would not see that another picture has this name now.
sharp.cache(false)

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
 * Reads a picture (png, jpeg, webp, gif, avif, heic, tiff, svg) as it is displayed: rotated by its EXIF orientation, in
 * sRGB, with transparency on white.
 *
 * @throws InputError if the file is missing, empty, not a picture, damaged, or over 100 megapixels (HEIC: 50);
 * EnvironmentError for HEIC if its decoder is not installed.
 */
export async function readPicture(path: string): Promise<Frame> {
  await assertFile(path, 'a picture file', { allowEmpty: false })
  try {
    const { data, info } = await sharp(await pictureInput(path), {
      limitInputPixels: mostPixels,
      failOn: 'error',
    })
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return { width: info.width, height: info.height, data: pixels, time: 0, duration: 0 }
  } catch (error) {
    if (await isHeic(path)) return readHeic(path)
    throw unreadable(path, error)
  }
}

const headerOf = async (path: string) =>
  sharp(await pictureInput(path), { limitInputPixels: false }).metadata()

/** The largest picture file that is read into memory as a whole. */
export const largestFile = 512 << 20

/**
 * A picture file as the library takes it: its path, or its bytes. The library takes brackets at the end of a name as options,
 * and it refuses an animated WebP whose end is missing.
 */
export async function pictureInput(path: string): Promise<string | Buffer> {
  const { size } = await stat(path)
  if (size > largestFile) return path
  const head = await headOf(path)
  const isCut = isWebp(head) && head.readUInt32LE(4) + 8 > size
  if (!isCut && !path.endsWith(']')) return path
  const bytes = await readFile(path)
  return isCut ? withoutCutFrame(bytes) : bytes
}

/** The first bytes of a file: 12, or none if it has fewer or cannot be read. */
async function headOf(path: string): Promise<Buffer> {
  const handle = await open(path).catch(() => undefined)
  try {
    const read = await handle?.read(Buffer.alloc(12), 0, 12, 0)
    return read?.bytesRead === 12 ? read.buffer : Buffer.alloc(0)
  } catch {
    return Buffer.alloc(0)
  } finally {
    await handle?.close()
  }
}

/** RFC 9649, section 2.4. */
const isWebp = (head: Buffer) => /^RIFF.{4}WEBP$/s.test(head.toString('latin1'))

/** An animated WebP up to the end of its last whole frame. Without a whole frame, it stays as it is. */
function withoutCutFrame(webp: Buffer): Buffer {
  let [at, frames] = [12, 0]
  while (at + 8 <= webp.length) {
    // Chunks have an even length.
    const end = at + 8 + 2 * Math.ceil(webp.readUInt32LE(at + 4) / 2)
    if (end > webp.length) break
    if (webp.toString('latin1', at, at + 4) === 'ANMF') frames++
    at = end
  }
  if (frames === 0) return webp
  const whole = Buffer.from(webp.subarray(0, at))
  whole.writeUInt32LE(at - 8, 4)
  return whole
}

/** Whether a picture is coded in HEVC, which the library's builds leave out for its patents. */
async function isHeic(path: string): Promise<boolean> {
  const found = await headerOf(path).catch(() => undefined)
  return found?.format === 'heif' && found.compression === 'hevc'
}

/** Most pixels of a HEIC picture. It is in memory three times. */
const mostHeicPixels = 50_000_000

/** Seconds of computing for a picture, and for each million of its pixels. */
const heicPatience = [3, 1] as const

/**
 * The program of the thread that decodes. It is text, because a thread cannot load TypeScript, and tests run the sources. The
 * picture is turned as it is displayed.
 */
const heicProgram = `
const { parentPort, workerData } = require('node:worker_threads')
async function decode() {
  const { HeifDecoder } = require(workerData.library)
  parentPort.postMessage({})
  const pictures = new HeifDecoder().decode(workerData.bytes)
  const picture = pictures.find((one) => one.is_primary()) ?? pictures[0]
  const [width, height] = [picture.get_width(), picture.get_height()]
  if (width * height > workerData.most) throw new Error('it is larger than it says')
  const data = new Uint8ClampedArray(width * height * 4)
  const made = await new Promise((resolve) => picture.display({ data, width, height }, resolve))
  if (!made) throw new Error('its pixels cannot be decoded')
  return { width, height, data }
}
decode().then((done) => parentPort.postMessage({ done }, [done.data.buffer]), ({ message }) => parentPort.postMessage({ done: message }))
`

/** Reads a HEIC picture by an optional package, in a thread that can be ended. */
async function readHeic(path: string): Promise<Frame> {
  const library = heicLibrary(path)
  const { width, height, icc } = await headerOf(path)
  if (width * height > mostHeicPixels) throw unreadable(path, new Error('pixel limit'))
  const [least, perMegapixel] = heicPatience
  const damaged = (got: string) => unreadable(path, new Error(got))
  const made = await inThread(
    heicProgram,
    { library, bytes: await readFile(path), most: mostHeicPixels },
    { patience: least + (perMegapixel * width * height) / 1e6, megabytes: 400, hostile: damaged },
  )
  if (typeof made !== 'object' || made === null) throw damaged(String(made ?? 'its decoder ended'))
  const decoded = made as Pick<Frame, 'width' | 'height' | 'data'>
  const raw = { width: decoded.width, height: decoded.height, channels: 4 } as const
  const flat = sharp(decoded.data, { raw }).flatten({ background: '#ffffff' }).removeAlpha()
  // Phones store wider colours than sRGB. Only a file can hand its profile to the library.
  const shown =
    icc === undefined ? flat : sharp(withProfile(await flat.png({ compressionLevel: 0 }).toBuffer(), icc))
  const data = await shown.toColourspace('srgb').removeAlpha().raw({ depth: 'uchar' }).toBuffer()
  return { width: raw.width, height: raw.height, data: new Uint8Array(data), time: 0, duration: 0 }
}

/** A PNG with a colour profile. */
function withProfile(png: Uint8Array, profile: Buffer): Uint8Array {
  const data = Buffer.concat([Buffer.from('icc\0\0', 'latin1'), deflateSync(profile)])
  return Buffer.concat([png.subarray(0, 33), pngChunk('iCCP', data), png.subarray(33)])
}

/** A piece of a PNG. */
export function pngChunk(kind: string, data: Uint8Array): Buffer {
  const chunk = Buffer.alloc(12 + data.length)
  chunk.writeUInt32BE(data.length, 0)
  chunk.write(kind, 4, 'latin1')
  chunk.set(data, 8)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4)
  return chunk
}

function heicLibrary(path: string): string {
  try {
    return createRequire(import.meta.url).resolve('libheif-js/wasm-bundle.js')
  } catch (cause) {
    throw new EnvironmentError(
      {
        what: 'HEIC pictures cannot be read: their decoder is not installed',
        where: path,
        expected: 'the optional package libheif-js',
        remedy: `npm install libheif-js, or save the picture as JPEG: heif-convert ${fileWord(path)} picture.jpg, or sips -s format jpeg on a Mac`,
      },
      { cause },
    )
  }
}

/** Whether a file begins as picture files do. */
export async function isPicture(path: string): Promise<boolean> {
  try {
    const { width, format } = await headerOf(path)
    return width > 0 && format !== undefined
  } catch {
    // The library reads no header of a WebP that is cut off.
    return isWebp(await headOf(path))
  }
}

/** What a picture file says of itself. */
export interface PictureFacts {
  /** The kind of file: `png`, `jpeg`. */
  readonly kind: string
  /** Number of pictures; over 1 for an animation. */
  readonly pages: number
  /** The digital source type that its XMP names. */
  readonly sourceType: string | undefined
}

/** Reads the header of a picture; undefined if the file is none. */
export async function pictureFacts(path: string): Promise<PictureFacts | undefined> {
  const found = await headerOf(path).catch(() => undefined)
  if (found === undefined) return undefined
  const { format, compression, pages = 1, xmpAsString = '' } = found
  return {
    kind: compression ? `${format}, ${compression}` : format,
    pages,
    sourceType: sourceTypeIn(xmpAsString),
  }
}

/**
 * Writes a frame as a picture, completely or not at all. An existing file is replaced.
 *
 * @param mark says in the file that a trained model made it; without it, the file says nothing.
 * @throws InputError for an ending other than .png, .jpg, .jpeg or .webp, or a path that cannot be written.
 */
export async function writePicture(path: string, frame: Frame, mark?: Mark): Promise<void> {
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
  await writeFileAtomic(path, await encodePicture(kind, frame, { mark }))
}

/**
 * A frame as the bytes of a picture file.
 *
 * @param quality 1 to 100, for lossy kinds. Default: 92 or more.
 * @param mark as for `writePicture`.
 */
export async function encodePicture(
  kind: PictureKind,
  frame: Frame,
  { quality, mark }: { readonly quality?: number; readonly mark?: Mark | undefined } = {},
): Promise<Uint8Array> {
  assertFrame(frame)
  const { width, height, data } = frame
  const picture = sharp(data, { raw: { width, height, channels: 3 } })
  if (mark !== undefined) picture.withXmp(markXmp(mark))
  return writers[kind](picture, quality).toBuffer()
}

/** The error of a picture that the library refuses with `error`. */
export function unreadable(path: string, error: unknown): InputError {
  const reason = messageOf(error)
  if (reason.includes('pixel limit')) {
    return new InputError(
      {
        what: 'the picture is too large',
        where: path,
        expected: `at most ${mostPixels / 1e6} megapixels`,
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
      expected: 'a png, jpeg, webp, gif, avif, heic, tiff or svg file',
      remedy: foreign ? 'give a picture file' : 'save or download it again',
    },
    { cause: error },
  )
}
