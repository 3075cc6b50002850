// Turned squares of a picture, as face networks see them, and the way back.
import type { Frame } from '../../src/media/clip.ts'

/** A square that may be turned and may reach beyond the picture. Positions are pixels; 0 is the first one's centre. */
export interface TurnedSquare {
  /** Column of its centre. */
  readonly x: number
  /** Row of its centre. */
  readonly y: number
  readonly side: number
  /** Radians, clockwise as one looks at the picture. */
  readonly angle: number
}

/** The square around a whole picture. */
export const wholePicture = ({ width, height }: Pick<Frame, 'width' | 'height'>): TurnedSquare => ({
  x: (width - 1) / 2,
  y: (height - 1) / 2,
  side: Math.max(width, height),
  angle: 0,
})

/**
 * From positions in the square, in pixels of a crop of `size`, to positions in the picture.
 *
 * @param mirrored whether the crop shows the square mirrored
 */
export function fromCrop(
  { x: cx, y: cy, side, angle }: TurnedSquare,
  size: number,
  mirrored = false,
): (x: number, y: number) => [number, number] {
  const [cos, sin, scale] = [Math.cos(angle), Math.sin(angle), side / size]
  return (x, y) => {
    const u = (mirrored ? size - x : x) * scale - side / 2
    const v = y * scale - side / 2
    return [cx + cos * u - sin * v, cy + sin * u + cos * v]
  }
}

/**
 * The square as planes, red first, that go from 0 to 1. Beyond the border, the picture's edge goes on.
 *
 * @returns [3, size, size]
 */
export function cropPlanes(frame: Frame, square: TurnedSquare, size: number, mirrored = false): Float32Array {
  const { width, height, data } = frame
  const place = fromCrop(square, size, mirrored)
  const planes = new Float32Array(3 * size * size)
  // Where the picture is made smaller, each pixel is the mean of several samples.
  const samples = Math.max(1, Math.round(square.side / size))
  const share = 1 / (255 * samples * samples)
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const to = row * size + column
      for (let k = 0; k < samples * samples; k++) {
        const [dx, dy] = [(k % samples) + 0.5, Math.floor(k / samples) + 0.5]
        const [x, y] = place(column + dx / samples, row + dy / samples)
        const px = Math.min(Math.max(x, 0), width - 1)
        const py = Math.min(Math.max(y, 0), height - 1)
        const [left, top] = [Math.floor(px), Math.floor(py)]
        const [fx, fy] = [px - left, py - top]
        const right = left + 1 < width ? 3 : 0
        const below = top + 1 < height ? 3 * width : 0
        const at = 3 * (top * width + left)
        for (let c = 0; c < 3; c++) {
          const i = at + c
          const above = data[i]! * (1 - fx) + data[i + right]! * fx
          const under = data[i + below]! * (1 - fx) + data[i + below + right]! * fx
          planes[c * size * size + to]! += (above * (1 - fy) + under * fy) * share
        }
      }
    }
  }
  return planes
}
