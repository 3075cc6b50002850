// Training pictures for the face networks: rendered heads at any place, size and angle, on backgrounds without people, as
// bad cameras, painters and old photographs would show them.
import sharp from 'sharp'
import { type FaceSquare, faceSquare } from '../../src/faces/box.ts'
import { paintBackdrop } from '../../src/synthetic/head/picture.ts'
import { paintBackground } from '../../src/synthetic/puppet/background.ts'
import { Canvas } from '../../src/synthetic/puppet/canvas.ts'
import { drawCharacter } from '../../src/synthetic/puppet/character.ts'
import { stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { Random } from '../../src/util/random.ts'
import { type PooledHead, poolSize } from './pool.ts'

/** RGB [side, side, 3], 0 to 255; floats, so that steps do not round. */
export interface Picture {
  readonly side: number
  readonly data: Float32Array
}

/** A head as it lies in a picture. */
export interface PlacedHead {
  /** [66, 2], pixels from the upper left edge. */
  readonly landmarks: Float32Array
  /** [66]: 1 in the picture and in sight. */
  readonly visible: Uint8Array
  readonly square: FaceSquare
}

/** Where a face is put: its middle, its side and its angle, in pixels and radians. */
export type Place = FaceSquare

const backgroundSide = 160

/** Backgrounds without a person. */
export function paintBackgrounds(count: number, seed: number): Uint8Array[] {
  const random = new Random(seed)
  return Array.from({ length: count }, (_, i) => {
    const own = random.fork()
    if (i % 5 === 0) return developed(paintBackdrop(own, backgroundSide).pixels)
    if (i % 5 === 1) {
      const canvas = new Canvas(backgroundSide)
      paintBackground(canvas, drawCharacter(own).palette, own)
      return canvas.data
    }
    // A puppet's face is no face: a clip of a puppet is about its arms.
    if (i % 5 === 2) return stillPuppet({ seed: own.uint32() % 1e6, size: backgroundSide }).data
    return clutter(own)
  })
}

const developed = (light: Float32Array) =>
  Uint8Array.from(light, (v) => 255 * Math.min(1, Math.max(0, v)) ** (1 / 2.2))

/** Blobs, bars and stripes in all colours, many of them skin's, at all scales. */
function clutter(random: Random): Uint8Array {
  const n = backgroundSide
  const out = new Float32Array(n * n * 3)
  const colour = () => {
    if (random.uniform() < 0.35) {
      const tone = random.between(60, 235)
      return [tone, tone * random.between(0.65, 0.85), tone * random.between(0.45, 0.75)]
    }
    return [random.between(0, 255), random.between(0, 255), random.between(0, 255)]
  }
  const [first, second, slant] = [colour(), colour(), random.between(-1, 1)]
  for (let y = 0, at = 0; y < n; y++) {
    for (let x = 0; x < n; x++) {
      const t = Math.min(1, Math.max(0, 0.5 + (x * slant + y * (1 - Math.abs(slant)) - n / 2) / n))
      for (let c = 0; c < 3; c++) out[at++] = first[c]! * (1 - t) + second[c]! * t
    }
  }
  const shapes = random.integer(random.uniform() < 0.5 ? 12 : 60)
  for (let i = 0; i < shapes; i++) {
    const [cx, cy] = [random.between(0, n), random.between(0, n)]
    const [w, h] = [Math.exp(random.between(0.3, 4)), Math.exp(random.between(0.3, 4))]
    const [kind, angle, paint] = [random.integer(3), random.between(-1.6, 1.6), colour()]
    const [stripe, alpha] = [random.between(2, 9), random.between(0.5, 1)]
    const [cos, sin, reach] = [Math.cos(angle), Math.sin(angle), Math.hypot(w, h)]
    for (let y = Math.max(0, Math.floor(cy - reach)); y < Math.min(n, cy + reach); y++) {
      for (let x = Math.max(0, Math.floor(cx - reach)); x < Math.min(n, cx + reach); x++) {
        const u = cos * (x - cx) + sin * (y - cy)
        const v = cos * (y - cy) - sin * (x - cx)
        const inside = kind === 0 ? (u / w) ** 2 + (v / h) ** 2 < 1 : Math.abs(u) < w && Math.abs(v) < h
        if (!inside || (kind === 2 && Math.floor(u / stripe) % 2 === 0)) continue
        const at = 3 * (y * n + x)
        for (let c = 0; c < 3; c++) out[at + c] = out[at + c]! * (1 - alpha) + paint[c]! * alpha
      }
    }
  }
  const grain = random.uniform() < 0.5 ? random.between(0, 25) : 0
  return Uint8Array.from(out, (v) => Math.min(255, Math.max(0, v + grain * random.normal())))
}

/** A background as a picture: any part of it, perhaps mirrored. */
export function background(random: Random, side: number, from: Uint8Array): Picture {
  const n = backgroundSide
  const span = random.between(0.4, 1) * n
  const [left, top] = [random.between(0, n - span), random.between(0, n - span)]
  const flip = random.uniform() < 0.5
  const data = new Float32Array(side * side * 3)
  for (let y = 0, at = 0; y < side; y++) {
    const row = Math.min(n - 1, Math.floor(top + ((y + 0.5) / side) * span))
    for (let x = 0; x < side; x++, at += 3) {
      const u = flip ? side - 1 - x : x
      const i = 3 * (row * n + Math.min(n - 1, Math.floor(left + ((u + 0.5) / side) * span)))
      data[at] = from[i]!
      data[at + 1] = from[i + 1]!
      data[at + 2] = from[i + 2]!
    }
  }
  return { side, data }
}

/** RGB times coverage, and coverage, [side, side, 4], of a head: the first level is as rendered, each next is half of it. */
type Levels = { readonly side: number; readonly data: Float32Array }[]

function levelsOf(head: PooledHead, random: Random, whole: boolean, deepest: number): Levels {
  const area = poolSize ** 2
  const data = new Float32Array(4 * area)
  const tints = recolouring(random)
  for (let i = 0; i < area; i++) {
    const matter = head.mask[i]!
    const tint = tints?.[matter]
    const cover = whole || matter > 0 ? 1 : 0
    if (cover === 0) continue
    const [r, g, b] = [head.pixels[3 * i]!, head.pixels[3 * i + 1]!, head.pixels[3 * i + 2]!]
    data[4 * i + 3] = 1
    if (tint === undefined) {
      data[4 * i] = r
      data[4 * i + 1] = g
      data[4 * i + 2] = b
    } else {
      const grey = 0.3 * r + 0.59 * g + 0.11 * b
      const hair = tint.fur === 0 ? 1 : 1 + tint.fur * (random.uniform() - 0.5)
      for (let c = 0; c < 3; c++) data[4 * i + c] = Math.min(255, (grey * tint.gain[c]! + tint.lift) * hair)
    }
  }
  const levels: Levels = [{ side: poolSize, data }]
  for (let side = poolSize / 2; levels.length <= deepest; side /= 2) {
    const from = levels.at(-1)!
    const to = new Float32Array(4 * side * side)
    for (let y = 0, at = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const i = 8 * (y * from.side + x)
        for (let c = 0; c < 4; c++, at++) {
          const j = i + c
          to[at] =
            (from.data[j]! +
              from.data[j + 4]! +
              from.data[j + 4 * from.side]! +
              from.data[j + 4 * from.side + 4]!) /
            4
        }
      }
    }
    levels.push({ side, data: to })
  }
  return levels
}

