// The colour of one point of a person: material at the place on the resting face, light at the place in space.
//
// Paint is found by the position on the resting base mesh, so that brows, hairline and neckline follow the shape.
import { clamp, mix, noise, power, sin, smoothstep } from '../arithmetic.ts'
import { type HeadMesh, partNumber } from './asset.ts'
import type { Body, CutOut, Projected } from './body.ts'
import type { Light, Shadow } from './light.ts'
import type { Glasses, Look } from './look.ts'
import { azimuth, type Surface } from './surface.ts'

const [skin, leftEye, rightEye] = [partNumber('skin'), partNumber('leftEye'), partNumber('rightEye')]
const [upperTeeth, lowerTeeth, tongue] = [
  partNumber('upperTeeth'),
  partNumber('lowerTeeth'),
  partNumber('tongue'),
]
const [lashes, longHair] = [partNumber('lashes'), partNumber('hair')]

/** Middle of the left eyeball on the resting mesh, decimetres; the right one is its mirror image. */
export const eyeMiddle = { x: 0.3077, y: 7.284, z: 1.245 } as const

/** What a point of a person is, for masks. */
export type Matter = 'skin' | 'hair' | 'cloth' | 'eye' | 'mouth'

export class Shader {
  /** Linear red, green and blue of the point that was shaded last. */
  readonly colour = new Float32Array(3)
  /** What that point is. */
  matter: Matter = 'skin'
  private gazeX = 0
  private gazeY = 0

  constructor(
    private readonly mesh: HeadMesh,
    private readonly look: Look,
    private readonly surface: Surface,
    private readonly body: Body,
    private readonly light: Light,
    private readonly shadow: Shadow,
    private readonly points: Projected,
  ) {}

  /** @param gaze radians to the picture's right, and up, within the head */
  lookAt([side, up]: readonly [number, number]): void {
    this.gazeX = sin(side)
    this.gazeY = sin(up)
  }

