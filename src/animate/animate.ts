// Animates a picture with the motion of a video, from file to file.
import { openClip } from '../clips/source.ts'
import { formatCrop } from '../faces/crop.ts'
import { type Framing, frameClip } from '../faces/framing.ts'
import { framingOf } from '../faces/node.ts'
import { fitSource } from '../faces/source.ts'
import { assertNoInput } from '../files/inputs.ts'
import type { Frame } from '../media/clip.ts'
import { createVideoWriter, soundFor } from '../media/video-out.ts'
import { resized } from '../model/inputs-outputs.ts'
import { type ModelOptions, type MotionModel, type RunReference, withModel } from '../model/open-model.ts'
import type { Device } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import { type AnimateFramesOptions, moveFrames } from './animate-frames.ts'
import { clipNotes, MotionWatch, smallNotes } from './notes.ts'
import { createPaster } from './paste.ts'

/**
 * The picture, the video and the output of `animate`. `crop` by a name holds for both, the picture and the video. A square in
 * pixels, and `face`, hold for the picture alone.
 */
export interface AnimateOptions extends AnimateFramesOptions, ModelOptions {
  /** The picture to animate: a frame, the path of a picture or a video (its first frame), or `puppet:SEED`. */
  readonly source: string | Frame
  /** The path of a video, or `puppet:SEED`. */
  readonly driving: string
  /** Path of the video to write: mp4, mov, mkv or webm. */
  readonly out: string
  /** Side of the result in pixels (default: the size of the model). Enlarging adds no detail. */
  readonly size?: number
  /** Replaces an existing file (default false). */
  readonly overwrite?: boolean
  /** Puts the moved square back into the whole picture, with soft edges (default false). The video has the picture's size. */
  readonly paste?: boolean
  /** Whether the video gets the sound of the driving clip (default true). */
  readonly sound?: boolean
}

/** What `animate` wrote. */
export interface AnimateResult {
  /** Path of the video. */
  readonly out: string
  /** Number of frames. */
  readonly frames: number
  /** Frames per second, as in the driving clip. */
  readonly frameRate: number
  /** What became of the driving clip's sound, in words. */
  readonly sound: string
  /**
   * What a user should know, a sentence each: about the driving clip's file, a clip in which nothing moves, a picture
   * that was enlarged.
   */
  readonly notices: readonly string[]
  /** Number of the reference frame; undefined if the transfer is absolute. */
  readonly referenceFrame: number | undefined
  /** The squares that the model saw, and what decided them. */
  readonly squares: {
    /** Of the picture. */
    readonly source: Framing
    /** Of the video. */
    readonly driving: Framing
  }
  /** The device that the model ran on. */
  readonly device: Device
  /** Duration of the whole call, in seconds. */
  readonly seconds: number
}

/**
 * Animates a picture with the motion of a video, and writes a video with the same number of frames and the same frame
 * times (Siarohin et al. 2019, section 3.3). Its sound is copied. Frames are streamed. A failure or an abort leaves no file.
 *
 * @param run a run folder, the result of `train`, or an open model, which stays open.
 * @throws InputError if the run, the source, the driving clip or the output cannot be used; EnvironmentError if a device
 * or a codec is missing, or the disk is full. The signal's reason, if it is aborted.
 */
export async function animate(
  run: RunReference | MotionModel,
  options: AnimateOptions,
): Promise<AnimateResult> {
  const start = performance.now()
  return withModel(run, options, async (model) => {
    const made = await writeAnimation(model, options)
    return { ...made, device: model.device, seconds: (performance.now() - start) / 1000 }
  })
}

async function writeAnimation(model: MotionModel, options: AnimateOptions) {
  const { out, signal } = options
  signal?.throwIfAborted()
  await assertNoInput([out], [options.source, options.driving])
  const crop = options.crop ?? formatCrop(model.crop)
  const { size } = model.config
  const source = await fitSource(options.source, size, options.fit ?? model.fit, {
    ...{ crop, signal },
    ...(options.face !== undefined && { face: options.face }),
  })
  const shown =
    options.paste === true ? createPaster(source.picture, source.framing.square) : toSize(model, options)
  const clip = await openClip(options.driving, { signal })
  try {
    if (clip.frameCount < 2) throw noMotion(clip.name)
    const driving = await frameClip(clip, size, drivingFraming(model, options))
    const { frameRate } = clip
    const overwrite = options.overwrite ?? false
    const { width, height } = shown
    const { sound, words } = await soundFor(out, clip, options.sound)
    const times = { frameRate, variableRate: clip.variableRate ?? false }
    const writer = await createVideoWriter(out, { width, height, overwrite, ...times, sound })
    try {
      let referenceFrame: number | undefined
      const watch = new MotionWatch()
      for await (const moved of moveFrames(model, source.pixels, clip, {
        ...options,
        fitter: watch.watching(driving.fitter),
      })) {
        referenceFrame = moved.referenceFrame
        await writer.write(shown.show(moved.result))
      }
      signal?.throwIfAborted()
      await writer.close()
      const squares = { source: source.framing, driving: driving.framing }
      const name = typeof options.source === 'string' ? options.source : 'the source picture'
      const notices = [...smallNotes(source.picture, size, name), ...clipNotes(clip, size, watch)]
      return { out, frames: writer.frameCount, frameRate, sound: words, notices, referenceFrame, squares }
    } finally {
      await writer.abort()
    }
  } finally {
    await clip.close()
  }
}

/** A square in pixels and the number of a face are those of the picture. */
function drivingFraming(model: MotionModel, { face: _, ...options }: AnimateOptions) {
  const framing = framingOf(model, options)
  return typeof framing.crop === 'string' ? framing : { ...framing, crop: 'auto' as const }
}

function toSize(model: MotionModel, { size = model.config.size }: AnimateOptions) {
  return { width: size, height: size, show: (frame: Frame) => resized(frame, size) }
}

function noMotion(name: string): InputError {
  return new InputError({
    what: 'the driving clip has one frame, and so no motion',
    where: name,
    expected: 'at least 2 frames',
    remedy: 'give a video; to animate this picture, name it as the source',
  })
}
