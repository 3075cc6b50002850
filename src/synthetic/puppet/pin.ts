import type { Paint } from './canvas.ts'
import { mix } from './paints.ts'
import { disc } from './shapes.ts'

/** Radius of a split pin's head, in the puppet's units. */
export const pinRadius = 0.021
export const pinShape = disc(0, 0, pinRadius)

/** The head of a brass split pin, lit from the upper left. */
export const brass: Paint = (x, y, inside) => {
  const dome = mix(0xe2b04a, 0xb07d25, Math.min(Math.max((x + y) / (2 * pinRadius) + 0.5, 0), 1))
  const [gx, gy] = [x + 0.007, y + 0.008]
  const glint = Math.min(Math.max(1.4 - (gx * gx + gy * gy) / 0.00004, 0), 1)
  const edge = Math.min(Math.max(1 - inside / 0.006, 0), 1)
  return mix(mix(dome, 0xfff3c4, glint * 0.8), 0x7d5518, edge * 0.6)
}
