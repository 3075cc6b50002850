// A puppet's head as pieces of card: face, hair and hat.
import type { Character } from './character.ts'
import { type Layer, mix, type Part, type Press, plain, shadeOf, stripes } from './paints.ts'
import { arc, both, box, disc, ellipse, polygon, type Shape, union } from './shapes.ts'
import { around } from './skeleton.ts'

/** The head with its face, hair and hat; the neck pin is at (0, 0) and the chin just above it. */
export function drawHead(character: Character, press: Press): Part {
  const { headWidth: w, headHeight: h, skin } = character
  const cy = -h - 0.03
  const face = ellipse(0, cy, w, h)
  const neck = box(0, -0.02, w * 0.32, 0.06, 0.03)
  const ears = union(disc(-w, cy + h * 0.08, w * 0.17), disc(w, cy + h * 0.08, w * 0.17))
  const skull = union(face, ears, neck)
  const hair = hairOf(character, cy)
  const hat = hatOf(character, press, cy)
  return {
    outline: union(skull, hair.back, ...hat.map(({ shape }) => shape)),
    layers: [
      press.card(hair.back, plain(shadeOf(character.hair, 0.85))),
      press.card(skull, plain(skin)),
      ...faceOf(character, press, cy),
      press.print(both(face, hair.fringe), plain(character.hair)),
      ...hat,
    ],
  }
}

function faceOf(character: Character, press: Press, cy: number): Layer[] {
  const { headWidth: w, headHeight: h, palette, skin, smile } = character
  const eyeY = cy - h * 0.02
  const mouthY = cy + h * 0.3
  const layers: Layer[] = []
  const print = (shape: Shape, colour: number) => layers.push(press.print(shape, plain(colour)))
  for (const side of [-1, 1]) {
    const eyeX = side * w * 0.4
    print(disc(side * w * 0.56, cy + h * 0.32, w * 0.19), mix(skin, 0xe8604c, 0.42))
    print(ellipse(eyeX, eyeY, w * 0.155, h * 0.155), 0xfffaf0)
    print(ellipse(eyeX, eyeY + h * 0.02, w * 0.095, h * 0.115), palette.ink)
    print(disc(eyeX - w * 0.035, eyeY - h * 0.03, w * 0.035), 0xffffff)
    print(arc(eyeX, eyeY - h * 0.02, w * 0.26, w * 0.06, true), shadeOf(character.hair, 0.8))
  }
  print(ellipse(0, cy + h * 0.18, w * 0.1, h * 0.085), mix(skin, 0xc8553d, 0.45))
  if (character.open) {
    const mouth = both(disc(0, mouthY + h * 0.06, smile), box(0, mouthY + h * 0.36, w, h * 0.3))
    print(mouth, 0x8c2a2e)
    print(both(mouth, disc(0, mouthY + h * 0.06 + smile, smile * 0.62)), 0xe37a72)
  } else {
    print(arc(0, mouthY - smile * 0.15, smile * 1.25, w * 0.085), 0x9c2f33)
  }
  if (character.moustache) {
    const wing = (side: number) => ellipse(side * w * 0.23, cy + h * 0.34, w * 0.27, h * 0.085)
    print(union(wing(-1), wing(1)), shadeOf(character.hair, 0.9))
  }
  return layers
}

function hairOf(character: Character, cy: number): { back: Shape; fringe: Shape } {
  const { headWidth: w, headHeight: h } = character
  const cap = ellipse(0, cy - h * 0.1, w * 1.1, h * 1.06)
  const upper = box(0, cy - h, w * 2, h * 0.62)
  const fringe = both(
    upper,
    union(disc(-w * 0.55, cy - h * 0.85, w * 0.78), disc(w * 0.6, cy - h * 0.9, w * 0.8)),
  )
  switch (character.hairCut) {
    case 'short':
      return { back: both(cap, box(0, cy - h * 0.7, w * 2, h * 0.75)), fringe }
    case 'bob':
      return { back: union(cap, box(0, cy + h * 0.25, w * 1.14, h * 0.62, w * 0.3)), fringe }
    case 'curls': {
      const curls = Array.from({ length: 11 }, (_, i) => {
        const [x, y] = around(0, 0, 1, Math.PI * (0.86 + (i * 1.28) / 10))
        return disc(x * w * 1.02, cy + y * h, w * 0.3)
      })
      return { back: union(cap, ...curls), fringe: both(fringe, disc(0, cy - h * 1.1, w * 0.9)) }
    }
    case 'buns':
      return {
        back: union(cap, disc(-w * 1.08, cy - h * 0.42, w * 0.36), disc(w * 1.08, cy - h * 0.42, w * 0.36)),
        fringe,
      }
  }
}