  /** Shades the point of a triangle at a place of the picture, in samples. */
  shade(triangle: number, px: number, py: number): void {
    const { mesh, points, surface, body } = this
    const { rest, triangles, parts } = mesh
    const a = triangles[3 * triangle]!
    const b = triangles[3 * triangle + 1]!
    const c = triangles[3 * triangle + 2]!
    const ax = points.x[a]!
    const ay = points.y[a]!
    const bx = points.x[b]! - ax
    const by = points.y[b]! - ay
    const cx = points.x[c]! - ax
    const cy = points.y[c]! - ay
    const inverse = 1 / (bx * cy - by * cx)
    const dx = px - ax
    const dy = py - ay
    const wb = clamp((dx * cy - dy * cx) * inverse, 0, 1)
    const wc = clamp((dy * bx - dx * by) * inverse, 0, 1 - wb)
    const wa = 1 - wb - wc
    const at = (values: Float32Array, axis: number) =>
      wa * values[3 * a + axis]! + wb * values[3 * b + axis]! + wc * values[3 * c + axis]!
    const one = (values: Float32Array) => wa * values[a]! + wb * values[b]! + wc * values[c]!

    const x = at(rest, 0)
    const y = at(rest, 1)
    const z = at(rest, 2)
    let nx = at(body.normals, 0)
    let ny = at(body.normals, 1)
    let nz = at(body.normals, 2)
    const length = 1 / Math.sqrt(nx * nx + ny * ny + nz * nz + 1e-9)
    const part = parts[triangle]!
    // Hair shells are seen from both sides.
    const flip = part === longHair && nz < 0 ? -length : length
    nx *= flip
    ny *= flip
    nz *= flip
    let open = one(surface.open)
    let red = at(surface.albedo, 0)
    let green = at(surface.albedo, 1)
    let blue = at(surface.albedo, 2)
    let gloss = 0.035
    let sharp = 12
    this.matter = 'skin'

    if (part === skin) {
      const cloth = this.clothAt(x, y, z)
      const hair = one(surface.hair)
      if (cloth > 0) {
        const [r, g, b2] = this.clothColour(x, y, z)
        red = mix(red, r, cloth)
        green = mix(green, g, cloth)
        blue = mix(blue, b2, cloth)
        gloss *= 1 - cloth
        if (cloth > 0.5) this.matter = 'cloth'
        else open *= 1 - 0.35 * cloth
      } else if (hair > -0.06 && y > 6.2) {
        const strand = this.strand(x, y, z)
        const thickness = this.look.hair.kind === 'buzz' ? 0.62 : 1
        const cover = thickness * smoothstep(-0.05, 0.09, hair + 0.1 * (strand - 0.5))
        const tone = 0.72 + 0.5 * strand
        const hairColour = this.look.hair.colour
        red = mix(red, hairColour[0] * tone, cover)
        green = mix(green, hairColour[1] * tone, cover)
        blue = mix(blue, hairColour[2] * tone, cover)
        if (cover > 0.5) {
          this.matter = 'hair'
          gloss = 0.05
          sharp = 18
        } else open *= 1 - 0.2 * smoothstep(-0.06, 0, hair)
      }
      const beard = one(surface.beard)
      if (beard > 0.02) {
        const strand = noise(x * 26, y * 14, z * 20, this.look.seed ^ 5)
        const kind = this.look.beard.kind
        const cover =
          kind === 'stubble'
            ? 0.3 * beard * (0.6 + 0.8 * strand)
            : 0.92 * smoothstep(0.25, 0.7, beard + 0.5 * (strand - 0.5))
        const own = this.look.beard.colour
        const tone = 0.75 + 0.5 * strand
        red = mix(red, own[0] * tone, cover)
        green = mix(green, own[1] * tone, cover)
        blue = mix(blue, own[2] * tone, cover)
      }
      const brow = this.browAt(x, y, z)
      if (brow > 0) {
        const own = this.look.brows.colour
        red = mix(red, own[0], brow)
        green = mix(green, own[1], brow)
        blue = mix(blue, own[2], brow)
      }
      if (red > 0.2 && green < 0.08 && y < 6.75 && y > 6.4) gloss = 0.05
    } else if (part === leftEye || part === rightEye) {
      this.matter = 'eye'
      const shade = this.eyeAt(x, y, z, part === leftEye)
      red = this.eyeColour[0]!
      green = this.eyeColour[1]!
      blue = this.eyeColour[2]!
      open = 0.82 * shade
      gloss = 0.32
      sharp = 70
    } else if (part === upperTeeth || part === lowerTeeth || part === tongue) {
      this.matter = 'mouth'
      // Little light comes between the lips, and less to what is behind teeth.
      open = (part === upperTeeth ? 0.72 : 0.22) * smoothstep(0.85, 1.3, z)
      gloss = 0.1
    } else if (part === lashes) {
      open = 0.8
      gloss = 0
    } else if (part === longHair) {
      const strand = this.strand(x, y, z)
      const { colour } = this.look.hair
      const tone = 0.6 + 0.75 * strand
      red = colour[0] * tone
      green = colour[1] * tone
      blue = colour[2] * tone
      gloss = 0.06
      sharp = 16
      this.matter = 'hair'
      open = Math.max(open, 0.5)
    }
    if (this.look.glasses !== undefined && part !== longHair && this.matter !== 'cloth') {
      const { colour } = this.look.glasses
      const frame = this.glassesAt(x, y, z, this.look.glasses)
      red = mix(red * this.through, colour[0], frame)
      green = mix(green * this.through, colour[1], frame)
      blue = mix(blue * this.through, colour[2], frame)
      if (frame > 0.5) {
        gloss = 0.2
        sharp = 40
      }
    }
    this.illuminate(
      at(body.positions, 0),
      at(body.positions, 1),
      at(body.positions, 2),
      nx,
      ny,
      nz,
      open,
      gloss,
      sharp,
    )
    const { colour } = this
    // What was computed there is light; here it meets the material.
    colour[0] = colour[0]! * red + this.glint * this.light.key.colour[0]
    colour[1] = colour[1]! * green + this.glint * this.light.key.colour[1]
    colour[2] = colour[2]! * blue + this.glint * this.light.key.colour[2]
  }

  private glint = 0

