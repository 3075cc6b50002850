// The films of the demo: source, driving frame and result side by side, and a sheet of moments.
import { animateFrames } from '../../animate/animate-frames.ts'
import { type ComparedFrames, compareSheet } from '../../animate/preview.ts'
import { fitSource, openClip } from '../../clips/source.ts'
import type { Frame } from '../../media/clip.ts'
import { contactSheet } from '../../media/draw.ts'
import { writePicture } from '../../media/picture.ts'
import { createVideoWriter } from '../../media/video-out.ts'
import type { MotionModel } from '../../model/open-model.ts'
import { resized, squareFrame } from '../../model/pixels.ts'
import type { ProgressEvent } from '../progress.ts'

/** Side of a picture in the films, in pixels, and the paper between them. */
const shown = 256
const gap = 8

export interface FilmOptions {
  readonly source: string
  readonly driving: string
  readonly out: string
  /** Every how many frames a moment is kept for the contact sheet. */
  readonly every: number
  readonly signal: AbortSignal
  onProgress(event: ProgressEvent): void
}

/**
 * Films source, driving frame and result side by side.
 *
 * @returns moments of it, small.
 */
export async function filmAnimation(model: MotionModel, options: FilmOptions): Promise<ComparedFrames[]> {
  const { every, signal, onProgress } = options
  const source = await fitSource(options.source, model.config.size, model.fit)
  const still = squareFrame(source.pixels)
  const clip = await openClip(options.driving)
  try {
    const { frameRate } = clip
    const size = { width: 3 * shown + 2 * gap, height: shown, frameRate }
    const writer = await createVideoWriter(options.out, { ...size, overwrite: true })
    const moments: ComparedFrames[] = []
    try {
      const frames = animateFrames(model, source.pixels, clip, {
        signal,
        onProgress: (event) => onProgress({ unit: 'frames', ...event, device: model.device }),
      })
      for await (const { frame, driving, result } of frames) {
        const moment = { source: still, driving, result }
        if (frame % every === Math.floor(every / 2)) moments.push(moment)
        await writer.write(enlarged(moment))
      }
      await writer.close()
    } finally {
      await writer.abort()
    }
    return moments
  } finally {
    await clip.close()
  }
}

const enlarged = ({ source, driving, result }: ComparedFrames): Frame =>
  contactSheet(
    [source, driving, result].map((frame) => resized(frame, shown)),
    3,
    gap,
  )

/** Writes moments of several films as one picture, two to a row. */
export async function writeSheet(path: string, moments: readonly ComparedFrames[]): Promise<void> {
  await writePicture(path, compareSheet(moments, { cell: 160, groups: 2 }))
}
