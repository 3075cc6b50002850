// Films of synthetic clips, kept as pictures, and drawing on canvases.
import { openClip, type Square } from 'pantin/web'
import { place } from './place.ts'

/** A clip that is kept as pictures. They come one by one: `frames` grows until `isWhole`. */
export interface Film {
  readonly frameRate: number
  readonly frames: readonly ImageBitmap[]
  readonly isWhole: boolean
}

const films = new Map<string, Promise<Film>>()

/** The film of a synthetic clip, drawn once. Resolves when the first frame is there. */
export function syntheticFilm(name: string): Promise<Film> {
  const known = films.get(name)
  if (known !== undefined) return known
  const made = filmOf(name)
  films.set(name, made)
  made.catch(() => films.delete(name))
  return made
}

async function filmOf(name: string): Promise<Film> {
  const clip = await openClip(name, place.peek(), { fit: 'whole' })
  const film = { frameRate: clip.frameRate, frames: [] as ImageBitmap[], isWhole: false }
  const frames = clip.frames()
  const takeOne = async () => {
    const next = await frames.next()
    if (next.done) film.isWhole = true
    else film.frames.push(next.value.picture)
  }
  const takeAll = async () => {
    while (!film.isWhole) await takeOne()
  }
  await takeOne().catch((error) => {
    void clip.close()
    throw error
  })
  takeAll()
    // If a frame fails, the frames before it are the film.
    .catch(() => {
      film.isWhole = true
    })
    .finally(() => clip.close())
  return film
}

/** Draws a square of a picture over a whole canvas (default: the one in its middle). */
export function drawSquare(canvas: HTMLCanvasElement, picture: CanvasImageSource, square?: Square): void {
  const [width, height] = sizeOf(picture)
  const middle = Math.min(width, height)
  const context = canvas.getContext('2d')!
  context.imageSmoothingQuality = 'high'
  const {
    left: x,
    top: y,
    side,
  } = square ?? { left: (width - middle) / 2, top: (height - middle) / 2, side: middle }
  context.drawImage(picture, x, y, side, side, 0, 0, canvas.width, canvas.height)
}

/** Side of a canvas that shows a square picture, in pixels. */
export const shownSide = 512

/** Draws a whole picture. The canvas takes its shape: a square one has `shownSide`. */
export function drawWhole(canvas: HTMLCanvasElement, picture: CanvasImageSource): void {
  const [width, height] = sizeOf(picture)
  const [w, h] = width === height ? [shownSide, shownSide] : [width, height]
  // To set a size clears the canvas.
  if (canvas.width !== w) canvas.width = w
  if (canvas.height !== h) canvas.height = h
  const context = canvas.getContext('2d')!
  context.imageSmoothingQuality = 'high'
  context.drawImage(picture, 0, 0, w, h)
}

/** Draws a whole picture in the middle of a canvas of another shape. */
export function drawWithin(canvas: HTMLCanvasElement, picture: CanvasImageSource): void {
  const [width, height] = sizeOf(picture)
  const scale = Math.min(canvas.width / width, canvas.height / height)
  const context = canvas.getContext('2d')!
  context.imageSmoothingQuality = 'high'
  if (width * canvas.height !== height * canvas.width) context.clearRect(0, 0, canvas.width, canvas.height)
  const [w, h] = [width * scale, height * scale]
  context.drawImage(picture, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h)
}

/** Width and height in pixels. */
export function sizeOf(picture: CanvasImageSource): readonly [number, number] {
  if (picture instanceof HTMLVideoElement) return [picture.videoWidth, picture.videoHeight]
  if ('displayWidth' in picture) return [picture.displayWidth, picture.displayHeight]
  const { width, height } = picture as ImageBitmap
  return [width, height]
}
