// Puts a moved square back into the picture that it was cut from, without a seam.
import type { Frame } from '../media/clip.ts'
import type { Square } from '../media/fit.ts'
import { createResampler } from '../media/resample.ts'

/** How far the moved square fades into the picture at its edges, as a part of its side. */
const feather = 0.1

/** Puts moved squares of one picture back. */
export interface Paster {
  /** The picture's, in pixels. */
  readonly width: number
  readonly height: number
  /**
   * The whole picture with a moved square in it. The square fades in from its edges. Where its edge is the picture's, there
   * is nothing to fade into, and it stays as it is.
   *
   * @param moved the square, of any one size; its times are kept
   */
  show(moved: Frame): Frame
}

/**
 * Prepares to put moved squares back.
 *
 * @param square where the square was cut, in pixels; parts beyond the picture are left out
 */
export function createPaster(picture: Frame, { left, top, side }: Square): Paster {
  const { width, height } = picture
  const target = Math.max(1, Math.round(side))
  const [x0, y0] = [Math.round(left), Math.round(top)]
  const across = fades(target, x0 > 0, x0 + target < width)
  const down = fades(target, y0 > 0, y0 + target < height)
  let [size, resample] = [0, (data: Uint8Array): Uint8Array => data]

  const show = (moved: Frame): Frame => {
    if (moved.width !== size) {
      size = moved.width
      const all = { left: 0, top: 0, width: size, height: size }
      resample =
        size === target ? (data) => data : createResampler(moved, all, { width: target, height: target })
    }
    const pixels = resample(moved.data)
    const data = picture.data.slice()
    for (let y = Math.max(0, -y0); y < target && y + y0 < height; y++) {
      for (let x = Math.max(0, -x0); x < target && x + x0 < width; x++) {
        const part = across[x]! * down[y]!
        const from = 3 * (y * target + x)
        const to = 3 * ((y + y0) * width + x + x0)
        for (let c = 0; c < 3; c++) {
          data[to + c] = data[to + c]! + part * (pixels[from + c]! - data[to + c]!) + 0.5
        }
      }
    }
    return { width, height, data, time: moved.time, duration: moved.duration }
  }
  return { width, height, show }
}

/** How much of the moved square is seen at each place along a side, 0 to 1. */
function fades(side: number, atStart: boolean, atEnd: boolean): Float32Array {
  const reach = feather * side
  return Float32Array.from({ length: side }, (_, i) => {
    const start = atStart ? (i + 0.5) / reach : 1
    const end = atEnd ? (side - i - 0.5) / reach : 1
    const t = Math.min(1, start, end)
    return t * t * (3 - 2 * t)
  })
}
