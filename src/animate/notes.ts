// Notes about inputs that give less than their user may expect: clips in which nothing moves, and small pictures.
import type { Clip, Frame } from '../media/clip.ts'
import type { Fitter } from '../media/fit.ts'

/** A note if a picture is smaller than what the network sees, and has to be enlarged. */
export function smallNotes(
  { width, height }: { readonly width: number; readonly height: number },
  size: number,
  where: string,
): string[] {
  if (Math.min(width, height) >= size) return []
  return [
    `${where}: enlarged from ${width} x ${height} pixels, because the model sees ${size} x ${size}; detail is missing`,
  ]
}

/** Notes about a clip whose frames the watch has seen, with the notices of its file. */
export function clipNotes(clip: Clip, size: number, watch: MotionWatch): string[] {
  const still = watch.isStill ? [`${clip.name}: nothing moves in this clip`] : []
  return [...(clip.notices ?? []), ...smallNotes(clip, size, clip.name), ...still]
}

/** A value that changes by more levels than this has moved. Compression changes values by fewer. */
const leastChange = 12
/** The share of values that must have moved. */
const leastShare = 0.001

/** Compares the frames of a clip, as a network sees them, with its first frame, until something has moved. */
export class MotionWatch {
  private first: Uint8Array | undefined
  private frames = 0
  private moved = false

  /** The fit, which shows each of its frames to this watch. */
  watching(fitter: Fitter): Fitter {
    const fit = (frame: Frame): Uint8Array => {
      const pixels = fitter(frame)
      this.add(pixels)
      return pixels
    }
    return Object.assign(fit, { size: fitter.size, window: fitter.window })
  }

  /** Whether there were two frames or more, and none differs from the first. */
  get isStill(): boolean {
    return this.frames > 1 && !this.moved
  }

  private add(pixels: Uint8Array): void {
    this.frames++
    if (this.moved) return
    this.first ??= pixels.slice()
    const { first } = this
    let changes = 0
    for (let i = 0; i < pixels.length; i++) if (Math.abs(pixels[i]! - first[i]!) > leastChange) changes++
    this.moved = changes > leastShare * pixels.length
  }
}
