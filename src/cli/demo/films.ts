// The cast and the films of the demo: which puppets are trained on, driven and moved, and films of source, driving frame
// and result side by side.
import { animateFrames } from '../../animate/animate-frames.ts'
import { type ComparedFrames, compareSheet } from '../../animate/preview.ts'
import { openClip } from '../../clips/source.ts'
import { fitSource } from '../../faces/source.ts'
import type { Frame } from '../../media/clip.ts'
import { contactSheet } from '../../media/draw.ts'
import { writePicture } from '../../media/picture.ts'
import { createVideoWriter } from '../../media/video-out.ts'
import { resized, squareFrame } from '../../model/inputs-outputs.ts'
import type { MotionModel } from '../../model/open-model.ts'
import { Random } from '../../util/random.ts'
import type { ProgressEvent } from '../progress.ts'

/** The clips of a demo: puppets from seeds, grouped by what training sees of them. */
export interface Cast {
  /** Clips to train on. */
  readonly trained: readonly string[]
  /** Movements that were not trained on, of puppets that were. */
  readonly familiar: readonly string[]
  /** Puppets that were not trained on. */
  readonly strangers: readonly string[]
  /** The still picture of a puppet that was never seen. */
  readonly source: string
  /** The still picture of one that was trained on. */
  readonly familiarSource: string
  /** The clip that moves both, of a third puppet that was never seen. */
  readonly driving: string
  /** The same clip at a size that is good to look at. */
  readonly drivingLarge: string
}

const puppets = 8
const trainedFrames = 48
/** Trained frames are an eighth of a second apart, so that the same number of frames shows more poses. */
const trainedRate = 8

/** Chooses the cast for a seed; `size` is what the model sees, in pixels. */
export function chooseCast(seed: number, size: number): Cast {
  const random = new Random(seed)
  // Each group has its own range of seeds, so that no puppet is in two groups.
  const draw = (group: number) => group * 100_000 + random.integer(100_000)
  const clip = (puppet: number, options: string) => `puppet:${puppet},${options}`
  const trained = Array.from({ length: puppets }, () => draw(1))
  const strangers = Array.from({ length: 4 }, () => draw(2))
  const [source, driving] = [draw(3), draw(4)]
  const still = `frames=1,size=${size}`
  const moving = 'frames=125,rate=25'
  return {
    trained: trained.map((puppet) =>
      clip(puppet, `frames=${trainedFrames},rate=${trainedRate},size=${size}`),
    ),
    familiar: trained
      .slice(0, 4)
      .map((puppet) => clip(puppet, `frames=${trainedFrames + 16},rate=${trainedRate},size=${size}`)),
    strangers: strangers.map((puppet) => clip(puppet, `frames=20,rate=${trainedRate},size=${size}`)),
    source: clip(source, still),
    familiarSource: clip(trained[0]!, still),
    driving: clip(driving, `${moving},size=${size}`),
    drivingLarge: clip(driving, `${moving},size=${4 * size}`),
  }
}

/** Where in the `familiar` clips the movements begin that were not trained on. */
export const familiarFrom = trainedFrames / (trainedFrames + 16)

/** Where in the `strangers` clips measuring begins. Their first frame is the source, and would equal itself. */
export const strangersFrom = 0.2

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
