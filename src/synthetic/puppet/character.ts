// What a seed decides about a puppet's looks: colours, clothes, hat, hair and proportions.
import type { Random } from '../../util/random.ts'
import type { Rgb } from './canvas.ts'

/** Colours that go together: printed card as in old picture sheets. */
export interface Palette {
  readonly ink: Rgb
  /** The cut edge of the card. */
  readonly rim: Rgb
  readonly coat: Rgb
  readonly coat2: Rgb
  readonly trousers: Rgb
  readonly accent: Rgb
  /** Backgrounds, light. */
  readonly wall: Rgb
  readonly wall2: Rgb
}

const rim = 0xfbf4e4
const palettes: readonly Palette[] = [
  {
    ink: 0x2b2a33,
    rim,
    coat: 0xd8432f,
    coat2: 0xf2c14e,
    trousers: 0x2f5d8a,
    accent: 0x1f3a5f,
    wall: 0xf1e3c6,
    wall2: 0xe3cfa4,
  },
  {
    ink: 0x2e2430,
    rim,
    coat: 0x2a7f7a,
    coat2: 0xf0e2c0,
    trousers: 0xe2873b,
    accent: 0xb23a48,
    wall: 0xf4d9c6,
    wall2: 0xe8bfa5,
  },
  {
    ink: 0x25303b,
    rim,
    coat: 0xe0a526,
    coat2: 0x9c2f45,
    trousers: 0x5b3a6b,
    accent: 0x356859,
    wall: 0xcfe0da,
    wall2: 0xb3cdc4,
  },
  {
    ink: 0x2a2438,
    rim,
    coat: 0x4a6fa5,
    coat2: 0xf7f0df,
    trousers: 0xc8553d,
    accent: 0xf2b134,
    wall: 0xf6e7d3,
    wall2: 0xeac9b0,
  },
  {
    ink: 0x33262a,
    rim,
    coat: 0xd96c8a,
    coat2: 0xfbe3d4,
    trousers: 0x3c6e71,
    accent: 0x8b2e4b,
    wall: 0xd8e2c8,
    wall2: 0xbfd0a7,
  },
  {
    ink: 0x22313a,
    rim,
    coat: 0x5a8f4d,
    coat2: 0xf4d35e,
    trousers: 0x8a4f2d,
    accent: 0xc63d2f,
    wall: 0xd5dff0,
    wall2: 0xb8c8e3,
  },
  {
    ink: 0x2b2030,
    rim,
    coat: 0x6d4c91,
    coat2: 0xf3c677,
    trousers: 0x2d7d9a,
    accent: 0xe0533d,
    wall: 0xf7e4e4,
    wall2: 0xe9c6cb,
  },
  {
    ink: 0x1f2a30,
    rim,
    coat: 0xf07c4a,
    coat2: 0x2e4a62,
    trousers: 0x7a9e7e,
    accent: 0x2e4a62,
    wall: 0xe7e3f2,
    wall2: 0xccc5e3,
  },
]

const skins: readonly Rgb[] = [0xf6d3b5, 0xefc09a, 0xdca47a, 0xb97a50, 0x8d5a3b, 0x6b432d]
const hairs: readonly Rgb[] = [0x2b211d, 0x4f3322, 0x7a4a25, 0xa8642c, 0xd9a441, 0xc9c3b8, 0xb5482a]

const hats = ['none', 'topHat', 'cone', 'beanie', 'crown', 'bowler', 'beret'] as const
const cloths = ['stripes', 'bars', 'dots', 'lozenges', 'gingham', 'plain'] as const
const coats = ['jacket', 'dress', 'jersey'] as const
const hairCuts = ['bob', 'short', 'curls', 'buns'] as const
/** Prints of cloth. */
export type Cloth = (typeof cloths)[number]

/** A puppet, except for how it moves. Lengths are in halves of the picture's side. */
export interface Character {
  readonly palette: Palette
  readonly skin: Rgb
  readonly hair: Rgb
  readonly hairCut: (typeof hairCuts)[number]
  readonly hat: (typeof hats)[number]
  readonly coat: (typeof coats)[number]
  readonly cloth: Cloth
  readonly trousers: Cloth
  readonly moustache: boolean
  readonly open: boolean
  readonly smile: number
  readonly headWidth: number
  readonly headHeight: number
  readonly shoulder: number
  readonly waist: number
  readonly torso: number
  readonly arm: readonly [upper: number, lower: number]
  readonly leg: readonly [upper: number, lower: number]
  readonly armWidth: number
  readonly legWidth: number
}

/** Draws a character by lot. */
export function drawCharacter(random: Random): Character {
  const coat = random.pick(coats)
  const stature = random.between(0.93, 1.05)
  const arm = random.between(0.235, 0.275) * stature
  const leg = random.between(0.25, 0.29) * stature
  return {
    palette: random.pick(palettes),
    skin: random.pick(skins),
    hair: random.pick(hairs),
    hairCut: random.pick(hairCuts),
    hat: random.pick(hats),
    coat,
    cloth: random.pick(cloths),
    trousers: random.pick(cloths),
    moustache: coat !== 'dress' && random.uniform() < 0.4,
    open: random.uniform() < 0.4,
    smile: random.between(0.05, 0.075),
    headWidth: random.between(0.155, 0.185),
    headHeight: random.between(0.172, 0.2),
    shoulder: random.between(0.15, 0.2),
    waist: coat === 'dress' ? random.between(0.2, 0.25) : random.between(0.125, 0.16),
    torso: random.between(0.43, 0.5) * stature,
    arm: [arm, arm * random.between(0.88, 1)],
    leg: [leg, leg * random.between(0.92, 1.02)],
    armWidth: random.between(0.05, 0.062),
    legWidth: random.between(0.062, 0.078),
  }
}
