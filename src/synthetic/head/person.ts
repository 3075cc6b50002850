// Who a synthetic person is: the shape of the head, drawn from a seed.
import type { Random } from '../../util/random.ts'
import { clamp, gauss } from '../arithmetic.ts'
import { type HeadMesh, type HeadPart, type HeadShape, headParts, partNumber, vertexParts } from './asset.ts'

/** Shares of ancestries, which sum to 1. They decide shape and pigment together. */
export interface Ancestry {
  readonly african: number
  readonly asian: number
  readonly caucasian: number
}

export interface Person {
  readonly ancestry: Ancestry
  /** 0 female to 1 male. */
  readonly male: number
  /** 0 child, 0.5 young adult, 1 old. */
  readonly age: number
  /** Weights of the mesh's shapes and macro shapes, by name. */
  readonly weights: ReadonlyMap<string, number>
}

/** Draws a person. Every number that decides the shape of a head comes from `random`. */
export function drawPerson(random: Random, mesh: HeadMesh): Person {
  const ancestry = drawAncestry(random)
  const male = drawSex(random)
  const age = drawAge(random)
  const heaviness = clamp(0.45 * gauss(random), -0.9, 0.9)
  const weights = new Map([...macroWeights(ancestry, male, age, heaviness), ...featureWeights(random, mesh)])
  // Creases of old age come with the years, not by chance alone.
  weights.set('head-age-incr', 0.55 * clamp((age - 0.6) / 0.4, 0, 1))
  return { ancestry, male, age, weights }
}

/** Near a Dirichlet distribution: most people are mostly of one ancestry, some are of several. */
function drawAncestry(random: Random): Ancestry {
  const sharp = () => {
    const u = random.uniform()
    return u * u + 1e-6
  }
  const [african, asian, caucasian] = [sharp(), sharp(), 1.1 * sharp()]
  const sum = african + asian + caucasian
  return { african: african / sum, asian: asian / sum, caucasian: caucasian / sum }
}

function drawSex(random: Random): number {
  const side = random.uniform() < 0.5 ? 0 : 1
  const blur = random.uniform() < 0.16 ? random.between(0.25, 0.5) : random.between(0, 0.12)
  return side === 1 ? 1 - blur : blur
}

function drawAge(random: Random): number {
  const kind = random.uniform()
  if (kind < 0.07) return random.between(0.2, 0.4)
  if (kind < 0.72) return random.between(0.45, 0.65)
  return random.between(0.65, 1)
}

/** MakeHuman's macro shapes: the mix of ancestry, sex and age, and how heavy the person is. */
function macroWeights(
  { african, asian, caucasian }: Ancestry,
  male: number,
  age: number,
  heaviness: number,
): [string, number][] {
  const ages = {
    child: clamp(1 - 2 * age, 0, 1),
    young: 1 - Math.abs(2 * age - 1),
    old: clamp(2 * age - 1, 0, 1),
  }
  const found: [string, number][] = []
  for (const [sex, sexShare] of [
    ['female', 1 - male],
    ['male', male],
  ] as const) {
    for (const [stage, ageShare] of Object.entries(ages)) {
      const share = sexShare * ageShare
      for (const [name, part] of Object.entries({ african, asian, caucasian })) {
        found.push([`${name}-${sex}-${stage}`, share * part])
      }
      const weight = heaviness > 0 ? 'maxweight' : 'minweight'
      found.push([`universal-${sex}-${stage}-averagemuscle-${weight}`, share * Math.abs(heaviness)])
    }
  }
  return found
}

/** How a feature's two directions are called: the first has weights above 0. */
const directions: readonly (readonly [string, string])[] = [
  ['incr', 'decr'],
  ['up', 'down'],
  ['in', 'out'],
  ['forward', 'backward'],
  ['convex', 'concave'],
  ['uncompress', 'compress'],
]

/** Shapes that would look like an injury or a caricature, or that belong to age, are left out. */
const leftAlone = /^(head-(age|angle)|neck-double|[lr]-eye-epicanthus|measure-neck-height|head-trans)/