function hatOf(character: Character, press: Press, cy: number): Layer[] {
  const { headWidth: w, headHeight: h, palette } = character
  const brimY = cy - h * 0.62
  const { card, print } = press
  const [main, band] = [palette.accent, palette.coat2]
  switch (character.hat) {
    case 'none':
      return []
    case 'topHat': {
      const tube = box(0, brimY - w * 0.52, w * 0.74, w * 0.6, w * 0.08)
      const ribbon = box(0, brimY - w * 0.16, w * 0.74 - 0.012, w * 0.13)
      const brim = box(0, brimY, w * 1.22, w * 0.115, w * 0.1)
      return [
        card(tube, plain(palette.ink)),
        print(ribbon, plain(palette.coat)),
        card(brim, plain(palette.ink)),
      ]
    }
    case 'cone': {
      const top = brimY - w * 1.75
      const cone = polygon(
        [
          [-w * 0.85, brimY + 0.01],
          [0, top],
          [w * 0.85, brimY + 0.01],
        ],
        0.02,
      )
      const pompoms = [0.12, 0.52].map((t) => disc(0, brimY + (top - brimY) * t, w * 0.13))
      const print2 = stripes(main, band, 0.09, press.soft, 0.7, 0.7)
      return [
        card(cone, print2),
        ...pompoms.map((p) => card(p, plain(palette.coat))),
        card(disc(0, top, w * 0.24), plain(palette.coat)),
      ]
    }
    case 'beanie': {
      const knit = stripes(palette.coat, band, 0.05, press.soft, 0, 1)
      const dome = both(ellipse(0, brimY + w * 0.05, w * 1.05, h * 0.85), box(0, brimY - h, w * 2, h))
      return [
        card(disc(0, brimY - h * 0.84, w * 0.27), plain(palette.rim)),
        card(dome, knit),
        card(box(0, brimY, w * 1.1, w * 0.17, w * 0.12), plain(main)),
      ]
    }
    case 'crown': {
      const y = brimY - w * 0.1
      const points = [-1, -0.5, 0, 0.5, 1].flatMap((t, i) => [
        [t * w * 0.92, y - w * (i % 2 === 0 ? 0.72 : 0.62)] as const,
        ...(i < 4 ? [[(t + 0.25) * w * 0.88, y - w * 0.2] as const] : []),
      ])
      const gold = 0xeeb93c
      const crown = polygon([[-w * 0.78, y + w * 0.16], ...points, [w * 0.78, y + w * 0.16]], 0.012)
      return [
        card(crown, plain(gold)),
        ...[-0.5, 0, 0.5].map((t) => print(disc(t * w, y + w * 0.02, w * 0.09), plain(palette.coat))),
        ...[-1, 0, 1].map((t) => print(disc(t * w * 0.92, y - w * 0.74, w * 0.1), plain(palette.trousers))),
      ]
    }
    case 'bowler': {
      const dome = both(ellipse(0, brimY + 0.01, w * 0.9, h * 0.78), box(0, brimY - h, w * 2, h))
      return [
        card(dome, plain(main)),
        print(both(dome, box(0, brimY - w * 0.12, w * 2, w * 0.1)), plain(band)),
        card(ellipse(0, brimY + 0.005, w * 1.28, w * 0.16), plain(main)),
      ]
    }
    case 'beret':
      return [
        card(box(w * 0.22, brimY - w * 0.62, w * 0.05, w * 0.14, w * 0.04), plain(main)),
        card(ellipse(w * 0.14, brimY - w * 0.22, w * 1.2, w * 0.44), plain(palette.coat)),
        card(box(0, brimY + w * 0.06, w * 0.92, w * 0.1, w * 0.08), plain(main)),
      ]
  }
}
