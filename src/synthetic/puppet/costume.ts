// What a puppet is made of: its body parts as pieces of card, the brass pins at its joints, and the strings that it
// hangs from and is pulled by.
import { apply, type Point, place } from '../arithmetic.ts'
import type { Canvas, Paint, Rgb } from './canvas.ts'
import type { Character, Cloth } from './character.ts'
import { drawHead } from './head.ts'
import {
  dots,
  gingham,
  type Layer,
  lozenges,
  mix,
  type Part,
  type Press,
  plain,
  shadeOf,
  stripes,
} from './paints.ts'
import { both, box, disc, ellipse, limb, polygon, type Shape, union } from './shapes.ts'
import type { PartName, Skeleton } from './skeleton.ts'

/** All body parts of a puppet, each in its own coordinates (see `Skeleton.parts`). */
export function sewCostume(character: Character, press: Press): Readonly<Record<PartName, Part>> {
  const { palette, skin } = character
  const coat = printed(character.cloth, palette.coat, palette.coat2, press.soft)
  const sleeve = character.cloth === 'plain' ? plain(shadeOf(palette.coat, 0.94)) : coat
  const legs = printed(character.trousers, palette.trousers, shadeOf(palette.trousers, 1.28), press.soft)
  const [upperArm, lowerArm] = character.arm
  const [upperLeg, lowerLeg] = character.leg
  const { armWidth: a, legWidth: l } = character
  const stocking = character.coat === 'dress' ? plain(palette.coat2) : legs
  const arm = (): Part => simple(press, limb(a, a * 0.86, upperArm), sleeve)
  const leg = (): Part => simple(press, limb(l, l * 0.82, upperLeg), stocking)
  return {
    upperArm0: arm(),
    upperArm1: arm(),
    lowerArm0: forearm(press, a, lowerArm, sleeve, skin, palette.accent),
    lowerArm1: forearm(press, a, lowerArm, sleeve, skin, palette.accent),
    upperLeg0: leg(),
    upperLeg1: leg(),
    lowerLeg0: shin(press, l, lowerLeg, stocking, palette.accent, palette.ink, -1),
    lowerLeg1: shin(press, l, lowerLeg, stocking, palette.accent, palette.ink, 1),
    torso: drawTorso(character, press, coat),
    head: drawHead(character, press),
  }
}

function simple(press: Press, shape: Shape, paint: Paint): Part {
  return { outline: shape, layers: [press.card(shape, paint)] }
}

function forearm(press: Press, width: number, span: number, sleeve: Paint, skin: Rgb, cuff: Rgb): Part {
  const cloth = limb(width * 0.88, width * 0.7, span * 0.74)
  const palm = ellipse(0, span, width * 0.8, width * 0.98)
  const thumb = ellipse(width * 0.72, span - width * 0.35, width * 0.34, width * 0.5)
  const hand = union(palm, thumb)
  return {
    outline: union(cloth, hand),
    layers: [
      press.card(hand, plain(skin)),
      press.card(cloth, sleeve),
      press.card(box(0, span * 0.74, width * 0.98, width * 0.36, width * 0.2), plain(cuff)),
    ],
  }
}

function shin(
  press: Press,
  width: number,
  span: number,
  stocking: Paint,
  shoe: Rgb,
  sole: Rgb,
  side: 1 | -1,
): Part {
  const calf = limb(width * 0.86, width * 0.66, span * 0.9)
  const boot = union(
    box(0, span * 0.93, width * 0.76, width * 0.62, width * 0.3),
    ellipse(side * width * 0.62, span + width * 0.34, width * 1.32, width * 0.66),
  )
  const heel = both(boot, box(0, span + width, width * 4, width * 0.34))
  return {
    outline: union(calf, boot),
    layers: [press.card(calf, stocking), press.card(boot, plain(shoe)), press.print(heel, plain(sole))],
  }
}

function drawTorso(character: Character, press: Press, coat: Paint): Part {
  const { shoulder, waist, torso, palette } = character
  const r = 0.05
  const body = polygon(
    character.coat === 'dress'
      ? [
          [-shoulder + r, 0.03],
          [shoulder - r, 0.03],
          [shoulder * 0.62, torso * 0.45],
          [waist - r, torso],
          [-waist + r, torso],
          [-shoulder * 0.62, torso * 0.45],
        ]
      : [
          [-shoulder + r, 0.03],
          [shoulder - r, 0.03],
          [waist - r, torso - 0.02],
          [-waist + r, torso - 0.02],
        ],
    r,
  )
  const print = (shape: Shape, paint: Paint) => press.print(both(body, shape), paint)
  const layers = [press.card(body, coat)]
  if (character.coat === 'dress') {
    layers.push(print(box(0, torso * 0.47, 0.2, 0.024, 0.01), plain(palette.accent)))
    layers.push(print(box(0, torso + 0.012, 0.4, 0.022), plain(palette.accent)))
    for (const side of [-1, 1]) {
      layers.push(press.card(ellipse(side * 0.036, 0.055, 0.04, 0.026), plain(palette.rim)))
    }
  } else if (character.coat === 'jacket') {
    const lapel = (side: number) =>
      polygon([
        [0, 0.2],
        [side * 0.09, -0.03],
        [0, -0.03],
      ])
    layers.push(print(union(lapel(-1), lapel(1)), plain(palette.rim)))
    layers.push(print(box(0, torso - 0.085, 0.3, 0.022), plain(palette.accent)))
    layers.push(press.print(box(0, torso - 0.085, 0.026, 0.028, 0.006), plain(0xe8c35a)))
    for (const y of [0.235, 0.3]) layers.push(press.print(disc(0, y, 0.013), plain(palette.accent)))
    layers.push(...bowTie(press, palette.accent))
  } else {
    layers.push(print(ellipse(0, 0.005, 0.085, 0.06), plain(palette.accent)))
    layers.push(print(box(0, torso + 0.002, 0.4, 0.03), plain(palette.accent)))
  }
  return { outline: body, layers }
}

function bowTie(press: Press, colour: Rgb): Layer[] {
  const wing = (side: number) =>
    polygon(
      [
        [0, 0.07],
        [side * 0.06, 0.045],
        [side * 0.06, 0.095],
      ],
      0.008,
    )
  return [
    press.print(union(wing(-1), wing(1)), plain(colour)),
    press.print(disc(0, 0.07, 0.016), plain(shadeOf(colour, 0.75))),
  ]
}

function printed(cloth: Cloth, a: Rgb, b: Rgb, soft: number): Paint {
  switch (cloth) {
    case 'stripes':
      return stripes(a, b, 0.062, soft, 1, 0)
    case 'bars':
      return stripes(a, b, 0.075, soft, 0, 1)
    case 'dots':
      return dots(a, b, 0.072, 0.017, soft)
    case 'lozenges':
      return lozenges(a, b, 0.105, soft)
    case 'gingham':
      return gingham(a, b, 0.06, soft)
    case 'plain':
      return plain(a)
  }
}

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
