// Renders a whole video: every frame of what drives, with its times and its sound, as fast as the machine can.
import { signal } from '@preact/signals'
import {
  Animator,
  createVideoWriter,
  openClip,
  type Pose,
  type Smoothing,
  type Square,
  type WebPlace,
  type WebVideoWriter,
} from 'pantin/web'
import type { DrivingChoice, FilmChoice } from '../core/driving.ts'
import { headIn } from '../core/faces.ts'
import { download } from '../core/files.ts'
import { say } from '../core/messages.ts'
import { drawSquare, drawWithin, shownSide as side, sizeOf } from '../core/pictures.ts'
import { place } from '../core/place.ts'
import { chosenRun, loadRun, type RunKey } from '../core/runs.ts'
import { markOf } from './recording.ts'
import type { Session } from './session.ts'
import * as state from './state.ts'

/** The rendering in progress. */
export interface Rendering {
  /** Part that is done, 0 to 1. */
  readonly part: number
  readonly stop: AbortController
}
/** Undefined if nothing is being rendered. It goes on if the view is left. */
export const rendering = signal<Rendering | undefined>(undefined)

/** The result alone, or picture, driving frame and result beside each other. */
export type Layout = 'result' | 'beside'

export interface RenderOptions {
  readonly layout: Layout
  readonly format: 'mp4' | 'webm' | undefined
}

/** A film, and not a webcam. */
export type EndingChoice = Exclude<FilmChoice, { kind: 'webcam' }>

/** Whether what drives has an end, so that it can be rendered. */
export const canRender = (choice: DrivingChoice): choice is EndingChoice =>
  choice.kind === 'video' || choice.kind === 'synthetic'

/** Renders what the session shows, with a model of its own, so that the session goes on. The video is downloaded. */
export async function render(session: Session, driving: EndingChoice, options: RenderOptions): Promise<void> {
  const { picture, driving: shown } = session.framed
  if (picture === undefined || rendering.peek() !== undefined) return
  const stop = new AbortController()
  rendering.value = { part: 0, stop }
  // All of it is taken now: what is changed while the models are opened and frames are made is for the next film.
  const reference = state.reference.peek()
  const how = {
    ...{ run: chosenRun.peek(), at: place.peek(), square: picture.square, drivingSquare: shown?.square },
    paste: state.pastes.peek() && state.canPaste.peek(),
    reference: 'pose' in reference ? reference.pose : undefined,
    absolute: state.motion.peek() === 'absolute',
    smoothing: state.smooths.peek() && { minCutoff: state.minCutoff.peek(), beta: state.beta.peek() },
  }
  let source: ImageBitmap | undefined
  try {
    source = await session.copyOfPicture()
    if (source !== undefined) await renderAll({ ...how, source }, driving, options, stop)
  } catch (error) {
    if (!stop.signal.aborted) throw error
    say('The rendering was ended. No video was written.')
  } finally {
    source?.close()
    rendering.value = undefined
  }
}

/** What is rendered, and how. */
interface RenderedSubject {
  readonly run: RunKey
  readonly at: WebPlace
  readonly source: ImageBitmap
  readonly square: Square
  readonly drivingSquare: Square | undefined
  /** Whether the moved square is put back into the whole picture. */
  readonly paste: boolean
  /** The pose that relative motion starts from, if it is not that of the first frame. */
  readonly reference: Pose | undefined
  readonly absolute: boolean
  readonly smoothing: Smoothing | false
}

/** @throws the reason of `stop`, if it is aborted */
async function renderAll(
  { run, at, source, square, drivingSquare, paste, reference, ...motion }: RenderedSubject,
  driving: EndingChoice,
  { layout, format }: RenderOptions,
  stop: AbortController,
): Promise<void> {
  const isBeside = layout === 'beside'
  await using clip = await openClip(driving.kind === 'video' ? driving.file : driving.name, at, {
    fit: 'whole',
  })
  await using animator = await Animator.open(await loadRun(run), at)
  await animator.setSource(source, { crop: square })
  if (reference !== undefined) await animator.setReference(reference)
  const canvas = () => document.createElement('canvas')
  const film = canvas()
  const parts: Parts = [canvas(), canvas(), canvas()]
  const open = (moved: ImageBitmap) => {
    const [width, height] = paste ? sizeOf(moved) : [side, side]
    // Beside each other, all are equally high. Encoders take even sizes.
    const wide = isBeside ? 2 * Math.round((side * width) / height / 2) : width
    for (const [i, part] of parts.entries()) {
      Object.assign(part, isBeside ? { width: i === 1 ? side : wide, height: side } : { width, height })
    }
    film.width = isBeside ? parts.reduce((sum, part) => sum + part.width, 0) : width
    film.height = isBeside ? side : height
    const options = { width: film.width, height: film.height, mark: markOf(paste), ...(format && { format }) }
    const sound = driving.kind === 'video' ? { sound: driving.file } : {}
    return createVideoWriter({ ...options, ...sound }, at)
  }
  let writer: WebVideoWriter | undefined
  let crop = drivingSquare
  let done = 0
  try {
    for await (const { time, picture: frame } of clip.frames()) {
      try {
        stop.signal.throwIfAborted()
        if (crop === undefined && driving.kind === 'video' && done === 0) crop = await headIn(frame)
        const { frame: moved } = await animator.animate(frame, {
          ...(crop && { crop }),
          ...{ time, paste },
          ...motion,
        })
        writer ??= await open(moved)
        drawWithin(parts[2], moved)
        moved.close()
        if (isBeside) {
          if (paste) drawWithin(parts[0], source)
          else drawSquare(parts[0], source, square)
          drawSquare(parts[1], frame, crop)
        }
        drawInARow(film, isBeside ? parts : [parts[2]])
        await writer.write(film, time)
      } finally {
        frame.close()
      }
      rendering.value = { part: ++done / clip.frameCount, stop }
    }
    if (writer === undefined) return
    const video = await writer.close()
    download(video, `pantin.${writer.format}`)
    say(`Rendered ${done} frames, ${Math.round(video.size / 1024)} kB. Sound: ${writer.sound}.`)
  } finally {
    await writer?.abort()
  }
}

/** Canvases of the picture, the driving frame and the result. */
type Parts = readonly [HTMLCanvasElement, HTMLCanvasElement, HTMLCanvasElement]

function drawInARow(film: HTMLCanvasElement, parts: readonly HTMLCanvasElement[]): void {
  let left = 0
  for (const part of parts) {
    film.getContext('2d')!.drawImage(part, left, 0)
    left += part.width
  }
}
