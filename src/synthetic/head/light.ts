// The light of a synthetic picture: key, fill and rim lamps, a sky, and the shadow of the key lamp.
import type { Random } from '../../util/random.ts'
import { clamp, cos, exp, gauss, power, sin } from '../arithmetic.ts'
import type { Lighting } from '../made-clips.ts'
import { type Body, type CutOut, createSamples, drawTriangles, type Projected } from './body.ts'
import type { Look } from './look.ts'

type Vector = readonly [number, number, number]

export interface Lamp {
  /** Towards the lamp, of length 1. */
  readonly to: Vector
  /** Linear red, green and blue. */
  readonly colour: Vector
}

export interface Light {
  readonly key: Lamp
  readonly fill: Lamp
  readonly rim: Lamp
  /** From above, and from below. */
  readonly sky: Vector
  readonly ground: Vector
  /** How far light wraps around: 0 a hard lamp, 0.4 a soft one. */
  readonly wrap: number
  /** 0 no shadow of the key lamp to 1 a full one. */
  readonly shadow: number
  /** Factor of all light. */
  readonly exposure: number
}

/**
 * Draws lamps. The exposure is that of a camera set for a face: see `exposed`.
 *
 * @param lighting holds the softness of the key lamp; `dim` leaves it to the seed
 */
export function drawLight(random: Random, lighting?: Lighting): Light {
  const degrees = Math.PI / 180
  const keySide = random.between(-72, 72)
  const keyHeight = random.between(8, 58)
  const warmth = 0.1 * gauss(random)
  const tinted = (strength: number, warm: number): Vector => [
    strength * (1 + warm),
    strength,
    strength * (1 - warm),
  ]
  const drawn = random.uniform()
  const soft = lighting === 'soft' ? 1 : lighting === 'hard' ? 0 : drawn
  const ambient = random.between(0.22, 0.62)
  const opposite = keySide > 0 ? random.between(-80, -25) : random.between(25, 80)
  return {
    key: { to: direction(keySide * degrees, keyHeight * degrees), colour: tinted(1, warmth) },
    fill: {
      to: direction(opposite * degrees, random.between(-10, 30) * degrees),
      colour: tinted(random.between(0.05, 0.35), -0.5 * warmth),
    },
    rim: {
      to: direction((keySide > 0 ? -150 : 150) * degrees, random.between(10, 50) * degrees),
      colour: tinted(random.uniform() < 0.4 ? random.between(0.3, 1) : 0, random.between(-0.1, 0.1)),
    },
    sky: tinted(ambient, -0.4 * warmth),
    ground: tinted(ambient * random.between(0.3, 0.7), warmth),
    wrap: 0.08 + 0.32 * soft,
    shadow: 0.85 - 0.55 * soft,
    exposure: 1,
  }
}

const direction = (side: number, height: number): Vector => [
  sin(side) * cos(height),
  sin(height),
  cos(side) * cos(height),
]

const dot = (a: Vector, x: number, y: number, z: number): number => a[0] * x + a[1] * y + a[2] * z

/**
 * The same light at the exposure at which this person's skin is as bright as a camera would make it: a little
 * darker for dark skin, but far less so than its albedo. At one exposure for all, dark skin would be under-lit, and
 * a model that learns from the pictures would see it worse. `dim` is a third of it.
 */
export function exposed(light: Light, look: Look, body: Body, random: Random, lighting?: Lighting): Light {
  const skin = (look.skin[0] + look.skin[1] + look.skin[2]) / 3
  const wanted = 0.3 * power(skin / 0.35, 0.55) * exp(0.2 * clamp(gauss(random), -2, 2))
  let sum = 0
  let count = 0
  const { rest, vertices } = body.mesh
  for (let v = 0; v < vertices; v++) {
    const y = rest[3 * v + 1]!
    const z = rest[3 * v + 2]!
    if (y < 6.2 || y > 7.8 || z < 0.8 || body.normals[3 * v + 2]! < 0.3) continue
    const nx = body.normals[3 * v]!
    const ny = body.normals[3 * v + 1]!
    const nz = body.normals[3 * v + 2]!
    const key = Math.max(0, dot(light.key.to, nx, ny, nz) + light.wrap) / (1 + light.wrap)
    sum +=
      (key * 0.85 + light.sky[1] * 0.7 + light.fill.colour[1] * Math.max(0, dot(light.fill.to, nx, ny, nz))) *
      skin
    count++
  }
  const kept = lighting === 'dim' ? 1 / 3 : 1
  return { ...light, exposure: (kept * wanted) / (sum / Math.max(1, count)) }
}

/** The key lamp's shadow at one moment. */
export class Shadow {
  private readonly samples = createSamples(128)
  private readonly points: Projected
  private readonly right: Vector
  private readonly up: Vector

  constructor(
    private readonly triangles: Uint16Array,
    private readonly cutOut: CutOut,
    vertices: number,
    private readonly to: Vector,
  ) {
    this.points = {
      x: new Float32Array(vertices),
      y: new Float32Array(vertices),
      near: new Float32Array(vertices),
    }
    const flat = Math.sqrt(to[0] ** 2 + to[2] ** 2) + 1e-6
    this.right = [to[2] / flat, 0, -to[0] / flat]
    this.up = [-to[1] * (to[0] / flat), flat, -to[1] * (to[2] / flat)]
  }

  /** @param positions [vertices, 3] */
  cast(positions: Float32Array): void {
    const { points } = this
    for (let v = 0; v < points.x.length; v++) {
      const x = positions[3 * v]!
      const y = positions[3 * v + 1]! - 6.9
      const z = positions[3 * v + 2]! - 0.4
      points.x[v] = 64 + dot(this.right, x, y, z) * scale
      points.y[v] = 64 - dot(this.up, x, y, z) * scale
      points.near[v] = dot(this.to, x, y, z)
    }
    drawTriangles(this.samples, points, this.triangles, () => false, this.cutOut)
  }

  /** 0 in shadow to 1 in light, at a place in decimetres: four samples, blended. */
  at(x: number, y: number, z: number): number {
    const dx = x
    const dy = y - 6.9
    const dz = z - 0.4
    const u = 64 + dot(this.right, dx, dy, dz) * scale - 0.5
    const v = 64 - dot(this.up, dx, dy, dz) * scale - 0.5
    const near = dot(this.to, dx, dy, dz) + 0.07
    const i = Math.floor(u)
    const j = Math.floor(v)
    if (i < 0 || j < 0 || i > 126 || j > 126) return 1
    const fu = u - i
    const fv = v - j
    const at = j * 128 + i
    const depths = this.samples.near
    const a = near >= depths[at]! ? 1 - fu : 0
    const b = near >= depths[at + 1]! ? fu : 0
    const c = near >= depths[at + 128]! ? 1 - fu : 0
    const d = near >= depths[at + 129]! ? fu : 0
    return (a + b) * (1 - fv) + (c + d) * fv
  }
}

/** Samples of the shadow's buffer per decimetre: it spans five of them. */
const scale = 128 / 5
