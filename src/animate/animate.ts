// Animates a picture with the motion of a video, from file to file.

import { openClip } from '../clips/source.ts'
import { formatCrop } from '../faces/box.ts'
import { type Framing, frameClip } from '../faces/framing.ts'
import { fitSource, framingOf } from '../faces/node.ts'
import { assertNoInput } from '../files/folders.ts'
import { type Frame, smallNotes } from '../media/clip.ts'
import type { Square } from '../media/fit.ts'
import { clipNotes, fades, MotionWatch } from '../media/fit.ts'
import type { Mark } from '../media/mark.ts'
import { createResampler } from '../media/resample.ts'
import { createVideoWriter, soundFor } from '../media/video-out.ts'
import { resized } from '../model/keypoint-detector.ts'
import { type ModelOptions, type MotionModel, type RunReference, withModel } from '../model/open-model.ts'
import type { Device } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import { isOfZoo, pluginOf } from '../zoo/registry.ts'
import { type AnimateFramesOptions, moveFrames, type OpenPainters } from './animate-frames.ts'
import { Painters, painterCount } from './painters.ts'

/**
 * The picture, the video and the output of `animate`. `crop` by a name holds for both, the picture and the video. A square in
 * pixels, and `face`, hold for the picture alone.
 */
export interface AnimateOptions extends AnimateFramesOptions, ModelOptions {
  /** The picture to animate: a frame, the path of a picture or a video (its first frame), `puppet:SEED` or `head:SEED`. */
  readonly source: string | Frame
  /** The path of a video, of an animated picture or of a folder of numbered pictures, `puppet:SEED` or `head:SEED`. */
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
  /** Says in the file that a trained model made the video (default true). Laws may ask for it. */
  readonly mark?: boolean
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
  /** What the file says of its origin, in IPTC's terms; undefined if it was to say nothing. */
  readonly mark: Mark | undefined
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
    const made = await writeAnimation(model, options, model !== run)
    return { ...made, device: model.device, seconds: (performance.now() - start) / 1000 }
  })
}

/** @param mayOpen whether threads may open the model from its folder again */
async function writeAnimation(model: MotionModel, options: AnimateOptions, mayOpen: boolean) {
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
    const mark = options.mark === false ? undefined : markOf(options)
    const writer = await createVideoWriter(out, { width, height, overwrite, ...times, sound, mark })
    try {
      let referenceFrame: number | undefined
      const watch = new MotionWatch()
      const fitter = watch.watching(driving.fitter)
      const openPainters = mayOpen ? paintersFor(model, options) : undefined
      for await (const moved of moveFrames(
        model,
        source.pixels,
        clip,
        { ...options, fitter },
        openPainters,
      )) {
        referenceFrame = moved.referenceFrame
        await writer.write(shown.show(moved.result))
      }
      signal?.throwIfAborted()
      await writer.close()
      const squares = { source: source.framing, driving: driving.framing }
      const name = typeof options.source === 'string' ? options.source : 'the source picture'
      const notices = [...smallNotes(source.picture, size, name), ...clipNotes(clip, size, watch)]
      const { frameCount: frames } = writer
      return { out, frames, frameRate, sound: words, mark, notices, referenceFrame, squares }
    } finally {
      await writer.abort()
    }
  } finally {
    await clip.close()
  }
}

/** Threads that paint, for a clip that is long enough and a model on the CPU that other threads can open. */
function paintersFor(model: MotionModel, options: AnimateOptions): OpenPainters {
  return async (source, kpSource, frames) => {
    const count = painterCount(frames)
    const { net } = model.config
    const isKnown = isOfZoo(net) || pluginOf(net) !== undefined
    if (count === 1 || model.device !== 'cpu' || !isKnown) return undefined
    return Painters.open(model.path, count, source, kpSource, options)
  }
}

/** Around a moved square that is put back, the picture is as it was. */
const markOf = ({ paste }: AnimateOptions): Mark =>
  paste === true ? 'compositeWithTrainedAlgorithmicMedia' : 'trainedAlgorithmicMedia'

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

/** Puts moved squares of one picture back. */
export interface Paster {
  /** The picture's, in pixels. */
  readonly width: number
  readonly height: number
  /**
   * The whole picture with a moved square in it. The square fades in from its edges. Where its edge is the picture's, there
   * is nothing to fade into, and it stays as it is.
   *
   * @param moved the square, of any one size; its times are kept
   */
  show(moved: Frame): Frame
}

/**
 * Prepares to put moved squares back.
 *
 * @param square where the square was cut, in pixels; parts beyond the picture are left out
 */
export function createPaster(picture: Frame, { left, top, side }: Square): Paster {
  const { width, height } = picture
  const target = Math.max(1, Math.round(side))
  const [x0, y0] = [Math.round(left), Math.round(top)]
  const across = fades(target, x0 > 0, x0 + target < width)
  const down = fades(target, y0 > 0, y0 + target < height)
  let [size, resample] = [0, (data: Uint8Array): Uint8Array => data]

  const show = (moved: Frame): Frame => {
    if (moved.width !== size) {
      size = moved.width
      const all = { left: 0, top: 0, width: size, height: size }
      resample =
        size === target ? (data) => data : createResampler(moved, all, { width: target, height: target })
    }
    const pixels = resample(moved.data)
    const data = picture.data.slice()
    for (let y = Math.max(0, -y0); y < target && y + y0 < height; y++) {
      for (let x = Math.max(0, -x0); x < target && x + x0 < width; x++) {
        const part = across[x]! * down[y]!
        const from = 3 * (y * target + x)
        const to = 3 * ((y + y0) * width + x + x0)
        for (let c = 0; c < 3; c++) {
          data[to + c] = data[to + c]! + part * (pixels[from + c]! - data[to + c]!) + 0.5
        }
      }
    }
    return { width, height, data, time: moved.time, duration: moved.duration }
  }
  return { width, height, show }
}