  private illuminate(
    x: number,
    y: number,
    z: number,
    nx: number,
    ny: number,
    nz: number,
    open: number,
    gloss: number,
    sharp: number,
  ): void {
    const { key, fill, rim, sky, ground, wrap, shadow: depth, exposure } = this.light
    const keyDot = key.to[0] * nx + key.to[1] * ny + key.to[2] * nz
    const facing = keyDot > -wrap ? (keyDot + wrap) / (1 + wrap) : 0
    const lit = facing > 0 ? 1 - depth * (1 - this.shadow.at(x, y, z)) : 1 - depth
    const direct = facing * facing * (3 - 2 * Math.min(1, facing)) * lit * (0.35 + 0.65 * open)
    const fillDot = Math.max(0, fill.to[0] * nx + fill.to[1] * ny + fill.to[2] * nz) * open
    const rimDot = Math.max(0, rim.to[0] * nx + rim.to[1] * ny + rim.to[2] * nz) * open
    const above = 0.5 + 0.5 * ny
    for (let channel = 0; channel < 3; channel++) {
      const ambient = mix(ground[channel]!, sky[channel]!, above) * open
      // Blood under thin skin: shadows lose blue and green first.
      this.colour[channel] =
        exposure *
        (direct * key.colour[channel]! +
          fillDot * fill.colour[channel]! +
          rimDot * rim.colour[channel]! +
          ambient)
    }
    // Halfway between the lamp and the camera, which looks along -z.
    const hz = key.to[2] + 1
    const half = 1 / Math.sqrt(key.to[0] ** 2 + key.to[1] ** 2 + hz ** 2)
    const shine = Math.max(0, (key.to[0] * nx + key.to[1] * ny + hz * nz) * half)
    this.glint = shine > 0.6 ? exposure * gloss * lit * power(shine, sharp) * (sharp > 40 ? 3 : 1) : 0
  }

  /** Fine stripes along the hair, 0 to 1. */
  private strand(x: number, y: number, z: number): number {
    const { curl } = this.look.hair
    const along = mix(2.2, 9, curl)
    return noise(x * mix(24, 13, curl), y * along, z * mix(24, 13, curl), this.look.seed ^ 21)
  }

  /** How much brow is at a place, 0 to 1. */
  private browAt(x: number, y: number, z: number): number {
    if (y < 7.3 || y > 7.8 || z < 0.7) return 0
    const { density, arch, slope, thickness } = this.look.brows
    const t = (Math.abs(x) - 0.085) / 0.515
    if (t < -0.12 || t > 1.1) return 0
    const middle = browHeight(t, arch, slope)
    const half = thickness * (t < 0.15 ? 0.8 + t : 1.02 - 0.62 * smoothstep(0.35, 1.05, t))
    const hairs = noise(x * 42, y * 22, 0, this.look.seed ^ 9) - 0.5
    const edge = smoothstep(half * 1.35, half * 0.55, Math.abs(y - middle) + 0.012 * hairs)
    return density * edge * smoothstep(-0.12, 0.06, t) * smoothstep(1.1, 0.95, t)
  }

  /** The part of the light that a lens in front of a place lets through. */
  private through = 1

  /** How much of the frame of glasses is at a place, 0 to 1; sets `through`. */
  private glassesAt(x: number, y: number, z: number, glasses: Glasses): number {
    this.through = 1
    const { width, height, squareness, thickness, clear } = glasses
    // Frames hang a little under the middle of the eye.
    const up = y - eyeMiddle.y + 0.03
    const aside = Math.abs(x) - eyeMiddle.x
    if (z < -0.2 || Math.abs(up) > height + thickness || aside > 0.7) return 0
    const soft = 0.008
    // From the outline, near enough to decimetres.
    const round =
      (Math.abs(aside / width) ** squareness + Math.abs(up / height) ** squareness) ** (1 / squareness)
    const off = (round - 1) * Math.min(width, height)
    if (z > 0.5 && off < 0) this.through = clear
    const ring = z > 0.5 ? smoothstep(thickness / 2 + soft, thickness / 2, Math.abs(off)) : 0
    const isBar = off > 0 && (aside < 0 ? z > 0.5 : aside > 0)
    const bar = isBar ? smoothstep(thickness / 2 + soft, thickness / 2, Math.abs(up - 0.4 * height)) : 0
    return Math.max(ring, bar)
  }

  private readonly eyeColour = new Float32Array(3)