/** Single features, each pair of opposite shapes by one normal number; left and right differ a little. */
function featureWeights(random: Random, mesh: HeadMesh): [string, number][] {
  const names = new Set(mesh.shapes.map(({ name }) => name))
  const drawn = new Map<string, number>()
  const found: [string, number][] = []
  for (const name of names) {
    if (leftAlone.test(name)) continue
    const [stem, ahead, back] = opposites(name)
    if (back !== undefined && name.endsWith(back)) continue
    // Left and right share a number: a face is nearly symmetric.
    const shared = stem.replace(/^[lr]-/, '')
    const weight = drawn.get(shared) ?? clamp(0.3 * gauss(random), -0.8, 0.8)
    drawn.set(shared, weight)
    const own = weight + 0.04 * gauss(random)
    if (ahead === undefined) {
      // A shape without an opposite, such as head-oval, is only ever added.
      if (own > 0) found.push([name, 0.8 * own])
      continue
    }
    const chosen = `${stem}${own > 0 ? ahead : back}`
    if (names.has(chosen)) found.push([chosen, Math.abs(own)])
  }
  return found
}

/** The name without its direction, and both directions; a name alone where it has none. */
function opposites(name: string): [string, string?, string?] {
  for (const [ahead, back] of directions) {
    for (const end of [ahead, back]) {
      if (name.endsWith(`-${end}`)) return [name.slice(0, -end.length), ahead, back]
    }
  }
  return [name]
}

/** The vertices of a person at rest, [vertices, 3] in decimetres. */
export function shapeOf({ weights }: Person, mesh: HeadMesh): Float32Array<ArrayBuffer> {
  const shaped = Float32Array.from(mesh.rest)
  for (const list of [mesh.macros, mesh.shapes]) {
    for (const shape of list) addShape(shaped, shape, weights.get(shape.name) ?? 0)
  }
  centre(shaped, mesh)
  settleMouth(shaped, mesh)
  return shaped
}

/**
 * Where teeth and tongue go, decimetres down, back, and the part of the width that stays. The mesh has the upper teeth behind the
 * lip, so that a mouth that opened showed lower teeth and tongue alone. In most people it shows upper teeth and the dark. On some
 * faces lower teeth came through the chin.
 */
const insideMouth: Readonly<Partial<Record<HeadPart, readonly [down: number, back: number, width: number]>>> =
  {
    upperTeeth: [0.045, 0, 1],
    lowerTeeth: [0.09, 0.14, 0.86],
    tongue: [0.08, 0.14, 0.9],
  }

function settleMouth(shaped: Float32Array, mesh: HeadMesh): void {
  const parts = vertexParts(mesh)
  for (const [name, [down, back, width]] of Object.entries(insideMouth)) {
    const part = headParts.indexOf(name as HeadPart)
    parts.forEach((found, v) => {
      if (found !== part) return
      shaped[3 * v] = shaped[3 * v]! * width
      shaped[3 * v + 1] = shaped[3 * v + 1]! - down
      shaped[3 * v + 2] = shaped[3 * v + 2]! - back
    })
  }
}

/** Moves the person so that the eyes are where they are at rest: macro shapes change the body's height. */
function centre(shaped: Float32Array, { rest, triangles, parts }: HeadMesh): void {
  const eyes = new Set(triangles.filter((_, i) => isEye(parts[Math.floor(i / 3)]!)))
  for (let axis = 0; axis < 3; axis++) {
    let shift = 0
    for (const v of eyes) shift += rest[3 * v + axis]! - shaped[3 * v + axis]!
    shift /= eyes.size
    for (let i = axis; i < shaped.length; i += 3) shaped[i] = shaped[i]! + shift
  }
}

/** Whether a part, by its number, is an eyeball. */
export const isEye = (part: number): boolean =>
  part === partNumber('leftEye') || part === partNumber('rightEye')

/** Moves the vertices of `positions` by `weight` of a shape. */
export function addShape(positions: Float32Array, { indices, deltas }: HeadShape, weight: number): void {
  if (weight === 0) return
  for (let i = 0; i < indices.length; i++) {
    const at = 3 * indices[i]!
    positions[at] = positions[at]! + weight * deltas[3 * i]!
    positions[at + 1] = positions[at + 1]! + weight * deltas[3 * i + 1]!
    positions[at + 2] = positions[at + 2]! + weight * deltas[3 * i + 2]!
  }
}