interface Tint {
  readonly gain: readonly number[]
  readonly lift: number
  readonly fur: number
}

/** New colours for skin, hair and cloth (by `HeadLabels.mask`) of some heads: stone, paint, fur. */
function recolouring(random: Random): (Tint | undefined)[] | undefined {
  const drawn = random.uniform()
  if (drawn > 0.3) return undefined
  const tint = (fur: number): Tint => {
    const base = random.between(0.7, 1.5)
    return {
      gain: [
        base * random.between(0.75, 1.25),
        base * random.between(0.75, 1.15),
        base * random.between(0.6, 1.15),
      ],
      lift: random.between(-10, 40),
      fur,
    }
  }
  // Stone: one colour for all.
  if (drawn < 0.08) return new Array(6).fill(tint(0)) as Tint[]
  const fur = drawn < 0.2 ? random.between(0, 0.8) : 0
  const skin = tint(fur)
  return [
    undefined,
    skin,
    random.uniform() < 0.5 ? skin : tint(fur),
    tint(0),
    undefined,
    random.uniform() < 0.5 ? skin : undefined,
  ]
}

/** Draws a head onto a picture. `whole`: with the backdrop that it was rendered with. */
export function drawHead(
  onto: Picture,
  head: PooledHead,
  place: Place,
  random: Random,
  whole: boolean,
): PlacedHead {
  const { side, data } = onto
  const own = faceSquare(head.landmarks.map((v) => v + 0.5))
  const scale = place.side / own.side
  const flip = random.uniform() < 0.5
  const [stretch, shear] =
    random.uniform() < 0.5 ? [random.between(0.88, 1.14), random.between(-0.1, 0.1)] : [1, 0]
  const turn = place.angle - (flip ? -own.angle : own.angle)
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)]
  // From the head's pixels to the picture's: p = m (h - own) + place.
  const fx = flip ? -1 : 1
  const ax = scale * stretch
  const ay = scale / stretch
  const m = [cos * ax * fx, cos * shear * ax - sin * ay, sin * ax * fx, sin * shear * ax + cos * ay] as const
  const determinant = m[0] * m[3] - m[1] * m[2]
  const inverse = [m[3] / determinant, -m[1] / determinant, -m[2] / determinant, m[0] / determinant] as const

  const level = Math.min(4, Math.max(0, Math.round(Math.log2(0.8 / scale))))
  const { side: n, data: from } = levelsOf(head, random, whole, level)[level]!
  const shrink = n / poolSize
  const last = n - 1
  for (let y = 0, at = 0; y < side; y++) {
    for (let x = 0; x < side; x++, at += 3) {
      const [dx, dy] = [x + 0.5 - place.x, y + 0.5 - place.y]
      let u = (inverse[0] * dx + inverse[1] * dy + own.x) * shrink - 0.5
      let v = (inverse[2] * dx + inverse[3] * dy + own.y) * shrink - 0.5
      if (whole) {
        u = Math.max(0, Math.min(u, last))
        if (v < 0) v = 0
      }
      if (u <= -1 || u >= n || v <= -1) continue
      // The shoulders go on below the rendered picture.
      if (v > last) v = last
      const [u0, v0] = [Math.floor(u), Math.floor(v)]
      const [fu, fv] = [u - u0, v - v0]
      let [r, g, b, a] = [0, 0, 0, 0]
      for (let k = 0; k < 4; k++) {
        const [px, py] = [u0 + (k & 1), v0 + (k >> 1)]
        const weight = (k & 1 ? fu : 1 - fu) * (k >> 1 ? fv : 1 - fv)
        if (weight === 0 || px < 0 || py < 0 || px > last || py > last) continue
        const i = 4 * (py * n + px)
        r += weight * from[i]!
        g += weight * from[i + 1]!
        b += weight * from[i + 2]!
        a += weight * from[i + 3]!
      }
      data[at] = data[at]! * (1 - a) + r
      data[at + 1] = data[at + 1]! * (1 - a) + g
      data[at + 2] = data[at + 2]! * (1 - a) + b
    }
  }
  return placed(
    head,
    flip,
    ([x, y]) => {
      const [dx, dy] = [x + 0.5 - own.x, y + 0.5 - own.y]
      return [m[0] * dx + m[1] * dy + place.x, m[2] * dx + m[3] * dy + place.y]
    },
    side,
  )
}