  /** Finds the colour of an eye. @returns how much light the lids leave, 0 to 1 */
  private eyeAt(x: number, y: number, z: number, isLeft: boolean): number {
    const { iris, white, irisSize, pupilSize } = this.look.eyes
    const dx = x - (isLeft ? eyeMiddle.x : -eyeMiddle.x)
    const dy = y - eyeMiddle.y
    const dz = z - eyeMiddle.z
    const length = 1 / Math.sqrt(dx * dx + dy * dy + dz * dz + 1e-9)
    const gz = Math.sqrt(Math.max(0, 1 - this.gazeX ** 2 - this.gazeY ** 2))
    const towards = (dx * this.gazeX + dy * this.gazeY + dz * gz) * length
    // Distance on the ball, near enough to an angle for what is in sight.
    const off = Math.sqrt(Math.max(0, 2 - 2 * towards))
    const inIris = smoothstep(irisSize + 0.035, irisSize - 0.035, off)
    const pupil = smoothstep(pupilSize + 0.03, pupilSize - 0.03, off)
    const limbal = smoothstep(irisSize * 0.72, irisSize, off)
    for (let channel = 0; channel < 3; channel++) {
      const coloured = iris[channel]! * (1.15 - 0.75 * limbal) * (1 - pupil) + 0.004
      this.eyeColour[channel] = mix(white[channel]!, coloured, inIris)
    }
    return 1 - 0.45 * smoothstep(0.02, 0.1, dy) - 0.2 * smoothstep(0.03, 0.1, Math.abs(dx) * 0.8)
  }

  /** How much cloth is at a place, 0 to 1: below a neckline that is lower in front. */
  private clothAt(x: number, y: number, z: number): number {
    if (y > 6.3) return 0
    const { low, vee } = this.look.clothes
    const side = Math.abs(x)
    const front = smoothstep(-0.1, 0.5, z)
    const neck = 5.86 - 0.4 * (z + 0.35) - low * (0.4 + 0.6 * front)
    const shoulder = 0.5 * smoothstep(0.6, 1.2, side)
    const opened = vee * front * clamp(1 - side / 0.55, 0, 1)
    return smoothstep(-0.02, 0.03, neck + shoulder - opened - y)
  }

  private clothColour(x: number, y: number, z: number): readonly [number, number, number] {
    const { colours, pattern, scale } = this.look.clothes
    const [first, second] = colours
    const stripe = (v: number) => smoothstep(0.42, 0.58, Math.abs((v * scale) % 1))
    const fold = 0.88 + 0.24 * noise(x * 2.4, y * 1.6, z * 2.4, this.look.seed ^ 41)
    const t =
      pattern === 'plain'
        ? 0
        : pattern === 'stripes'
          ? stripe(y + 10)
          : pattern === 'bars'
            ? stripe(x + 10)
            : (stripe(x + 10) + stripe(y + 10)) / 2
    return [
      mix(first[0], second[0], t) * fold,
      mix(first[1], second[1], t) * fold,
      mix(first[2], second[2], t) * fold,
    ]
  }
}

/** Height of a brow's middle at its part `t` from the nose (0) to the temple (1), decimetres. */
export const browHeight = (t: number, arch: number, slope: number): number =>
  7.5 + arch * (sin(2.4 * t + 0.35) - 0.34) + slope * t

/** Where lashes and long hair let through what is behind them. */
export function cutOutOf({ rest, triangles, parts }: HeadMesh, { hair, seed }: Look): CutOut {
  const { cut, opening } = hair
  return {
    has: (t) => parts[t]! >= lashes,
    isThere(t, wb, wc) {
      const a = 3 * triangles[3 * t]!
      const b = 3 * triangles[3 * t + 1]!
      const c = 3 * triangles[3 * t + 2]!
      const wa = 1 - wb - wc
      const x = wa * rest[a]! + wb * rest[b]! + wc * rest[c]!
      const y = wa * rest[a + 1]! + wb * rest[b + 1]! + wc * rest[c + 1]!
      const z = wa * rest[a + 2]! + wb * rest[b + 2]! + wc * rest[c + 2]!
      // Of lashes, the roots of the upper ones: the rest is finer than a pixel.
      if (parts[t] === lashes) return y > 7.278 && z < 1.4 + 0.02 * noise(x * 60, 0, 0, seed)
      if (y < cut + 0.3 * (noise(x * 12, 0, z * 12, seed ^ 3) - 0.5)) return false
      const edge = opening + 9 * (noise(y * 2, x * 14, 0, seed ^ 13) - 0.5)
      return y > 8.4 || azimuth(x, z) > edge
    },
  }
}
