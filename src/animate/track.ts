// Keypoints of every frame of a clip: one by one, as a JSON file or a table, and as a video that shows them.
import { type FileHandle, open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { openClip } from '../clips/source.ts'
import { type FramedBy, type Framing, frameClip } from '../faces/framing.ts'
import { type CropOptions, framingOf } from '../faces/node.ts'
import { createOutput } from '../files/atomic.ts'
import { fileError } from '../files/file-errors.ts'
import { assertNoInput, isSameFile } from '../files/folders.ts'
import type { Clip, Frame } from '../media/clip.ts'
import { clipNotes, type Fitter, MotionWatch, type Square, seenSquare, videoPosition } from '../media/fit.ts'
import { createVideoWriter, type KeptSound, soundFor, type VideoWriter } from '../media/video-out.ts'
import type { Keypoints } from '../model/keypoint-detector.ts'
import { type Smoothing, smoother } from '../model/one-euro.ts'
import {
  isModel,
  type ModelOptions,
  type MotionModel,
  openModel,
  type RunReference,
  withModel,
} from '../model/open-model.ts'
import { producer } from '../onnx/emitter.ts'
import type { Device } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import { drawKeypoints } from './preview.ts'

/** How `track` opens the model and reads the clip. */
export interface TrackOptions extends ModelOptions, Omit<CropOptions, 'signal'> {
  /** Smooths the keypoints in time by the one-euro filter (default false). */
  readonly smooth?: boolean | Smoothing
  /** Called after each frame, with the numbers of frames done and of all frames. */
  onProgress?(done: number, total: number): void
}

/**
 * Finds the keypoints of every frame of a clip. One frame is in memory at a time.
 *
 * @param run a run folder, the result of `train`, or an open model, which stays open.
 * @param clip the path of a video, `puppet:SEED`, `head:SEED`, or an open clip, which stays open.
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
  return frameClip(clip, model.config.size, framingOf(model, options))
}

/** Every frame of a clip with its keypoints. */
export async function* detectAll(
  model: MotionModel,
  clip: Clip,
  fitter: Fitter,
  { signal, smooth, onProgress }: TrackOptions,
): AsyncGenerator<{ readonly read: Frame; readonly keypoints: Keypoints }, void, undefined> {
  let done = 0
  const filter = smoother(smooth)
  signal?.throwIfAborted()
  for await (const read of clip.frames()) {
    signal?.throwIfAborted()
    yield { read, keypoints: filter(await model.detect(fitter(read)), read.time) }
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
  /**
   * Path of the file to write. A name that ends in `.json` gets the fields of `TrackHeader`, then `frames`, a list of
   * `TrackedFrame`. One that ends in `.csv` gets a line of names, then a line for each frame: its number, its time in
   * seconds, and x and y of each keypoint in pixels of the video, where 0 is the centre of the first pixel.
   */
  readonly out: string
  /** Path of a video to write: the clip with its keypoints drawn on it (default: none). */
  readonly overlay?: string
  /** Replaces existing files (default false). */
  readonly overwrite?: boolean
  /** Whether the overlay gets the clip's sound (default true). */
  readonly sound?: boolean
}

/** What `writeTrack` wrote. */
export interface WriteTrackResult {
  /** Path of the file with the keypoints. */
  readonly out: string
  /** Path of the video with the keypoints drawn on it; undefined if none was asked for. */
  readonly overlay: string | undefined
  /** Number of frames. */
  readonly frames: number
  /** What became of the clip's sound, in words; undefined without an overlay. */
  readonly sound: string | undefined
  /** What a user should know about the clip, a sentence each: about its file, or that nothing moves in it. */
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
 * Writes the keypoints of every frame of a video as JSON or CSV and, if `overlay` is given, a video that shows them. Both files
 * are streamed, and get their names only when they are complete.
 *
 * @param run a run folder, the result of `train`, or an open model, which stays open.
 * @param video the path of a video, `puppet:SEED` or `head:SEED`.
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
  const format = formatOf(out)
  await assertTargets(video, options)
  return withModel(run, options, async (model) => {
    const clip = await openClip(video, { signal: options.signal })
    try {
      const { fitter, framing } = await framed(model, clip, options)
      const watch = new MotionWatch()
      const { frames, sound } = await writeFiles(model, clip, watch.watching(fitter), framing.by, {
        ...options,
        format,
      })
      const { keypoints, size } = model.config
      const notices = clipNotes(clip, size, watch)
      const seconds = (performance.now() - start) / 1000
      const made = { out, overlay, frames, sound, notices, keypoints, square: framing }
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
  options: WriteTrackOptions & { readonly format: TrackFormat },
) {
  const { out, overlay, format, overwrite = false } = options
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
    const frames = await writeLines(output.temporary, format(header), async function* () {
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

/** Writes a line for each frame, between a beginning and an end. @returns the number of frames. */
async function writeLines(
  path: string,
  { begin, line, end }: TrackText,
  frames: () => AsyncIterable<TrackedFrame>,
): Promise<number> {
  const file: FileHandle = await open(path, 'wx')
  try {
    let count = 0
    await file.write(begin)
    for await (const frame of frames()) await file.write(line(frame, count++))
    await file.write(end)
    return count
  } finally {
    await file.close()
  }
}

/**
 * Checks, before any work, the files that `writeTrack` is to write.
 *
 * @throws InputError if a file is the video, both are the same, or the name of the track has another ending than `.json`
 * or `.csv`.
 */
export async function assertTargets(
  video: string,
  { out, overlay }: Pick<WriteTrackOptions, 'out' | 'overlay'>,
): Promise<void> {
  formatOf(out)
  await assertNoInput([out, overlay], [video])
  if (overlay === undefined || (resolve(out) !== resolve(overlay) && !(await isSameFile(out, overlay))))
    return
  throw new InputError({
    what: 'the track and its overlay cannot be the same file',
    where: out,
    remedy: 'name a .json or .csv file for the track and a .mp4 file for the overlay',
  })
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

/** The pieces of a file of keypoints. */
export interface TrackText {
  readonly begin: string
  /** The line of a frame; `count` frames are written before it. */
  line(frame: TrackedFrame, count: number): string
  readonly end: string
}

/** Makes the pieces of a file from its head. */
export type TrackFormat = (header: TrackHeader) => TrackText

/** One JSON object, whose last field, `frames`, has one element per line. */
const json: TrackFormat = (header) => ({
  begin: `${JSON.stringify(header).slice(0, -1)},"frames":[`,
  line: (frame, count) => `${count === 0 ? '' : ','}\n${JSON.stringify(frame)}`,
  end: '\n]}\n',
})

/** A line of names, then a line for each frame, with keypoints in pixels of the video. */
const csv: TrackFormat = ({ keypoints, crop, size }) => {
  const place = videoPosition(crop, size)
  const names = Array.from({ length: keypoints }, (_, k) => [`x${k}`, `y${k}`])
  return {
    begin: `${['frame', 'time', ...names.flat()].join()}\n`,
    line: ({ frame, time, value }) => {
      const points = value.flatMap(([x, y]) => place(x!, y!).map((pixels) => Number(pixels.toFixed(3))))
      return `${[frame, time, ...points].join()}\n`
    },
    end: '',
  }
}

/** The format that a file's name asks for. @throws InputError for a name that ends neither in .json nor in .csv. */
export function formatOf(path: string): TrackFormat {
  const [ending = ''] = /\.[^./\\]*$/.exec(path) ?? []
  if (ending.toLowerCase() === '.json') return json
  if (ending.toLowerCase() === '.csv') return csv
  throw new InputError({
    what: 'keypoints are not written in a file of this kind',
    where: path,
    got: ending === '' ? 'a name without an ending' : ending,
    expected: '.json or .csv',
    remedy: 'give the file a name that ends in .json or .csv',
  })
}
