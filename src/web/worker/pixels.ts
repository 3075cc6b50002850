// Between a page's pictures and pantin's frames.
import type { Frame } from '../../media/clip.ts'
import { createFitter, type FitMode, type Fitter, fades, middleSquare, type Square } from '../../media/fit.ts'
import { EnvironmentError, InputError } from '../../util/errors.ts'
import { decodePicture, type SentPicture } from '../picture.ts'

/** Reads pictures as a network of one size sees them. The preparation for a picture's size is kept for the next picture. */
export class PictureReader {
  private readonly canvas = new OffscreenCanvas(1, 1)
  private readonly context = contextOf(this.canvas)
  private fitter: { readonly width: number; readonly height: number; readonly fit: Fitter } | undefined

  constructor(
    private readonly size: number,
    private readonly mode: FitMode,
  ) {}

  /**
   * @param picture is closed once it is read, unless it is ImageData.
   * @param crop the square to take, in pixels (default: the one in the middle)
   * @returns RGB [size, size, 3]: the square, or the whole picture between bars.
   * @throws InputError for a picture that cannot be read.
   */
  async read(picture: SentPicture, crop?: Square): Promise<Uint8Array> {
    const drawn = picture instanceof Blob ? await decodePicture(picture) : picture
    try {
      const whole = sizeOf(drawn)
      const square = crop === undefined ? middleSquare(whole) : wholePixels(crop, whole)
      const part =
        this.mode === 'crop' || crop !== undefined
          ? { left: square.left, top: square.top, width: square.side, height: square.side }
          : { left: 0, top: 0, ...whole }
      return this.fitterFor(part.width, part.height)(this.frameOf(drawn, part))
    } finally {
      if ('close' in drawn) drawn.close()
    }
  }

  /**
   * Prepares to put moved squares of a picture back. The picture is copied, and stays open.
   *
   * @param crop as `read` takes it
   * @throws InputError for a square that is not within the picture.
   */
  pasterOf(picture: Exclude<SentPicture, Blob>, crop?: Square): Paster {
    const whole = sizeOf(picture)
    if (crop !== undefined) return new Paster(picture, wholePixels(crop, whole))
    if (this.mode === 'crop') return new Paster(picture, middleSquare(whole))
    const side = Math.max(whole.width, whole.height)
    return new Paster(picture, { left: (whole.width - side) / 2, top: (whole.height - side) / 2, side })
  }

  /**
   * The whole picture.
   *
   * @param picture is closed once it is read, unless it is ImageData.
   * @throws InputError for a picture that cannot be read.
   */
  async whole(picture: SentPicture): Promise<Frame> {
    const drawn = picture instanceof Blob ? await decodePicture(picture) : picture
    try {
      return this.frameOf(drawn, { left: 0, top: 0, ...sizeOf(drawn) })
    } finally {
      if ('close' in drawn) drawn.close()
    }
  }

  private fitterFor(width: number, height: number): Fitter {
    if (this.fitter?.width !== width || this.fitter.height !== height) {
      this.fitter = { width, height, fit: createFitter({ width, height }, this.size, { mode: this.mode }) }
    }
    return this.fitter.fit
  }

  /** A part of the picture, on white where it is transparent, as Node reads files. */
  private frameOf(
    picture: Exclude<SentPicture, Blob>,
    { left, top, width, height }: { left: number; top: number; width: number; height: number },
  ): Frame {
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width
      this.canvas.height = height
    }
    if (picture instanceof ImageData) {
      this.context.putImageData(picture, -left, -top)
      this.context.globalCompositeOperation = 'destination-over'
      this.fillWhite(width, height)
      this.context.globalCompositeOperation = 'source-over'
    } else {
      this.fillWhite(width, height)
      this.context.drawImage(picture, -left, -top)
    }
    return {
      width,
      height,
      data: rgbOf(this.context.getImageData(0, 0, width, height)),
      time: 0,
      duration: 0,
    }
  }

  private fillWhite(width: number, height: number): void {
    this.context.fillStyle = '#fff'
    this.context.fillRect(0, 0, width, height)
  }
}

/** The longest side of a whole picture with a moved square in it, in pixels. Larger films play and encode nowhere well. */
const longest = 1920

/** Puts moved squares of one picture back into it, with soft edges. Node's `createPaster` does the same with pixels. */
export class Paster {
  private readonly base: OffscreenCanvasRenderingContext2D
  private readonly result: OffscreenCanvasRenderingContext2D
  private readonly part: OffscreenCanvasRenderingContext2D
  private mask: OffscreenCanvas | undefined
  private readonly square: Square