/** For each landmark the one on the other side of the face, in the order of `landmarkGroups`. */
export const mirroredLandmarks: readonly number[] = [
  ...range(16, 0),
  ...range(26, 17),
  ...range(27, 30),
  ...range(35, 31),
  ...[45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40],
  ...[54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55],
  ...[62, 61, 60, 65, 64, 63],
]

function range(from: number, to: number): number[] {
  const step = from < to ? 1 : -1
  return Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => from + step * i)
}

function placed(
  head: PooledHead,
  flip: boolean,
  map: (point: readonly [number, number]) => readonly [number, number],
  side: number,
): PlacedHead {
  const landmarks = new Float32Array(head.landmarks.length)
  const visible = new Uint8Array(head.visible.length)
  for (let i = 0; i < visible.length; i++) {
    const from = flip ? mirroredLandmarks[i]! : i
    const [x, y] = map([head.landmarks[2 * from]!, head.landmarks[2 * from + 1]!])
    landmarks[2 * i] = x
    landmarks[2 * i + 1] = y
    visible[i] = head.visible[from]! && x >= 0 && y >= 0 && x <= side && y <= side ? 1 : 0
  }
  return { landmarks, visible, square: faceSquare(landmarks) }
}

/** Changes a picture as cameras, painters and files do. */
export async function worsen(picture: Picture, random: Random): Promise<Picture> {
  const { side, data } = picture
  if (random.uniform() < 0.2) occlude(picture, random)
  const chance = (p: number) => random.uniform() < p
  if (chance(0.12)) kuwahara(picture, 1 + random.integer(2))
  if (chance(0.3)) blur(picture, 1 + random.integer(side > 100 ? 3 : 2))
  const gamma = Math.exp(random.between(-0.45, 0.45))
  const [contrast, lift] = [random.between(0.65, 1.3), random.between(-25, 25)]
  const strength = chance(0.5) ? 0.12 : 0.03
  const gain = Array.from({ length: 3 }, () => Math.exp(strength * random.normal()))
  const colour = chance(0.2) ? 0 : random.between(0.5, 1.4)
  const sepia = colour === 0 && chance(0.4) ? [1.1, 0.98, 0.78] : [1, 1, 1]
  const table = Float32Array.from({ length: 256 }, (_, i) =>
    Math.min(255, Math.max(0, 128 + contrast * (255 * (i / 255) ** gamma - 128) + lift)),
  )
  const noise = chance(0.45) ? random.between(1, 16) : 0
  const toned = (value: number) => table[value < 0 ? 0 : value > 255 ? 255 : Math.round(value)]!
  for (let i = 0; i < data.length; i += 3) {
    const r = toned(data[i]!) * gain[0]!
    const g = toned(data[i + 1]!) * gain[1]!
    const b = toned(data[i + 2]!) * gain[2]!
    const grey = (1 - colour) * (0.3 * r + 0.59 * g + 0.11 * b)
    data[i] = (grey + colour * r) * sepia[0]!
    data[i + 1] = (grey + colour * g) * sepia[1]!
    data[i + 2] = (grey + colour * b) * sepia[2]!
  }
  if (noise > 0) for (let i = 0; i < data.length; i++) data[i] = data[i]! + noise * cheapNormal(random)
  for (let i = 0; i < data.length; i++) data[i] = Math.min(255, Math.max(0, data[i]!))
  if (!chance(0.35)) return picture
  const jpeg = await sharp(Uint8Array.from(data), { raw: { width: side, height: side, channels: 3 } })
    .jpeg({ quality: 15 + random.integer(75) })
    .toBuffer()
  return { side, data: Float32Array.from(await sharp(jpeg).raw().toBuffer()) }
}

