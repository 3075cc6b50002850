// Plane geometry that every machine rounds alike: sine, cosine and similarities. Math.sin may differ in its last bit
// between engines, and a puppet must have the same pixels everywhere.
/** Rotation, uniform scale and shift: (x, y) goes to (a x - b y + tx, b x + a y + ty). */
export interface Similarity {
  readonly a: number
  readonly b: number
  readonly tx: number
  readonly ty: number
}

/** A position. */
export type Point = readonly [x: number, y: number]

/** Rotates by `angle` radians (clockwise on a screen) and scales about (0, 0), then moves to (x, y). */
export function place(x: number, y: number, angle = 0, scale = 1): Similarity {
  return { a: scale * cos(angle), b: scale * sin(angle), tx: x, ty: y }
}

/** Applies `inner`, then `outer`. */
export function compose(outer: Similarity, inner: Similarity): Similarity {
  const [tx, ty] = apply(outer, inner.tx, inner.ty)
  return {
    a: outer.a * inner.a - outer.b * inner.b,
    b: outer.b * inner.a + outer.a * inner.b,
    tx,
    ty,
  }
}

/** The image of (x, y). */
export function apply({ a, b, tx, ty }: Similarity, x: number, y: number): Point {
  return [a * x - b * y + tx, b * x + a * y + ty]
}

/** The inverse. */
export function invert({ a, b, tx, ty }: Similarity): Similarity {
  const square = a * a + b * b
  const [ia, ib] = [a / square, -b / square]
  return { a: ia, b: ib, tx: -(ia * tx - ib * ty), ty: -(ib * tx + ia * ty) }
}

/** The factor by which lengths grow. */
export function scaleOf({ a, b }: Similarity): number {
  return Math.sqrt(a * a + b * b)
}

const fullTurn = 2 * Math.PI

/** Sine of an angle in radians, within 1e-9, from additions and multiplications alone. */
export function sin(angle: number): number {
  let x = angle / fullTurn
  x -= Math.floor(x + 0.5)
  // Fold to a quarter turn, where the series is short.
  if (x > 0.25) x = 0.5 - x
  else if (x < -0.25) x = -0.5 - x
  const r = x * fullTurn
  const s = r * r
  const tail = 1 - (s / 110) * (1 - s / 156)
  return r * (1 - (s / 6) * (1 - (s / 20) * (1 - (s / 42) * (1 - (s / 72) * tail))))
}

/** Cosine of an angle in radians, within 1e-9. */
export function cos(angle: number): number {
  return sin(angle + fullTurn / 4)
}
