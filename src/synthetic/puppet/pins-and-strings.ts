// The brass pins at a puppet's joints, and the strings that it hangs from and is pulled by.
import type { Canvas, Paint } from './canvas.ts'
import type { Character } from './character.ts'
import { apply, type Point, place } from './geometry.ts'
import { mix, plain } from './paints.ts'
import { disc, limb } from './shapes.ts'
import type { Skeleton } from './skeleton.ts'

/** Radius of a split pin's head, in the puppet's units. */
export const pinRadius = 0.021
/** The outline of a split pin's head. */
export const pinShape = disc(0, 0, pinRadius)

/** The head of a brass split pin, lit from the upper left. */
export const brass: Paint = (x, y, inside) => {
  const dome = mix(0xe2b04a, 0xb07d25, Math.min(Math.max((x + y) / (2 * pinRadius) + 0.5, 0), 1))
  const [gx, gy] = [x + 0.007, y + 0.008]
  const glint = Math.min(Math.max(1.4 - (gx * gx + gy * gy) / 0.00004, 0), 1)
  const edge = Math.min(Math.max(1 - inside / 0.006, 0), 1)
  return mix(mix(dome, 0xfff3c4, glint * 0.8), 0x7d5518, edge * 0.6)
}

const thread = 0xf4ead2
const width = 0.0055

/** Paints the thread that the puppet hangs from, and the thread that is pulled, with its wooden bead. */
export function paintStrings(canvas: Canvas, skeleton: Skeleton, character: Character): void {
  const { torso, head } = skeleton.parts
  stretch(canvas, apply(head, 0, -2 * character.headHeight), apply(head, 0, -2.2))
  const from = apply(torso, 0, character.torso - 0.05)
  // The bead hangs straight down, and is lower when the thread is pulled.
  const bead: Point = [from[0] * 0.7 + skeleton.joints.neck[0] * 0.3, from[1] + 0.4 + 0.1 * skeleton.pull]
  stretch(canvas, from, bead)
  const ball = disc(0, 0, 0.038)
  canvas.shade(ball, place(bead[0] + 0.016, bead[1] + 0.022), 0.03, 0.3)
  canvas.paint(ball, place(...bead), (x, y) =>
    mix(0xf0c489, 0xa5672f, Math.min(Math.max((x + y) * 10 + 0.45, 0), 1)),
  )
}

function stretch(canvas: Canvas, from: Point, to: Point): void {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]]
  const length = Math.sqrt(dx * dx + dy * dy)
  // Rotates (0, length) onto (dx, dy).
  const at = { a: dy / length, b: -dx / length, tx: from[0], ty: from[1] }
  const shape = limb(width, width, length)
  canvas.shade(shape, { ...at, tx: at.tx + 0.012, ty: at.ty + 0.016 }, 0.014, 0.35)
  canvas.paint(shape, at, plain(thread))
}
