// How a synthetic person looks: colours of skin, hair, eyes and clothes, how the hair is cut, and the light.
import { Random } from '../../util/random.ts'
import { clamp, exp, gauss, mix, power } from '../arithmetic.ts'
import type { Person } from './person.ts'

/** Linear red, green and blue: the part of the light that comes back, 0 to 1. */
export type Albedo = readonly [number, number, number]

export interface Look {
  readonly skin: Albedo
  readonly lips: Albedo
  /** 0 none to 1: how red cheeks, nose and ears are. */
  readonly flush: number
  readonly freckles: number
  readonly hair: Hair
  readonly beard: Beard
  readonly brows: Brows
  readonly eyes: Eyes
  readonly clothes: Clothes
  /** A quarter of all people wear some. */
  readonly glasses: Glasses | undefined
  /** Decides noise on skin, hair and cloth. */
  readonly seed: number
}

export interface Hair {
  readonly kind: 'none' | 'buzz' | 'short' | 'long'
  readonly colour: Albedo
  /** How far it stands off the scalp, decimetres. */
  readonly volume: number
  /** How much higher than usual the hairline is, decimetres. */
  readonly recession: number
  /** How far a fringe comes down the forehead, decimetres. */
  readonly fringe: number
  /** Where long hair ends, in y. */
  readonly cut: number
  /** Half the angle at which long hair opens around the face, degrees. */
  readonly opening: number
  /** 0 straight to 1 curly: how fine and how strong its tufts are. */
  readonly curl: number
}

export interface Beard {
  readonly kind: 'none' | 'stubble' | 'goatee' | 'full'
  readonly colour: Albedo
}

export interface Brows {
  readonly colour: Albedo
  /** 0 to 1: how much of the skin they hide. */
  readonly density: number
  readonly arch: number
  readonly slope: number
  /** Half of their height at the thickest place, decimetres. */
  readonly thickness: number
}

/** Glasses, which are painted on the face as they are seen from the front. */
export interface Glasses {
  readonly colour: Albedo
  /** Half the width and half the height of a lens, decimetres. */
  readonly width: number
  readonly height: number
  /** Exponent of the lens's outline: 2 is an ellipse, and more is squarer. */
  readonly squareness: number
  /** Of the frame, decimetres. */
  readonly thickness: number
  /** The part of the light that the lenses let through, 0 to 1. */
  readonly clear: number
}

export interface Eyes {
  readonly iris: Albedo
  readonly white: Albedo
  /** Angles from the middle of the iris, radians. */
  readonly irisSize: number
  readonly pupilSize: number
}

export interface Clothes {
  readonly colours: readonly [Albedo, Albedo]
  readonly pattern: 'plain' | 'stripes' | 'bars' | 'checks'
  /** Stripes per decimetre. */
  readonly scale: number
  /** How much lower than a crew neck the neckline is, decimetres. */
  readonly low: number
  /** How deep a V it has in front, decimetres. */
  readonly vee: number
}

/** An albedo from a colour as screens show it: three bytes in hexadecimal. */
export function albedo(colour: string): Albedo {
  const part = (at: number) => power(Number.parseInt(colour.slice(at, at + 2), 16) / 255 + 1e-4, 2.2)
  return [part(1), part(3), part(5)]
}

const blend = (a: Albedo, b: Albedo, t: number): Albedo => [
  mix(a[0], b[0], t),
  mix(a[1], b[1], t),
  mix(a[2], b[2], t),
]
const scaled = (a: Albedo, by: readonly [number, number, number]): Albedo => [
  clamp(a[0] * by[0], 0.004, 0.92),
  clamp(a[1] * by[1], 0.004, 0.92),
  clamp(a[2] * by[2], 0.004, 0.92),
]

