import { fitSource } from '../clips/fit-source.ts'
import { openClip } from '../clips/source.ts'
import { assertAtLeast, type Frame } from '../media/frame.ts'
import { createVideoWriter } from '../media/video-out.ts'
import { type ModelOptions, type MotionModel, type RunReference, withModel } from '../model/model.ts'
import { resized } from '../model/pixels.ts'
import type { Device } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import { type AnimateFramesOptions, moveFrames } from './animate-frames.ts'

export interface AnimateOptions extends AnimateFramesOptions, ModelOptions {
  /** The picture to animate: a picture, the path of one, or of a video (its first frame), or `puppet:SEED`. */
  readonly source: string | Frame
  /** The path of a video, or `puppet:SEED`. */
  readonly driving: string
  /** Video file to make: mp4, mov, mkv or webm. */
  readonly out: string
  /** Pixels a side of the result; default: the model's. It is enlarged, not made in more detail. */
  readonly size?: number
  /** Replace an existing file (default false). */
  readonly overwrite?: boolean
}

export interface AnimateResult {
  readonly out: string
  readonly frames: number
  /** Frames a second: the driving clip's. */
  readonly frameRate: number
  /** Number of the driving frame whose pose counted as the source's; undefined for absolute transfer. */
  readonly referenceFrame: number | undefined
  /** The device that was really used. */
  readonly device: Device
  /** Time that all of it took. */
  readonly seconds: number
}

/**
 * Animates a picture with the motion of a video and writes a video of the same number and rate of frames
 * (Siarohin et al. 2019, section 3.3). Frames are streamed; a failure or an abort leaves no file.
 *
 * @param run a run folder, what `train` returned, or a model that is open (and stays so).
 * @throws InputError for a run, source, driving clip or output that cannot serve, EnvironmentError for a
 * device or codec that is missing, or a full disk. The signal's reason, if it is aborted.
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
  const { out, size = model.config.size, signal } = options
  signal?.throwIfAborted()
  const source = await fitSource(options.source, model.config.size, options.fit ?? model.fit)
  const clip = await openClip(options.driving)
  try {
    if (clip.frameCount < 2) throw noMotion(clip.name)
    assertAtLeast(clip, model.config.size, clip.name)
    const { frameRate } = clip
    const overwrite = options.overwrite ?? false
    const writer = await createVideoWriter(out, { width: size, height: size, frameRate, overwrite })
    try {
      let referenceFrame: number | undefined
      for await (const moved of moveFrames(model, source.pixels, clip, options)) {
        referenceFrame = moved.referenceFrame
        await writer.write(resized(moved.result, size))
      }
      signal?.throwIfAborted()
      await writer.close()
      return { out, frames: writer.frameCount, frameRate, referenceFrame }
    } finally {
      await writer.abort()
    }
  } finally {
    await clip.close()
  }
}

function noMotion(name: string): InputError {
  return new InputError({
    what: 'the driving clip has one frame, and so no motion',
    where: name,
    expected: 'at least 2 frames',
    remedy: 'give a video; to animate this picture, name it as the source',
  })
}
