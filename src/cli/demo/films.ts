// The cast and the films of the demo: who is moved by whom, and films of several pictures side by side.
import { animateFrames } from '../../animate/animate-frames.ts'
import { compareSheet } from '../../animate/preview.ts'
import { openClip } from '../../clips/source.ts'
import { fitSource } from '../../faces/node.ts'
import { type Clip, type Frame, frameAt } from '../../media/clip.ts'
import { contactSheet } from '../../media/draw.ts'
import type { Mark } from '../../media/mark.ts'
import { writePicture } from '../../media/picture.ts'
import { createVideoWriter } from '../../media/video-out.ts'
import { resized, squareFrame } from '../../model/keypoint-detector.ts'
import type { MotionModel } from '../../model/open-model.ts'
import { findStarter, type Starter } from '../../run/starters.ts'
import { Random } from '../../util/random.ts'
import type { ProgressEvent } from '../progress.ts'

/** A picture and the clip that moves it, by their names. */
export interface Pair {
  readonly source: string
  readonly driving: string
}

/** Who is in a demo. No starter was trained on any of them. */
export interface Cast {
  readonly face: Pair
  readonly puppet: Pair
  /** The clip that training sees, and its measures: one person. */
  readonly own: string
}

/** Three seconds, to look at; and ten seconds to train on, of few enough frames for the demo's time. */
const moving = 'frames=75,rate=25'
const trained = 'frames=120,rate=12.5'

/** The cast of a seed. With 0, it is that of the starters' examples, which look good. */
export function chooseCast(seed: number): Cast {
  const [face, puppet] = ['face', 'puppet'].map((name) => findStarter(name)!) as [Starter, Starter]
  const random = new Random(seed)
  const names = ({ examples }: Starter) =>
    seed === 0
      ? examples
      : examples.map((example) => example.replace(/\d+/, () => String(100_001 + random.integer(900_000))))
  const pairOf = ({ size }: Starter, [source, driving]: readonly string[]) => ({
    source: `${source},frames=1,size=${size}`,
    driving: `${driving},${moving},size=${size}`,
  })
  const [heads, puppets] = [names(face), names(puppet)]
  return {
    face: pairOf(face, heads),
    puppet: pairOf(puppet, puppets),
    own: `${heads[2]},${trained},size=${face.size}`,
  }
}

/** Where in the clip of training the part begins that training does not see: as `train` holds out by default. */
export const heldOutFrom = 0.8

/** Side of a picture in the films, in pixels, and the paper between them. */
const shown = 256
const gap = 8

/** What all films are told. */
export interface FilmOptions {
  /** The video to write. */
  readonly out: string
  /** Whether it says that a trained model made parts of it. */
  readonly mark: boolean
  readonly signal: AbortSignal
  onProgress(event: ProgressEvent): void
}

/** Pictures of one moment, side by side. */
type Moment = readonly Frame[]

/**
 * Films source, driving frame and result side by side.
 *
 * @returns three moments of it, small.
 */
export async function filmAnimation(
  model: MotionModel,
  { source: name, driving }: Pair,
  options: FilmOptions,
): Promise<Moment[]> {
  const { signal, onProgress } = options
  const source = await fitSource(name, model.config.size, model.fit, { signal })
  const still = squareFrame(source.pixels)
  await using clip = await openClip(driving, { signal })
  const kept = await keepFrames(clip, signal)
  async function* moments(): AsyncGenerator<Moment> {
    const moved = animateFrames(model, source.pixels, kept, {
      signal,
      onProgress: (event) => onProgress({ unit: 'frames', ...event, device: model.device }),
    })
    for await (const { driving: frame, result } of moved) yield [still, frame, result]
  }
  return film(moments(), 3, kept, options)
}

/**
 * Films the frames of a clip that training did not see beside what models make of them: first frame of the clip, true
 * frame, and each model's frame, made of the first frame and the keypoints of the true one.
 *
 * @param clip of the models' size
 */
export async function filmBeforeAndAfter(
  models: readonly MotionModel[],
  clip: Clip,
  options: FilmOptions,
): Promise<void> {
  const { signal, onProgress } = options
  const from = Math.floor(clip.frameCount * heldOutFrom + 1e-9)
  const first = await frameAt(clip, 0)
  const starts = await Promise.all(
    models.map(async (model) => ({
      ...{ model, keypoints: await model.detect(first.data) },
      encoded: await model.encode(first.data),
    })),
  )
  async function* moments(): AsyncGenerator<Moment> {
    let done = 0
    for await (const frame of clip.frames({ fromFrame: from })) {
      signal.throwIfAborted()
      const made: Frame[] = []
      for (const { model, encoded, keypoints } of starts) {
        const driving = await model.detect(frame.data)
        made.push(squareFrame(await model.generate(encoded, keypoints, driving), frame.time, frame.duration))
      }
      onProgress({ phase: 'film', done: ++done, total: clip.frameCount - from, unit: 'frames' })
      yield [first, frame, ...made]
    }
  }
  await film(moments(), 2 + models.length, { ...clip, frameCount: clip.frameCount - from }, options)
}

/** Sources and driving frames are beside what the model made. */
const partly: Mark = 'compositeWithTrainedAlgorithmicMedia'

async function film(
  moments: AsyncIterable<Moment>,
  columns: number,
  { frameRate, frameCount }: Pick<Clip, 'frameRate' | 'frameCount'>,
  { out, mark }: FilmOptions,
): Promise<Moment[]> {
  const size = { width: columns * shown + (columns - 1) * gap, height: shown, frameRate }
  const writer = await createVideoWriter(out, { ...size, overwrite: true, mark: mark ? partly : undefined })
  const kept: Moment[] = []
  const wanted = [0.25, 0.5, 0.75].map((part) => Math.floor(part * frameCount))
  try {
    let frame = 0
    for await (const moment of moments) {
      if (wanted.includes(frame++)) kept.push(moment)
      await writer.write(
        contactSheet(
          moment.map((picture) => resized(picture, shown)),
          columns,
          gap,
        ),
      )
    }
    await writer.close()
    return kept
  } finally {
    await writer.abort()
  }
}

/** A clip whose frames are in memory, so that a synthetic one is drawn once. */
export async function keepFrames(clip: Clip, signal: AbortSignal): Promise<Clip> {
  const all: Frame[] = []
  for await (const frame of clip.frames()) {
    signal.throwIfAborted()
    all.push(frame)
  }
  const { name, width, height, frameCount, frameRate, duration } = clip
  return {
    ...{ name, width, height, frameCount, frameRate, duration },
    async *frames({ fromFrame = 0, toFrame = all.length, step = 1 } = {}) {
      for (let i = fromFrame; i < toFrame; i += step) yield all[i]!
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
}

/** Writes moments of source, driving and result as one picture, a film to a column. */
export async function writeSheet(
  path: string,
  films: readonly (readonly Moment[])[],
  mark: boolean,
): Promise<void> {
  const rows = films[0]!.flatMap((_, i) => films.flatMap((moments) => moments.slice(i, i + 1)))
  const compared = rows.map(([source, driving, result]) => ({
    source: source!,
    driving: driving!,
    result: result!,
  }))
  await writePicture(
    path,
    compareSheet(compared, { cell: 160, groups: films.length }),
    mark ? partly : undefined,
  )
}
