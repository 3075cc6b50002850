import { cos, sin } from './trig.ts'

/** Turn, uniform scale and shift: (x, y) goes to (a x - b y + tx, b x + a y + ty). */
export interface Similarity {
  readonly a: number
  readonly b: number
  readonly tx: number
  readonly ty: number
}

export type Point = readonly [x: number, y: number]

/** Turns by `angle` radians (clockwise on a screen) and scales about (0, 0), then moves to (x, y). */
export function place(x: number, y: number, angle = 0, scale = 1): Similarity {
  return { a: scale * cos(angle), b: scale * sin(angle), tx: x, ty: y }
}

/** First `inner`, then `outer`. */
export function compose(outer: Similarity, inner: Similarity): Similarity {
  const [tx, ty] = apply(outer, inner.tx, inner.ty)
  return {
    a: outer.a * inner.a - outer.b * inner.b,
    b: outer.b * inner.a + outer.a * inner.b,
    tx,
    ty,
  }
}

export function apply({ a, b, tx, ty }: Similarity, x: number, y: number): Point {
  return [a * x - b * y + tx, b * x + a * y + ty]
}

export function invert({ a, b, tx, ty }: Similarity): Similarity {
  const square = a * a + b * b
  const [ia, ib] = [a / square, -b / square]
  return { a: ia, b: ib, tx: -(ia * tx - ib * ty), ty: -(ib * tx + ia * ty) }
}

/** The factor by which lengths grow. */
export function scaleOf({ a, b }: Similarity): number {
  return Math.sqrt(a * a + b * b)
}