  /** @param square where the moved squares were cut, in pixels of the picture; parts beyond it are left out */
  constructor(picture: Exclude<SentPicture, Blob>, { left, top, side }: Square) {
    const whole = sizeOf(picture)
    const scale = Math.min(1, longest / Math.max(whole.width, whole.height))
    const [width, height] = [Math.round(whole.width * scale), Math.round(whole.height * scale)]
    const target = Math.max(1, Math.round(side * scale))
    this.square = { left: Math.round(left * scale), top: Math.round(top * scale), side: target }
    this.base = smoothOf(Math.max(1, width), Math.max(1, height))
    this.result = smoothOf(Math.max(1, width), Math.max(1, height))
    this.part = smoothOf(target, target)
    this.base.fillStyle = '#fff'
    this.base.fillRect(0, 0, width, height)
    drawOver(this.base, picture)
  }

  /** The whole picture with a moved square in it. */
  show(moved: ImageBitmap): ImageBitmap {
    const { base, result, part, square } = this
    const { left, top, side } = square
    this.mask ??= maskOf(square, base.canvas)
    part.globalCompositeOperation = 'copy'
    part.drawImage(moved, 0, 0, side, side)
    part.globalCompositeOperation = 'destination-in'
    part.drawImage(this.mask, 0, 0)
    result.drawImage(base.canvas, 0, 0)
    result.drawImage(part.canvas, left, top)
    return result.canvas.transferToImageBitmap()
  }
}

/** How much of a square is seen at each of its pixels, as opacity. Where its edge is the picture's, it does not fade. */
function maskOf({ left, top, side }: Square, { width, height }: OffscreenCanvas): OffscreenCanvas {
  const mask = new OffscreenCanvas(side, side)
  const across = fades(side, left > 0, left + side < width)
  const down = fades(side, top > 0, top + side < height)
  const pixels = new ImageData(side, side)
  for (let i = 0; i < side * side; i++) {
    pixels.data[4 * i + 3] = 255 * across[i % side]! * down[Math.floor(i / side)]!
  }
  contextOf(mask).putImageData(pixels, 0, 0)
  return mask
}

function smoothOf(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const context = contextOf(new OffscreenCanvas(width, height), false)
  context.imageSmoothingQuality = 'high'
  return context
}

/** A square in whole pixels. @throws InputError if it is not within the picture. */
function wholePixels(
  { left, top, side }: Square,
  { width, height }: { readonly width: number; readonly height: number },
): Square {
  const square = { left: Math.round(left), top: Math.round(top), side: Math.round(side) }
  const isWithin =
    square.left >= 0 &&
    square.top >= 0 &&
    square.side >= 1 &&
    square.left + square.side <= width &&
    square.top + square.side <= height
  if (isWithin) return square
  throw new InputError({
    what: 'the crop is not within the picture',
    got: `${side} pixels a side at (${left}, ${top})`,
    expected: `within ${width} x ${height}`,
  })
}

/** Draws a picture over the whole canvas of an encoder. */
export function drawOver(
  context: OffscreenCanvasRenderingContext2D,
  picture: Exclude<SentPicture, Blob>,
): void {
  const { width, height } = context.canvas
  if (picture instanceof ImageData) {
    const own = new OffscreenCanvas(picture.width, picture.height)
    contextOf(own).putImageData(picture, 0, 0)
    context.drawImage(own, 0, 0, width, height)
  } else context.drawImage(picture, 0, 0, width, height)
}

/** A frame as a picture that a page shows. */
export function bitmapOf(frame: Frame): Promise<ImageBitmap> {
  return createImageBitmap(rgbaOf(frame))
}

/** A frame as the bytes of a PNG file. */
export async function pngOf(frame: Frame): Promise<Blob> {
  const canvas = new OffscreenCanvas(frame.width, frame.height)
  contextOf(canvas).putImageData(rgbaOf(frame), 0, 0)
  return canvas.convertToBlob({ type: 'image/png' })
}

export function contextOf(
  canvas: OffscreenCanvas,
  willReadFrequently = true,
): OffscreenCanvasRenderingContext2D {
  const context = canvas.getContext('2d', { willReadFrequently })
  if (context !== null) return context
  throw new EnvironmentError({
    what: 'this browser draws nothing in workers',
    expected: 'OffscreenCanvas with a 2D context',
    remedy: 'use a browser that is up to date',
  })
}

function sizeOf(picture: Exclude<SentPicture, Blob>): { readonly width: number; readonly height: number } {
  return 'displayWidth' in picture
    ? { width: picture.displayWidth, height: picture.displayHeight }
    : { width: picture.width, height: picture.height }
}

function rgbOf({ data }: ImageData): Uint8Array {
  const rgb = new Uint8Array((data.length / 4) * 3)
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    rgb[to] = data[from]!
    rgb[to + 1] = data[from + 1]!
    rgb[to + 2] = data[from + 2]!
  }
  return rgb
}

function rgbaOf({ width, height, data }: Frame): ImageData {
  const rgba = new ImageData(width, height)
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba.data[to] = data[from]!
    rgba.data[to + 1] = data[from + 1]!
    rgba.data[to + 2] = data[from + 2]!
    rgba.data[to + 3] = 255
  }
  return rgba
}
