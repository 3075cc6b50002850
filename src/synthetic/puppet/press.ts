import type { Random } from '../../util/random.ts'
import type { Paint } from './canvas.ts'
import type { Character } from './character.ts'
import { cutCard, Grain } from './paints.ts'
import type { Shape } from './shapes.ts'

/** One printed area of a part. */
export interface Layer {
  readonly shape: Shape
  readonly paint: Paint
}

/** A piece of card: its outline, which casts a shadow and hides what is behind, and what is printed on it. */
export interface Part {
  readonly outline: Shape
  readonly layers: readonly Layer[]
}

/** Width of the pale cut edge. */
const rimWidth = 0.011

/** Turns prints into cut card with paper grain; knows the size of a pixel. */
export interface Press {
  /** A piece of card with a cut rim. */
  readonly card: (shape: Shape, print: Paint) => Layer
  /** Printed upon card, without a rim. */
  readonly print: (shape: Shape, paint: Paint) => Layer
  readonly soft: number
}

/** @param size pixels a side of the picture, for prints as sharp as its pixels. */
export function createPress(character: Character, size: number, random: Random): Press {
  const soft = 2 / size
  const grain = new Grain(random)
  // Below its own fineness the grain would flicker.
  const strength = 0.035 * Math.min(1, size / 256)
  const on = (paint: Paint) => grain.on(paint, strength, 120)
  const { rim } = character.palette
  return {
    card: (shape, print) => ({ shape, paint: on(cutCard(print, rim, rimWidth, soft)) }),
    print: (shape, paint) => ({ shape, paint: on(paint) }),
    soft,
  }
}
