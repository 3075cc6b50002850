// A square picture to paint on: shapes with smooth edges, and soft shadows.
import { apply, invert, type Similarity, scaleOf } from '../arithmetic.ts'
import type { Shape } from './shapes.ts'

/** A colour as 0xRRGGBB. */
export type Rgb = number

/** The colour at (x, y) of a shape's own units; `inside` is the distance to its edge, positive inside. */
export type Paint = (x: number, y: number, inside: number) => Rgb

/** Largest distance of a shadow from the part that casts it. */
const shadowDepth = 0.03

/**
 * A square picture to paint shapes on. Edges are smooth: pixels are blended by their coverage. Coordinates are those
 * of keypoints: (-1, -1) is the centre of the first pixel, (1, 1) the centre of the last.
 */
export class Canvas {
  readonly data: Uint8Array
  private readonly toPixels: Similarity

  constructor(
    readonly size: number,
    data?: Uint8Array,
  ) {
    this.data = data ?? new Uint8Array(size * size * 3)
    const half = (size - 1) / 2
    this.toPixels = { a: half, b: 0, tx: half, ty: half }
  }

  /** Paints every pixel; the paint gets canvas coordinates. */
  fill(paint: Paint): void {
    const step = 2 / (this.size - 1)
    for (let y = 0, i = 0; y < this.size; y++) {
      for (let x = 0; x < this.size; x++, i += 3) {
        this.put(i, paint(x * step - 1, y * step - 1, 1), 1)
      }
    }
  }

  /** Paints a shape. @param at places the shape on the canvas. */
  paint(shape: Shape, at: Similarity, paint: Paint): void {
    this.scan(shape, at, 0, Infinity, (i, x, y, distance, perUnit) => {
      this.put(i, paint(x, y, -distance), Math.min(0.5 - distance * perUnit, 1))
    })
  }

  /**
   * Paints the soft shadow of a shape: `blur` in the shape's units, `strength` in [0, 1]. Deep inside the shape,
   * which will cover its own shadow, nothing is painted.
   */
  shade(shape: Shape, at: Similarity, blur: number, strength: number): void {
    this.scan(shape, at, blur, blur + shadowDepth, (i, _x, _y, distance) => {
      const t = Math.min(Math.max((blur - distance) / (2 * blur), 0), 1)
      const keep = 1 - strength * t * t * (3 - 2 * t)
      this.data[i] = this.data[i]! * keep + 0.5
      this.data[i + 1] = this.data[i + 1]! * keep + 0.5
      this.data[i + 2] = this.data[i + 2]! * keep + 0.5
    })
  }

  /** Visits the pixels from `margin` outside a shape's edge to `depth` within it. */
  private scan(
    shape: Shape,
    at: Similarity,
    margin: number,
    depth: number,
    visit: (index: number, x: number, y: number, distance: number, perUnit: number) => void,
  ): void {
    const onPixels = composeScale(this.toPixels, at)
    const perUnit = scaleOf(onPixels)
    const back = invert(onPixels)
    const reach = margin + 0.5 / perUnit
    const [x0, y0, x1, y1] = this.pixelBounds(shape, onPixels, reach)
    for (let py = y0; py <= y1; py++) {
      for (let px = x0; px <= x1; px++) {
        const x = back.a * px - back.b * py + back.tx
        const y = back.b * px + back.a * py + back.ty
        const distance = shape.distance(x, y)
        // Far from the edge, the distance says how many pixels can be skipped: half of it, because it is rough.
        if (distance >= reach) px += Math.floor((distance - reach) * perUnit * 0.5)
        else if (distance < -depth) px += Math.floor((-distance - depth) * perUnit * 0.5)
        else visit((py * this.size + px) * 3, x, y, distance, perUnit)
      }
    }
  }

  /** The columns and rows that a rotated box can touch, grown by `reach`, within the picture. */
  private pixelBounds({ bounds }: Shape, onPixels: Similarity, reach: number) {
    const [left, top, right, bottom] = bounds
    const [x, y] = apply(onPixels, (left + right) / 2, (top + bottom) / 2)
    const halfWidth = (right - left) / 2 + reach
    const halfHeight = (bottom - top) / 2 + reach
    const [a, b] = [Math.abs(onPixels.a), Math.abs(onPixels.b)]
    const [dx, dy] = [a * halfWidth + b * halfHeight, b * halfWidth + a * halfHeight]
    const last = this.size - 1
    return [
      Math.max(Math.floor(x - dx), 0),
      Math.max(Math.floor(y - dy), 0),
      Math.min(Math.ceil(x + dx), last),
      Math.min(Math.ceil(y + dy), last),
    ] as const
  }

  private put(i: number, colour: Rgb, alpha: number): void {
    const { data } = this
    if (alpha === 1) {
      data[i] = colour >> 16
      data[i + 1] = colour >> 8
      data[i + 2] = colour
      return
    }
    const keep = 1 - alpha
    data[i] = (colour >> 16) * alpha + data[i]! * keep + 0.5
    data[i + 1] = ((colour >> 8) & 255) * alpha + data[i + 1]! * keep + 0.5
    data[i + 2] = (colour & 255) * alpha + data[i + 2]! * keep + 0.5
  }
}

function composeScale({ a, tx, ty }: Similarity, at: Similarity): Similarity {
  return { a: a * at.a, b: a * at.b, tx: a * at.tx + tx, ty: a * at.ty + ty }
}
