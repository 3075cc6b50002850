/**
 * Sine and cosine from additions and multiplications alone, which every machine rounds alike: Math.sin may
 * differ in its last bit between engines, and a puppet is to have the same pixels everywhere.
 */

const turn = 2 * Math.PI

/** Sine of an angle in radians, within 1e-9. */
export function sin(angle: number): number {
  let x = angle / turn
  x -= Math.floor(x + 0.5)
  // Fold to a quarter turn, where the series is short.
  if (x > 0.25) x = 0.5 - x
  else if (x < -0.25) x = -0.5 - x
  const r = x * turn
  const s = r * r
  const tail = 1 - (s / 110) * (1 - s / 156)
  return r * (1 - (s / 6) * (1 - (s / 20) * (1 - (s / 42) * (1 - (s / 72) * tail))))
}

/** Cosine of an angle in radians, within 1e-9. */
export function cos(angle: number): number {
  return sin(angle + turn / 4)
}
