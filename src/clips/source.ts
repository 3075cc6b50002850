// What a user names: a video, a picture, a folder, `puppet:SEED` or `head:SEED`. It is listed as clips, or opened as a
// clip or as a picture.
import { readFileSync } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileError } from '../files/file-errors.ts'
import { isFolder } from '../files/folders.ts'
import { assertFile } from '../files/read.ts'
import { type Clip, type Frame, frameAt, resolveRange, toMp4 } from '../media/clip.ts'
import { openVideo, videoFacts } from '../media/codecs.ts'
import { packetSearch, packetsIn } from '../media/container.ts'
import { isPicture, pictureFacts, readPicture } from '../media/picture.ts'
import { animationClip, folderClip, numberedPictures, pictureEndings } from '../media/picture-clips.ts'
import { type HeadMesh, readHeadMesh } from '../synthetic/head/asset.ts'
import { headSpecs, isHead, openHead } from '../synthetic/head/head.ts'
import { specSeries } from '../synthetic/made-clips.ts'
import { isPuppet, openPuppet, puppetForm, puppetSpecs } from '../synthetic/puppet/puppet.ts'
import { EnvironmentError, InputError, messageOf } from '../util/errors.ts'

/** How a clip is opened. */
export interface OpenClipOptions {
  /** Whether a picture opens as a clip of one frame. Default false: it is refused, because it does not move. */
  readonly pictures?: boolean
  /** Stops the opening, which then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens a clip by the name that a user gives it.
 *
 * @param spec path of a video, or `puppet:SEED` or `head:SEED` for a synthetic clip (see `puppetClip`, `headClip`).
 * @throws InputError if it is neither, or if the file cannot be read as a video.
 */
export async function openClip(spec: string, options: OpenClipOptions = {}): Promise<Clip> {
  const { pictures = false, signal } = options
  signal?.throwIfAborted()
  if (isPuppet(spec)) return openPuppet(spec)
  if (isHead(spec)) return openHead(spec, headMesh())
  if (await isFolder(spec)) return folderClip(spec)
  await assertFile(spec, 'a video or picture file', { allowEmpty: false })
  if (await isPicture(spec)) {
    const moving = await animationClip(spec)
    if (moving !== undefined) return moving
    if (pictures) return pictureClip(spec)
    throw stillPicture(spec)
  }
  return openVideo(spec, { signal })
}

function stillPicture(path: string): InputError {
  return new InputError({
    what: 'this is a picture, and a video is needed here',
    where: path,
    expected: `a video (mp4, mov, webm, mkv, ts), an animated gif, webp or png, a folder of numbered pictures, ${puppetForm}, or head:SEED`,
    remedy: `if it moves, convert it: ${toMp4(path)}`,
  })
}

/** Opens all of them, or none. @throws InputError as `openClip`. */
export async function openClips(specs: readonly string[], options: OpenClipOptions = {}): Promise<Clip[]> {
  const opened: Clip[] = []
  try {
    for (const spec of specs) opened.push(await openClip(spec, options))
    return opened
  } catch (error) {
    await Promise.all(opened.map((clip) => clip.close()))
    throw error
  }
}

/**
 * Reads a picture to animate.
 *
 * @param spec path of a picture; or of a video, `puppet:SEED` or `head:SEED`, of which the first frame is taken.
 * @throws InputError if it is neither a picture nor a video that can be read.
 */
export async function readSource(
  spec: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Frame> {
  signal?.throwIfAborted()
  if (!isPuppet(spec) && !isHead(spec)) {
    await assertFile(spec, 'a video or picture file', { allowEmpty: false })
    if (await isPicture(spec)) return readPicture(spec)
  }
  const clip = await openClip(spec, { signal }).catch((error: unknown) => {
    throw error instanceof InputError ? withPictures(error) : error
  })
  try {
    const { width, height, data } = await frameAt(clip, 0)
    return { width, height, data, time: 0, duration: 0 }
  } finally {
    await clip.close()
  }
}

/** What a video or picture file is. */
export interface MediaFacts {
  readonly file: string
  /** Container of a video, or kind of a picture. */
  readonly kind: string
  /** Codec of a video, with its details: `avc1.64001f`. */
  readonly codec: string | undefined
  /** Width and height in pixels, as shown. */
  readonly width: number
  readonly height: number
  /** Number of frames; 1 for a picture. */
  readonly frames: number
  /** Frames per second; the mean if the rate varies; undefined for a picture. */
  readonly frameRate: number | undefined
  readonly variableRate: boolean
  /** Seconds; 0 for a picture. */
  readonly duration: number
  readonly sound:
    | { readonly codec: string; readonly sampleRate: number; readonly channels: number }
    | undefined
  /** Where it comes from, in IPTC's terms, if the file says it: `trainedAlgorithmicMedia` for what a model made. */
  readonly mark: string | undefined
  /** Whether it has C2PA's Content Credentials, which are not read here. */
  readonly credentials: boolean
  readonly notices: readonly string[]
}

/**
 * Says what a media file is, and whether it is marked as generated. A video's frames are counted, and none is decoded. A folder
 * of numbered pictures and a synthetic clip are told too.
 *
 * @throws InputError as `openClip`.
 */
export async function describeMedia(
  path: string,
  { signal }: Pick<OpenClipOptions, 'signal'> = {},
): Promise<MediaFacts> {
  await using clip = await openClip(path, { pictures: true, signal })
  const { width, height, frameCount: frames, duration, notices = [], variableRate = false } = clip
  const common = { file: path, width, height, frames, notices }
  if (isPuppet(path) || isHead(path) || (await isFolder(path))) {
    const kind = (await isFolder(path)) ? 'folder of numbered pictures' : 'synthetic clip'
    const nothing = { codec: undefined, sound: undefined, mark: undefined, credentials: false }
    return { ...common, ...nothing, kind, frameRate: clip.frameRate, duration, variableRate }
  }
  const picture = await pictureFacts(path)
  if (picture !== undefined) {
    const times = frames > 1 ? clip : { frameRate: undefined, duration: 0 }
    return {
      ...{ ...common, kind: picture.kind, codec: undefined, variableRate, sound: undefined },
      ...{ frameRate: times.frameRate, duration: times.duration },
      ...{ mark: picture.sourceType, credentials: false },
    }
  }
  const container = await videoFacts(path)
  return { ...common, ...container, frameRate: clip.frameRate, duration, variableRate }
}

/** If a file is not a video either, the message says that a picture would do. */
function withPictures(error: InputError): InputError {
  if (!error.problem.what.startsWith('this is not a video')) return error
  const problem = {
    what: 'this is neither a picture nor a video that can be read here',
    where: error.problem.where ?? '',
    expected: 'a picture (png, jpeg, webp) or a video (mp4, mov, webm, mkv)',
  }
  return new InputError(problem, { cause: error })
}

/**
 * A picture as a clip of one frame.
 *
 * @throws InputError as `readPicture`.
 */
async function pictureClip(path: string): Promise<Clip> {
  const picture = await readPicture(path)
  const [frameRate, frameCount] = [1, 1]
  const facts = { name: path, width: picture.width, height: picture.height, frameRate, frameCount }
  return {
    ...{ ...facts, duration: frameCount / frameRate },
    async *frames(range) {
      resolveRange(facts, range)
      // The reader may change the pixels.
      yield { ...picture, data: picture.data.slice(), duration: 1 / frameRate }
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
}

/** From `src/clips` and from `dist/clips` alike. */
const address = new URL('../../assets/heads.bin', import.meta.url)

let mesh: HeadMesh | undefined

/** The shapes. @throws EnvironmentError if the file is missing; FormatError if it is damaged. */
export function headMesh(): HeadMesh {
  mesh ??= readHeadMesh(bytesOf(address))
  return mesh
}

function bytesOf(file: URL): Uint8Array {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new EnvironmentError(
      {
        what: 'the shapes of synthetic heads are not installed',
        where: file.pathname,
        got: messageOf(error),
        remedy: 'install pantin again',
      },
      { cause: error },
    )
  }
}

/** Endings of the files that a folder is searched for. */
const videoEndings: readonly string[] = [
  ...['.mp4', '.m4v', '.mov', '.webm', '.mkv', '.ts', '.mts', '.m2ts', '.gif', '.apng'],
]

/** Folders in folders are searched to this depth. */
const deepest = 8

/** Which files of a folder are listed. */
export interface ListClipsOptions {
  /** Whether pictures are listed too. Default false: videos only. */
  readonly pictures?: boolean
}

/**
 * One name per clip. A folder stands for the videos in it and in its folders, without hidden files and without folders that
 * pantin made (runs, results), in the order of their names (`2` before `10`). A folder of numbered pictures without videos is a
 * clip by itself. `puppet:1..200` stands for two hundred puppets, and `head:1..200` for two hundred heads. Other names stay as
 * they are.
 *
 * @throws InputError for a folder without videos, or a series that is empty or too long.
 */
export async function listClips(
  names: readonly string[],
  { pictures = false }: ListClipsOptions = {},
): Promise<string[]> {
  const endings = pictures ? [...videoEndings, ...pictureEndings] : videoEndings
  const lists = names.map(async (name) => {
    if (isPuppet(name)) return specSeries(puppetSpecs, name)
    if (isHead(name)) return specSeries(headSpecs, name)
    // A missing file is refused when it is opened.
    return (await isFolder(name)) ? clipsIn(name, endings) : [name]
  })
  return (await Promise.all(lists)).flat()
}

async function clipsIn(folder: string, endings: readonly string[]): Promise<string[]> {
  const pictures = endings !== videoEndings
  const clips = await search(folder, endings, pictures ? undefined : numberedPictures, 0)
  if (clips.length > 0) return clips
  throw new InputError({
    what: 'there are no videos in this folder',
    where: folder,
    expected: `files that end in ${endings.join(', ')}, or numbered pictures`,
  })
}

/** @param frames lists the pictures of a folder that are frames of one clip; undefined if pictures are listed themselves */
async function search(
  folder: string,
  endings: readonly string[],
  frames: ((folder: string) => Promise<string[]>) | undefined,
  depth: number,
): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw fileError(error, folder, 'read')
  })
  const { compare } = new Intl.Collator('en', { numeric: true })
  // Hidden files are incomplete files of a killed pantin, or files that macOS keeps beside others.
  const seen = entries.filter(({ name }) => !name.startsWith('.')).sort((a, b) => compare(a.name, b.name))
  const found: string[] = []
  for (const entry of seen) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (depth < deepest && !(await isMadeHere(path)))
        found.push(...(await search(path, endings, frames, depth + 1)))
    } else if (endings.includes(extname(entry.name).toLowerCase()) && (await isNoOther(path)))
      found.push(path)
  }
  if (found.length === 0 && frames !== undefined && (await frames(folder)).length > 0) return [folder]
  return found
}

/** Files of which pantin's own folders have one: results of videos, searches, studies, and runs, whose previews are pictures. */
const ownFiles: readonly string[] = ['videos.json', 'search.json', 'plan.json', 'metrics.jsonl']

/** Whether pantin made the folder: what is in it is no input, unless it is named itself. */
async function isMadeHere(folder: string): Promise<boolean> {
  const names: readonly string[] = await readdir(folder).catch(() => [])
  return ownFiles.some((name) => names.includes(name))
}

/**
 * Programs in TypeScript and videos in MPEG-TS have the same ending. Packets of MPEG-TS begin with the byte 0x47. A GIF may be a
 * still picture.
 */
async function isNoOther(path: string): Promise<boolean> {
  const ending = extname(path).toLowerCase()
  if (ending === '.gif') return ((await pictureFacts(path))?.pages ?? 2) > 1
  if (!['.ts', '.mts'].includes(ending)) return true
  if (!(await stat(path).catch(() => undefined))?.isFile()) return false
  const handle = await open(path)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(packetSearch), 0, packetSearch, 0)
    return packetsIn(buffer.subarray(0, bytesRead)) !== undefined
  } finally {
    await handle.close()
  }
}
