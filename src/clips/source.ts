import { type Clip, frameAt } from '../media/clip.ts'
import { assertFile } from '../media/files.ts'
import type { Frame } from '../media/frame.ts'
import { isPicture, readPicture } from '../media/picture.ts'
import { openVideo } from '../media/video-in.ts'
import { isPuppet, openPuppet, puppetForm } from '../synthetic/puppet/spec.ts'
import { InputError } from '../util/errors.ts'
import { pictureClip } from './picture-clip.ts'

export interface OpenClipOptions {
  /** Whether a picture is a clip of one frame (default: it is refused, for it does not move). */
  readonly pictures?: boolean
}

/**
 * Opens what a user names: the path of a video, or `puppet:SEED` for a made-up one (see `puppetClip`).
 *
 * @throws InputError if it is neither, or the file cannot be read as a video.
 */
export async function openClip(spec: string, { pictures = false }: OpenClipOptions = {}): Promise<Clip> {
  if (isPuppet(spec)) return openPuppet(spec)
  await assertFile(spec)
  if (await isPicture(spec)) {
    if (pictures) return pictureClip(spec)
    throw new InputError({
      what: 'this is a picture, and a video is needed here',
      where: spec,
      expected: `a video (mp4, mov, webm, mkv), or ${puppetForm}`,
    })
  }
  return openVideo(spec)
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
 * The picture to animate: a picture file, the first frame of a video, or of a `puppet:` clip.
 *
 * @throws InputError if it is neither a picture nor a video that can be read.
 */
export async function readSource(spec: string): Promise<Frame> {
  if (!isPuppet(spec)) {
    await assertFile(spec)
    if (await isPicture(spec)) return readPicture(spec)
  }
  const clip = await openClip(spec).catch((error: unknown) => {
    throw error instanceof InputError ? withPictures(error) : error
  })
  try {
    const { width, height, data } = await frameAt(clip, 0)
    return { width, height, data, time: 0, duration: 0 }
  } finally {
    await clip.close()
  }
}

/** Where a file is not a video either, says that a picture would do. */
function withPictures(error: InputError): InputError {
  if (!error.problem.what.startsWith('this is not a video')) return error
  const problem = {
    what: 'this is neither a picture nor a video that can be read here',
    where: error.problem.where ?? '',
    expected: 'a picture (png, jpeg, webp) or a video (mp4, mov, webm, mkv)',
  }
  return new InputError(problem, { cause: error })
}