/** From least to most melanin. */
const skinRamp = ['#f2cfba', '#e8bb9c', '#d8a27c', '#bd835c', '#986341', '#70472f', '#4d3124'].map(albedo)
const darkHairs = ['#14100e', '#1d1512', '#2a1c14', '#3a2619'].map(albedo)
const lightHairs = ['#5b3c22', '#7a5632', '#a07a48', '#c19d68', '#8a4526', '#a85a30'].map(albedo)
const greys = ['#6f6c69', '#9b9894', '#c9c6c1'].map(albedo)
const darkEyes = ['#3b2415', '#4a2e1b', '#2b1a11'].map(albedo)
const lightEyes = ['#5d7f9a', '#6d8f6a', '#7b6a3d', '#7d8f96', '#8a6b42'].map(albedo)
const cloths = [
  '#23262d',
  '#39424f',
  '#5b6673',
  '#8b8f94',
  '#c9c8c4',
  '#e8e6e1',
  '#2c3f63',
  '#3d5f8f',
  '#6f94bb',
  '#7c2f33',
  '#a8484a',
  '#57683f',
  '#2f5a50',
  '#8c6f3a',
  '#bfa05a',
  '#5b4568',
  '#b98aa0',
].map(albedo)

/** Draws how a person looks. */
export function drawLook(random: Random, person: Person): Look {
  const { ancestry, male, age } = person
  const melanin = clamp(
    0.9 * ancestry.african + 0.36 * ancestry.asian + 0.16 * ancestry.caucasian + 0.09 * gauss(random),
    0,
    1,
  )
  const skin = jitter(random, onRamp(skinRamp, melanin), 0.05)
  const old = clamp((age - 0.62) / 0.38, 0, 1)
  const hairColour = drawHairColour(random, melanin, old)
  const flush = random.between(0.1, 0.7) * (1 - 0.6 * melanin)
  const own = {
    skin,
    lips: drawLips(random, skin, male),
    flush,
    freckles: melanin < 0.35 && random.uniform() < 0.2 ? random.between(0.3, 1) : 0,
    hair: drawHair(random, male, old, hairColour),
    beard: drawBeard(random, male, age, hairColour),
    brows: drawBrows(random, male, hairColour, skin),
    eyes: drawEyes(random, melanin),
    clothes: drawClothes(random, skin),
    seed: random.uint32() | 0,
  }
  return { ...own, glasses: drawGlasses(own.seed) }
}

/** Draws glasses by numbers of their own, so that the same person may wear them or not. */
function drawGlasses(seed: number): Glasses | undefined {
  const random = new Random(seed >>> 0)
  if (random.uniform() > 0.25) return undefined
  return {
    colour: jitter(
      random,
      albedo(random.pick(['#141414', '#2b1a12', '#4a3020', '#6b6b70', '#8a6a2a', '#7a1f28'])),
      0.2,
    ),
    width: random.between(0.24, 0.31),
    height: random.between(0.17, 0.26),
    squareness: random.between(2, 5),
    thickness: random.between(0.012, 0.045),
    clear: random.uniform() < 0.25 ? random.between(0.35, 0.8) : random.between(0.9, 1),
  }
}

function onRamp(ramp: readonly Albedo[], t: number): Albedo {
  const at = t * (ramp.length - 1)
  const i = Math.min(ramp.length - 2, Math.floor(at))
  return blend(ramp[i]!, ramp[i + 1]!, at - i)
}

function jitter(random: Random, colour: Albedo, by: number): Albedo {
  const all = exp(by * gauss(random))
  const warm = 0.4 * by * gauss(random)
  return scaled(colour, [all * (1 + warm), all, all * (1 - warm)])
}

function drawLips(random: Random, skin: Albedo, male: number): Albedo {
  const natural = scaled(skin, [0.82, 0.52, 0.55])
  const painted = male < 0.5 && random.uniform() < 0.35
  if (!painted) return natural
  const stick = albedo(random.pick(['#9c2436', '#b04a55', '#8a3040', '#c06a6a']))
  return blend(natural, stick, random.between(0.4, 0.85))
}

