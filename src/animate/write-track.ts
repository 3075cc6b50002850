import { type FileHandle, open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { openClip } from '../clips/source.ts'
import { createOutput } from '../files/atomic.ts'
import { fileError } from '../files/file-errors.ts'
import type { Clip } from '../media/clip.ts'
import type { Fitter, Square } from '../media/fit.ts'
import { fitClip, seenSquare, videoPosition } from '../media/fit-clip.ts'
import { createVideoWriter, type VideoWriter } from '../media/video-out.ts'
import { type MotionModel, type RunReference, withModel } from '../model/model.ts'
import { producer } from '../onnx/version.ts'
import type { Device } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import { drawKeypoints } from './preview.ts'
import { detectAll, type TrackOptions, tracked } from './track.ts'

export interface WriteTrackOptions extends TrackOptions {
  /** JSON file to make: see `TrackFile`. */
  readonly out: string
  /** Video file to make: the clip with its keypoints drawn on it. */
  readonly overlay?: string
  /** Replace existing files (default false). */
  readonly overwrite?: boolean
}

/** What a track file says before its `frames`, which are `TrackedFrame`s, one a line. */
export interface TrackHeader {
  readonly pantin: { readonly format: 1; readonly version: string }
  /** Name of the detector's network. */
  readonly net: string
  /** K. */
  readonly keypoints: number
  /** Pixels a side that the network sees. */
  readonly size: number
  /** Pixels of the video, as displayed. */
  readonly width: number
  readonly height: number
  /** Frames a second; the average where it varies. */
  readonly frameRate: number
  /**
   * The square that coordinates span, in pixels of the video. A coordinate v is at pixel
   * left + ((v + 1) / 2 * (size - 1) + 0.5) * side / size - 0.5 (and so with top), the centre of the first
   * pixel being 0: `videoPosition`.
   */
  readonly crop: Square
}

export interface WriteTrackResult {
  readonly out: string
  readonly overlay: string | undefined
  readonly frames: number
  readonly keypoints: number
  /** The device that was really used. */
  readonly device: Device
  /** Time that all of it took. */
  readonly seconds: number
}

/**
 * Writes the keypoints of every frame of a video as JSON and, on request, a video that shows them. Both are
 * streamed and get their names only when they are whole.
 *
 * @param run a run folder, what `train` returned, or a model that is open (and stays so).
 * @param video its path, or `puppet:SEED`.
 * @throws InputError for a run, video or output that cannot serve, EnvironmentError for a device or codec
 * that is missing, or a full disk. The signal's reason, if it is aborted.
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
    const clip = await openClip(video)
    try {
      const fitter = await fitClip(clip, model.config.size, options.fit ?? model.fit)
      const frames = await writeFiles(model, clip, fitter, options)
      const { keypoints } = model.config
      const seconds = (performance.now() - start) / 1000
      return { out, overlay, frames, keypoints, device: model.device, seconds }
    } finally {
      await clip.close()
    }
  })
}

async function writeFiles(model: MotionModel, clip: Clip, fitter: Fitter, options: WriteTrackOptions) {
  const { out, overlay, overwrite = false } = options
  const { width, height, frameRate } = clip
  const crop = seenSquare(fitter)
  const { net, keypoints, size } = model.config
  const pantin = { format: 1, version: producer.version } as const
  const header: TrackHeader = { pantin, net, keypoints, size, width, height, frameRate, crop }
  const place = videoPosition(crop, size)

  const output = await createOutput(out, { overwrite })
  let film: VideoWriter | undefined
  try {
    if (overlay !== undefined) {
      film = await createVideoWriter(overlay, { width, height, frameRate, overwrite })
    }
    const frames = await writeLines(output.temporary, header, async function* () {
      let frame = 0
      for await (const { read, keypoints } of detectAll(model, clip, fitter, options)) {
        await film?.write(drawKeypoints(read, keypoints, { place }))
        yield tracked(frame++, read.time, keypoints)
      }
    })
    options.signal?.throwIfAborted()
    await film?.close()
    await output.commit()
    return frames
  } catch (error) {
    throw fileError(error, out, 'written')
  } finally {
    await film?.abort()
    await output.abort()
  }
}

/** One JSON object whose last entry, `frames`, has one element a line. @returns their number. */
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
    what: 'the track and its overlay cannot be one file',
    where: out,
    remedy: 'name a .json file for the track and a .mp4 file for the overlay',
  })
}
