import { apply, type Point, place } from './affine.ts'
import type { Canvas } from './canvas.ts'
import type { Character } from './character.ts'
import type { Figure } from './figure.ts'
import { mix, plain } from './paints.ts'
import { disc, limb } from './shapes.ts'

const thread = 0xf4ead2
const width = 0.0055

/** The thread that the puppet hangs from, and the one that is pulled, with its wooden bead. */
export function paintStrings(canvas: Canvas, figure: Figure, character: Character): void {
  const { torso, head } = figure.parts
  stretch(canvas, apply(head, 0, -2 * character.headHeight), apply(head, 0, -2.2))
  const from = apply(torso, 0, character.torso - 0.05)
  // It hangs straight down, and comes lower when pulled.
  const bead: Point = [from[0] * 0.7 + figure.joints.neck[0] * 0.3, from[1] + 0.4 + 0.1 * figure.pull]
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
  // Turns (0, length) onto (dx, dy).
  const at = { a: dy / length, b: -dx / length, tx: from[0], ty: from[1] }
  const shape = limb(width, width, length)
  canvas.shade(shape, { ...at, tx: at.tx + 0.012, ty: at.ty + 0.016 }, 0.014, 0.35)
  canvas.paint(shape, at, plain(thread))
}