function drawHairColour(random: Random, melanin: number, old: number): Albedo {
  const light = random.uniform() > 0.15 + 2.2 * melanin
  const own = light ? random.pick(lightHairs) : random.pick(darkHairs)
  const grey = old > 0 && random.uniform() < 0.3 + 0.6 * old ? random.between(0.3, 1) * old : 0
  return jitter(random, blend(own, random.pick(greys), grey), 0.12)
}

function drawHair(random: Random, male: number, old: number, colour: Albedo): Hair {
  const u = random.uniform()
  const isMale = male > 0.5
  const kinds: readonly [Hair['kind'], number][] = isMale
    ? [
        ['none', 0.08 + 0.16 * old],
        ['buzz', 0.2],
        ['short', 0.6],
        ['long', 0.12],
      ]
    : [
        ['none', 0.01],
        ['buzz', 0.03],
        ['short', 0.3],
        ['long', 0.66],
      ]
  const total = kinds.reduce((sum, [, share]) => sum + share, 0)
  let [left, kind] = [u * total, 'short' as Hair['kind']]
  for (const [name, share] of kinds) {
    kind = name
    left -= share
    if (left < 0) break
  }
  const short = random.between(0.06, 0.32)
  return {
    kind,
    colour,
    volume: kind === 'short' ? short : kind === 'long' ? random.between(0.2, 0.3) : 0.015,
    recession: isMale ? clamp(0.1 + 0.22 * Math.abs(gauss(random)) * (0.4 + old), 0, 0.6) : 0.02,
    fringe: random.uniform() < (isMale ? 0.25 : 0.4) ? random.between(0.1, 0.42) : 0,
    cut: random.between(4.9, 6.7),
    opening: random.between(50, 74),
    curl: random.uniform() < 0.35 ? random.between(0.4, 1) : random.between(0, 0.3),
  }
}

function drawBeard(random: Random, male: number, age: number, hair: Albedo): Beard {
  const u = random.uniform()
  const grows = male > 0.6 && age > 0.42
  const kind = !grows || u < 0.45 ? 'none' : u < 0.68 ? 'stubble' : u < 0.82 ? 'goatee' : 'full'
  return { kind, colour: scaled(hair, [0.85, 0.8, 0.8]) }
}

function drawBrows(random: Random, male: number, hair: Albedo, skin: Albedo): Brows {
  const darker: Albedo = [Math.min(hair[0], skin[0]), Math.min(hair[1], skin[1]), Math.min(hair[2], skin[2])]
  return {
    colour: scaled(darker, [0.6, 0.57, 0.55]),
    density: random.between(0.45, 0.85) * (0.8 + 0.2 * male),
    arch: random.between(0.045, 0.11) - 0.025 * male,
    slope: random.between(-0.06, 0.01),
    thickness: random.between(0.024, 0.042) + 0.014 * male,
  }
}

function drawEyes(random: Random, melanin: number): Eyes {
  const light = random.uniform() > 0.1 + 2.4 * melanin
  const colour = jitter(random, random.pick(light ? lightEyes : darkEyes), 0.15)
  return {
    iris: colour,
    white: [0.66, 0.62, 0.58],
    irisSize: random.between(0.46, 0.54),
    pupilSize: random.between(0.16, 0.25),
  }
}

function drawClothes(random: Random, skin: Albedo): Clothes {
  const distance = (a: Albedo) =>
    Math.abs(a[0] - skin[0]) + Math.abs(a[1] - skin[1]) + Math.abs(a[2] - skin[2])
  // Cloth of the skin's colour would look like a bare chest.
  const usable = cloths.filter((cloth) => distance(cloth) > 0.16)
  const first = jitter(random, random.pick(usable), 0.1)
  const second = random.uniform() < 0.6 ? scaled(first, [0.45, 0.45, 0.5]) : random.pick(usable)
  const vee = random.uniform() < 0.35 ? random.between(0.25, 0.75) : 0
  return {
    colours: [first, second],
    pattern: random.uniform() < 0.55 ? 'plain' : random.pick(['stripes', 'bars', 'checks']),
    scale: random.between(2, 6),
    low: random.between(-0.05, 0.22),
    vee,
  }
}
