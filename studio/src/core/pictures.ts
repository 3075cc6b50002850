import { readClip } from 'pantin/web'
import { place } from './place.ts'

/** A clip that is kept whole, as pictures. */
export interface Film {
  readonly name: string
  readonly frameRate: number
  readonly frames: readonly ImageBitmap[]
}

const films = new Map<string, Promise<Film>>()

/** A puppet's film, drawn once. They are short: three seconds at most. */
export function puppetFilm(name: string): Promise<Film> {
  const known = films.get(name)
  if (known !== undefined) return known
  const made = filmOf(name)
  films.set(name, made)
  made.catch(() => films.delete(name))
  return made
}

async function filmOf(name: string): Promise<Film> {
  const clip = await readClip(name, place.peek(), { fit: 'whole' })
  try {
    const frames: ImageBitmap[] = []
    for await (const { picture } of clip.frames()) frames.push(picture)
    return { name, frameRate: clip.frameRate, frames }
  } finally {
    clip.close()
  }
}

/** Draws the square in a picture's middle over a whole canvas. */
export function drawSquare(canvas: HTMLCanvasElement, picture: CanvasImageSource): void {
  const [width, height] = sizeOf(picture)
  const side = Math.min(width, height)
  const context = canvas.getContext('2d')!
  context.imageSmoothingQuality = 'high'
  const [x, y] = [(width - side) / 2, (height - side) / 2]
  context.drawImage(picture, x, y, side, side, 0, 0, canvas.width, canvas.height)
}

function sizeOf(picture: CanvasImageSource): readonly [number, number] {
  if (picture instanceof HTMLVideoElement) return [picture.videoWidth, picture.videoHeight]
  if ('displayWidth' in picture) return [picture.displayWidth, picture.displayHeight]
  const { width, height } = picture as ImageBitmap
  return [width, height]
}