const cheapNormal = (random: Random) => {
  const bits = random.uint32()
  return ((bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24) - 510) / 147.8
}

/** A bar or a disc in front of the picture, as hands, microphones and letters are. */
function occlude({ side, data }: Picture, random: Random): void {
  const [cx, cy] = [random.between(0, side), random.between(0, side)]
  const [w, h] = [random.between(0.02, 0.18) * side, random.between(0.02, 0.18) * side]
  const paint = [random.between(0, 255), random.between(0, 255), random.between(0, 255)]
  const round = random.uniform() < 0.5
  for (let y = Math.max(0, Math.floor(cy - h)); y < Math.min(side, cy + h); y++) {
    for (let x = Math.max(0, Math.floor(cx - w)); x < Math.min(side, cx + w); x++) {
      if (round && ((x - cx) / w) ** 2 + ((y - cy) / h) ** 2 > 1) continue
      data.set(paint, 3 * (y * side + x))
    }
  }
}

function blur({ side, data }: Picture, passes: number): void {
  for (let pass = 0; pass < passes; pass++) {
    for (const [step, line] of [
      [3, 3 * side],
      [3 * side, 3],
    ] as const) {
      for (let i = 0; i < side; i++) {
        for (let c = 0; c < 3; c++) {
          let at = i * line + c
          let before = data[at]!
          for (let k = 0; k < side; k++, at += step) {
            const now = data[at]!
            const after = k + 1 < side ? data[at + step]! : now
            data[at] = (before + now + after) / 3
            before = now
          }
        }
      }
    }
  }
}

/** Kuwahara's filter: each pixel becomes the mean of the calmest of the four squares that touch it, as strokes of a brush. */
function kuwahara({ side, data }: Picture, radius: number): void {
  const from = data.slice()
  const corners = [
    [-radius, -radius],
    [0, -radius],
    [-radius, 0],
    [0, 0],
  ] as const
  for (let y = radius; y < side - radius; y++) {
    for (let x = radius; x < side - radius; x++) {
      let calmest = Infinity
      let best = [0, 0, 0]
      for (const [ox, oy] of corners) {
        let [r, g, b, squares, count] = [0, 0, 0, 0, 0]
        for (let v = oy; v <= oy + radius; v++) {
          for (let u = ox; u <= ox + radius; u++) {
            const i = 3 * ((y + v) * side + x + u)
            const green = from[i + 1]!
            r += from[i]!
            g += green
            b += from[i + 2]!
            squares += green * green
            count++
          }
        }
        const spread = squares / count - (g / count) ** 2
        if (spread < calmest) {
          calmest = spread
          best = [r / count, g / count, b / count]
        }
      }
      data.set(best, 3 * (y * side + x))
    }
  }
}
