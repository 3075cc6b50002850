// The square of what drives: around the head, where one is looked for.
import type { Square } from 'pantin/web'
import { headIn } from './faces.ts'
import { sizeOf } from './pictures.ts'

/**
 * The square of the frames that drive. Where the head is at the beginning holds for the whole video, until frames have another
 * size: a phone was turned, and no square of the frames before fits.
 */
export class DrivingSquare {
  /** The size of the frames that the square is of; undefined before the first one. */
  private size: readonly [number, number] | undefined
  private square: Square | undefined

  /** @param looks whether a head is looked for; otherwise it is the square in the middle */
  constructor(private readonly looks: boolean) {}

  /**
   * The square of a frame; undefined for the one in the middle.
   *
   * @param found is told whether there is a head, each time that one was looked for
   */
  async of(
    frame: VideoFrame | ImageBitmap,
    found: (head: Square | undefined) => void = () => {},
  ): Promise<Square | undefined> {
    const size = sizeOf(frame)
    if (this.isOf(size)) return this.square
    const square = this.looks ? await headIn(frame) : undefined
    this.choose(square, size)
    if (this.looks) found(square)
    return square
  }

  /** Takes a square of frames of a size. */
  choose(square: Square | undefined, size: readonly [number, number]): void {
    this.size = size
    this.square = square
  }

  /** The square of frames of a size, if one was taken for this size. */
  at(size: readonly [number, number]): Square | undefined {
    return this.isOf(size) ? this.square : undefined
  }

  private isOf([width, height]: readonly [number, number]): boolean {
    return this.size !== undefined && this.size[0] === width && this.size[1] === height
  }
}
