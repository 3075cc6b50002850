/** Clockwise quarter turns, as containers store them. */
export type Rotation = 0 | 90 | 180 | 270

/** Pixels of one picture: data is [height, width, 3]. */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}

/** Turns clockwise, then mirrors left to right if `flip`. Returns the argument where nothing changes. */
export function turn(pixels: Pixels, rotation: Rotation, flip: boolean): Pixels {
  if (rotation === 0 && !flip) return pixels
  const { width: w, height: h, data } = pixels
  const sideways = rotation === 90 || rotation === 270
  const [width, height] = sideways ? [h, w] : [w, h]
  // Source pixel of the target's first pixel, and the steps to take there for one step in x and in y.
  const [origin, dx, dy] = {
    0: [0, 1, w],
    90: [(h - 1) * w, -w, 1],
    180: [w * h - 1, -1, -w],
    270: [w - 1, w, -1],
  }[rotation] as [number, number, number]
  const start = flip ? origin + (width - 1) * dx : origin
  const step = flip ? -dx : dx
  const out = new Uint8Array(data.length)
  let to = 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (start + y * dy + x * step) * 3
      out[to] = data[from]!
      out[to + 1] = data[from + 1]!
      out[to + 2] = data[from + 2]!
      to += 3
    }
  }
  return { width, height, data: out }
}
