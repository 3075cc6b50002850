// Renders a whole video: every frame of what drives, with its times and its sound, as fast as the machine can.
import { signal } from '@preact/signals'
import { Animator, createVideoWriter, openClip, type Square } from 'pantin/web'
import type { DrivingChoice, FilmChoice } from '../core/driving.ts'
import { headIn } from '../core/faces.ts'
import { download } from '../core/files.ts'
import { say } from '../core/messages.ts'
import { drawSquare } from '../core/pictures.ts'
import { place } from '../core/place.ts'
import { chosenRun, loadRun } from '../core/runs.ts'
import { mark } from './recording.ts'
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

/** Side of one picture in the video, in pixels. */
const side = 512

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
  const picture = session.framed('picture')
  const source = await session.copyOfPicture()
  if (picture === undefined || source === undefined || rendering.peek() !== undefined) return source?.close()
  const stop = new AbortController()
  rendering.value = { part: 0, stop }
  const subject = { source, square: picture.square, drivingSquare: session.framed('driving')?.square }
  try {
    await renderAll(subject, driving, options, stop)
  } catch (error) {
    if (!stop.signal.aborted) throw error
    say('The rendering was ended. No video was written.')
  } finally {
    source.close()
    rendering.value = undefined
  }
}

interface RenderedSubject {
  readonly source: ImageBitmap
  readonly square: Square
  readonly drivingSquare: Square | undefined
}

/** @throws the reason of `stop`, if it is aborted */
async function renderAll(
  { source, square, drivingSquare }: RenderedSubject,
  driving: EndingChoice,
  { layout, format }: RenderOptions,
  stop: AbortController,
): Promise<void> {
  const at = place.peek()
  const isBeside = layout === 'beside'
  const size = { width: isBeside ? 3 * side : side, height: side }
  await using clip = await openClip(driving.kind === 'video' ? driving.file : driving.name, at, {
    fit: 'whole',
  })
  await using animator = await Animator.open(await loadRun(chosenRun.peek()), at)
  await animator.setSource(source, { crop: square })
  const sound = driving.kind === 'video' ? { sound: driving.file } : {}
  await using writer = await createVideoWriter({ ...size, ...sound, mark, ...(format && { format }) }, at)
  const canvas = Object.assign(document.createElement('canvas'), size)
  const part = Object.assign(document.createElement('canvas'), { width: side, height: side })
  const draw = (column: number, image: CanvasImageSource, shown?: Square) => {
    drawSquare(part, image, shown)
    canvas.getContext('2d')!.drawImage(part, column * side, 0)
  }
  let crop = drivingSquare
  let done = 0
  for await (const { time, picture: frame } of clip.frames()) {
    try {
      stop.signal.throwIfAborted()
      if (crop === undefined && driving.kind === 'video') crop = await headIn(frame)
      const { frame: moved } = await animator.animate(frame, {
        ...(crop && { crop }),
        time,
        absolute: state.motion.peek() === 'absolute',
        smoothing: state.smooths.peek() && { minCutoff: state.minCutoff.peek(), beta: state.beta.peek() },
      })
      if (isBeside) {
        draw(0, source, square)
        draw(1, frame, crop)
      }
      draw(isBeside ? 2 : 0, moved)
      moved.close()
      await writer.write(canvas, time)
    } finally {
      frame.close()
    }
    rendering.value = { part: ++done / clip.frameCount, stop }
  }
  const video = await writer.close()
  download(video, `pantin.${writer.format}`)
  say(`Rendered ${done} frames, ${Math.round(video.size / 1024)} kB. Sound: ${writer.sound}.`)
}
