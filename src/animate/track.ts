// Keypoints of every frame of a clip: one by one, as a JSON file, and as a video that shows them.
import { type FileHandle, open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { openClip } from '../clips/source.ts'
import { type FramedBy, type Framing, frameClip } from '../faces/framing.ts'
import { type CropOptions, framingOf } from '../faces/node.ts'
import { createOutput } from '../files/atomic.ts'
import { fileError } from '../files/file-errors.ts'
import { assertAtLeast, type Clip, type Frame } from '../media/clip.ts'
import { type Fitter, type Square, seenSquare, videoPosition } from '../media/fit.ts'
import { type KeptSound, soundFor } from '../media/sound-copy.ts'
import { createVideoWriter, type VideoWriter } from '../media/video-out.ts'
import type { Keypoints } from '../model/inputs-outputs.ts'
import {
  isModel,
  type ModelOptions,
  type MotionModel,
  openModel,
  type RunReference,
  withModel,
} from '../model/open-model.ts'
import { producer } from '../onnx/format.ts'
import type { Device } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import { drawKeypoints } from './preview.ts'

/** How `track` opens the model and reads the clip. */
export interface TrackOptions extends ModelOptions, Omit<CropOptions, 'signal'> {
  /** Called after each frame, with the numbers of frames done and of all frames. */
  onProgress?(done: number, total: number): void
}

/** The keypoints of one frame. */
export interface TrackedFrame {
  /** Number of the frame in the clip, from 0. */
  readonly frame: number
  /** Time in the clip, in seconds. */
  readonly time: number
  /** K x 2, (x, y) in [-1, 1] of the square that the model sees: see `TrackHeader.crop`. */
  readonly value: number[][]
  /** K x 2 x 2, the local affine maps; undefined if the model has points only. */
  readonly jacobian: number[][][] | undefined
  /** Set if the frame is damaged: the keypoints are those of the frame before it. */
  readonly damaged?: true
}

/**
 * Finds the keypoints of every frame of a clip. One frame is in memory at a time.
 *
 * @param run a run folder, the result of `train`, or an open model, which stays open.
 * @param clip the path of a video, `puppet:SEED`, or an open clip, which stays open.
 * @throws InputError if the run or the clip cannot be used. The signal's reason, if it is aborted.
 */
export async function* track(
  run: RunReference | MotionModel,
  clip: string | Clip,
  options: TrackOptions = {},
): AsyncGenerator<TrackedFrame, void, undefined> {
  const model = isModel(run) ? run : await openModel(run, options)
  try {
    const opened = typeof clip === 'string' ? await openClip(clip, { signal: options.signal }) : clip
    try {
      const { fitter } = await framed(model, opened, options)
      let frame = 0
      for await (const { read, keypoints } of detectAll(model, opened, fitter, options)) {
        yield tracked(frame++, read, keypoints)
      }
    } finally {
      if (opened !== clip) await opened.close()
    }
  } finally {
    if (model !== run) await model.close()
  }
}

function framed(model: MotionModel, clip: Clip, options: TrackOptions) {
  assertAtLeast(clip, model.config.size, clip.name)
  return frameClip(clip, model.config.size, framingOf(model, options))
}

/** Every frame of a clip with its keypoints. */
export async function* detectAll(
  model: MotionModel,
  clip: Clip,
  fitter: Fitter,
  { signal, onProgress }: TrackOptions,
): AsyncGenerator<{ readonly read: Frame; readonly keypoints: Keypoints }, void, undefined> {
  let done = 0
  signal?.throwIfAborted()
  for await (const read of clip.frames()) {
    signal?.throwIfAborted()
    yield { read, keypoints: await model.detect(fitter(read)) }
    done++
    onProgress?.(done, clip.frameCount)
  }
}

/** Keypoints as nested lists, rounded to 7 significant digits, the precision of float32. */
export function tracked(
  frame: number,
  { time, damaged }: Pick<Frame, 'time' | 'damaged'>,
  { value, jacobian }: Keypoints,
): TrackedFrame {
  const round = (number: number) => Number(number.toPrecision(7))
  const pairs = (flat: Float32Array) =>
    Array.from({ length: flat.length / 2 }, (_, i) => [round(flat[2 * i]!), round(flat[2 * i + 1]!)])
  const rows = jacobian && pairs(jacobian)
  return {
    frame,
    time,
    value: pairs(value),
    jacobian: rows && Array.from({ length: rows.length / 2 }, (_, k) => [rows[2 * k]!, rows[2 * k + 1]!]),
    ...(damaged && { damaged }),
  }
}

/** The files that `writeTrack` writes. */
export interface WriteTrackOptions extends TrackOptions {
  /** Path of the JSON file to write: the fields of `TrackHeader`, then `frames`, a list of `TrackedFrame`. */
  readonly out: string
  /** Path of a video to write: the clip with its keypoints drawn on it (default: none). */
  readonly overlay?: string
  /** Replaces existing files (default false). */
  readonly overwrite?: boolean
  /** Whether the overlay gets the clip's sound (default true). */
  readonly sound?: boolean
}

/** The head of a track file. The list `frames` follows, with one `TrackedFrame` per line. */
export interface TrackHeader {
  /** Version of the file format, and the version of pantin that wrote it. */
  readonly pantin: {
    /** Version of the format. */
    readonly format: 1
    /** Version of pantin. */
    readonly version: string
  }
  /** Name of the detector network. */
  readonly net: string
  /** Number of keypoints, K. */
  readonly keypoints: number
  /** Side of the square that the network sees, in pixels. */
  readonly size: number
  /** Width of the video as displayed, in pixels. */
  readonly width: number
  /** Height of the video as displayed, in pixels. */
  readonly height: number
  /** Frames per second; the mean if the rate varies. */
  readonly frameRate: number
  /**
   * The square that the coordinates span, in pixels of the video. A coordinate x is at the pixel
   * left + ((x + 1) / 2 * (size - 1) + 0.5) * side / size - 0.5, where 0 is the centre of the first pixel. For y, take
   * `top` instead of `left`.
   */
  readonly crop: Square
  /** What decided the square. */
  readonly cropBy: FramedBy
}

/** What `writeTrack` wrote. */
export interface WriteTrackResult {
  /** Path of the JSON file. */
  readonly out: string
  /** Path of the video with the keypoints drawn on it; undefined if none was asked for. */
  readonly overlay: string | undefined
  /** Number of frames. */
  readonly frames: number
  /** What became of the clip's sound, in words; undefined without an overlay. */
  readonly sound: string | undefined
  /** What a user should know about the clip's file, a sentence each. */
  readonly notices: readonly string[]
  /** Number of keypoints, K. */
  readonly keypoints: number
  /** The square that the model saw, and what decided it. */
  readonly square: Framing
  /** The device that the model ran on. */
  readonly device: Device
  /** Duration of the whole call, in seconds. */
  readonly seconds: number
}

/**
 * Writes the keypoints of every frame of a video as JSON and, if `overlay` is given, a video that shows them. Both files
 * are streamed, and get their names only when they are complete.
 *
 * @param run a run folder, the result of `train`, or an open model, which stays open.
 * @param video the path of a video, or `puppet:SEED`.
 * @throws InputError if the run, the video or an output cannot be used; EnvironmentError if a device or a codec is
 * missing, or the disk is full. The signal's reason, if it is aborted.
 */
export async function writeTrack(
  run: RunReference | MotionModel,
  video: string,
  options: WriteTrackOptions,
): Promise<WriteTrackResult> {
  const start = performance.now()
  const { out, overlay } = options
  assertDifferent(out, overlay)
  return withModel(run, options, async (model) => {
    const clip = await openClip(video, { signal: options.signal })
    try {
      const { fitter, framing } = await framed(model, clip, options)
      const { frames, sound } = await writeFiles(model, clip, fitter, framing.by, options)
      const { keypoints } = model.config
      const seconds = (performance.now() - start) / 1000
      const made = { out, overlay, frames, sound, notices: clip.notices ?? [], keypoints, square: framing }
      return { ...made, device: model.device, seconds }
    } finally {
      await clip.close()
    }
  })
}

async function writeFiles(
  model: MotionModel,
  clip: Clip,
  fitter: Fitter,
  cropBy: FramedBy,
  options: WriteTrackOptions,
) {
  const { out, overlay, overwrite = false } = options
  const { width, height, frameRate } = clip
  const crop = seenSquare(fitter)
  const { net, keypoints, size } = model.config
  const pantin = { format: 1, version: producer.version } as const
  const header: TrackHeader = { pantin, net, keypoints, size, width, height, frameRate, crop, cropBy }
  const place = videoPosition(crop, size)

  const output = await createOutput(out, { overwrite })
  let film: VideoWriter | undefined
  let kept: KeptSound | undefined
  try {
    if (overlay !== undefined) {
      kept = await soundFor(overlay, clip, options.sound)
      const times = { frameRate, variableRate: clip.variableRate ?? false }
      film = await createVideoWriter(overlay, { width, height, overwrite, ...times, sound: kept.sound })
    }
    const frames = await writeLines(output.temporary, header, async function* () {
      let frame = 0
      for await (const { read, keypoints } of detectAll(model, clip, fitter, options)) {
        await film?.write(drawKeypoints(read, keypoints, { place }))
        yield tracked(frame++, read, keypoints)
      }
    })
    options.signal?.throwIfAborted()
    await film?.close()
    await output.commit()
    return { frames, sound: kept?.words }
  } catch (error) {
    throw fileError(error, out, 'written')
  } finally {
    await film?.abort()
    await output.abort()
  }
}

/** Writes one JSON object, whose last field, `frames`, has one element per line. @returns the number of frames. */
async function writeLines(
  path: string,
  header: TrackHeader,
  frames: () => AsyncIterable<object>,
): Promise<number> {
  const file: FileHandle = await open(path, 'wx')
  try {
    let count = 0
    await file.write(`${JSON.stringify(header).slice(0, -1)},"frames":[`)
    for await (const frame of frames()) {
      await file.write(`${count === 0 ? '' : ','}\n${JSON.stringify(frame)}`)
      count++
    }
    await file.write('\n]}\n')
    return count
  } finally {
    await file.close()
  }
}

function assertDifferent(out: string, overlay: string | undefined): void {
  if (overlay === undefined || resolve(out) !== resolve(overlay)) return
  throw new InputError({
    what: 'the track and its overlay cannot be the same file',
    where: out,
    remedy: 'name a .json file for the track and a .mp4 file for the overlay',
  })
}
