// What is painted on a person's vertices once a clip: skin colour, hairline, beard, neckline, occlusion.
import { clamp, mix, noise2, smoothstep } from '../arithmetic.ts'
import { type HeadMesh, partNumber, vertexParts } from './asset.ts'
import { type CutOut, createSamples, drawTriangles, rotation } from './body.ts'
import type { Look } from './look.ts'

/** Attributes of vertices; each array has one number a vertex, or three where it says so. */
export interface Surface {
  /** [vertices, 3], linear light that comes back, without hair, brows and cloth. */
  readonly albedo: Float32Array
  /** Decimetres above the hairline; below 0 on the bare face. */
  readonly hair: Float32Array
  /** 0 to 1: how densely a beard grows. */
  readonly beard: Float32Array
  /** 0 in creases to 1 in the open: how much of the sky is seen. */
  readonly open: Float32Array
}

/** Hairline of a short cut: height y at angles from the front, in degrees, from the prototype's measurements. */
const hairline: readonly (readonly [number, number])[] = [
  [0, 8.0],
  [12, 7.99],
  [24, 7.92],
  [33, 7.76],
  [42, 7.55],
  [52, 7.32],
  [64, 7.02],
  [78, 6.95],
  [98, 6.92],
  [122, 6.65],
  [180, 6.4],
]

/** Angle from the front about the vertical axis through the middle of the head, in degrees, 0 to 180. */
export function azimuth(x: number, z: number): number {
  const side = Math.abs(x)
  const front = z - 0.25
  const [small, large] = side < Math.abs(front) ? [side, Math.abs(front)] : [Math.abs(front), side]
  const t = large === 0 ? 0 : small / large
  // An odd polynomial for the arctangent, within 0.01 degrees.
  const s = t * t
  const angle =
    57.29578 *
    t *
    (0.99997726 + s * (-0.33262347 + s * (0.19354346 + s * (-0.11643287 + s * (0.05265332 - s * 0.0117212)))))
  const acute = side < Math.abs(front) ? angle : 90 - angle
  return front >= 0 ? acute : 180 - acute
}

function hairlineAt(degrees: number): number {
  for (let i = 1; i < hairline.length; i++) {
    const [from, low] = hairline[i - 1]!
    const [to, high] = hairline[i]!
    if (degrees <= to) return mix(low, high, (degrees - from) / (to - from))
  }
  return 6.4
}

/** Paints a person. */
export function paintSurface(mesh: HeadMesh, look: Look): Omit<Surface, 'open'> {
  const { rest, vertices, masks } = mesh
  const albedo = new Float32Array(3 * vertices)
  const hair = new Float32Array(vertices)
  const beard = new Float32Array(vertices)
  const partOf = vertexParts(mesh)
  for (let v = 0; v < vertices; v++) {
    const x = rest[3 * v]!
    const y = rest[3 * v + 1]!
    const z = rest[3 * v + 2]!
    const lips = masks.lips[v]!
    const lids = masks.eyelids[v]!
    const ears = masks.ears[v]!
    hair[v] = look.hair.kind === 'none' ? -1 : hairHeight(x, y, z, ears, look)
    beard[v] = beardAt(x, y, z, lips, look)
    const mottle = 0.93 + 0.14 * noise2(x * 4, y * 4, z * 4, look.seed)
    const cheeks = bump(Math.abs(x), y, z, [0.55, 6.95, 1.15], 0.42)
    const nose = bump(Math.abs(x), y, z, [0, 6.98, 1.6], 0.24)
    const red = look.flush * (0.5 * cheeks + 0.45 * nose + 0.35 * ears)
    const speckle = look.freckles * smoothstep(0.62, 0.72, noise2(x * 22, y * 22, z * 22, look.seed ^ 77))
    const spots = 1 - 0.35 * speckle * bump(Math.abs(x), y, z, [0.3, 7.05, 1.3], 0.7)
    for (let channel = 0; channel < 3; channel++) {
      const skin = look.skin[channel]! * mottle * spots * (channel === 0 ? 1 + 0.1 * red : 1 - 0.24 * red)
      const shaded = skin * (1 - 0.16 * lids)
      albedo[3 * v + channel] = mix(shaded, look.lips[channel]!, smoothstep(0.15, 0.75, lips))
    }
    const colour = partColours[partOf[v]!]
    if (colour !== undefined) albedo.set(colour, 3 * v)
    const inside = partOf[v] === 0 ? masks.insideMouth[v]! : 0
    if (inside > 0.3 && z > 0) albedo.set([0.09, 0.022, 0.02], 3 * v)
  }
  return { albedo, hair, beard }
}

/** By the number of the part; undefined for skin and hair, which are painted otherwise. */
const partColours: readonly (readonly number[] | undefined)[] = [
  undefined,
  [0.66, 0.62, 0.58],
  [0.66, 0.62, 0.58],
  [0.72, 0.67, 0.58],
  [0.66, 0.61, 0.52],
  [0.36, 0.12, 0.11],
  [0.012, 0.01, 0.01],
  undefined,
]

/** 1 at a place, falling to 0 at `radius`. */
function bump(x: number, y: number, z: number, [cx, cy, cz]: readonly number[], radius: number): number {
  const square = (x - cx!) ** 2 + (y - cy!) ** 2 + (z - cz!) ** 2
  const t = clamp(1 - square / (radius * radius), 0, 1)
  return t * t
}

function hairHeight(x: number, y: number, z: number, ears: number, { hair, seed }: Look): number {
  const angle = azimuth(x, z)
  const front = 1 - smoothstep(15, 55, angle)
  const temples = smoothstep(12, 30, angle) * (1 - smoothstep(40, 60, angle))
  const raised = hair.recession * (0.45 * front + temples)
  const ragged = 0.09 * (noise2(x * 9, y * 5, z * 9, seed ^ 31) - 0.5)
  const line = hairlineAt(angle) + raised - hair.fringe * front + ragged
  return Math.min(y - line, 0.5 - 2 * ears)
}

function beardAt(x: number, y: number, z: number, lips: number, { beard, seed }: Look): number {
  if (beard.kind === 'none' || z < -0.1) return 0
  const side = Math.abs(x)
  const patchy = 0.14 * (noise2(x * 7, y * 7, z * 7, seed ^ 53) - 0.5)
  // From the ears down along the cheeks, and from the mouth to the throat.
  const cheek = mix(6.62, 7.0, smoothstep(0.3, 0.92, side)) + patchy
  const jaw =
    smoothstep(0.06, -0.1, y - cheek) *
    smoothstep(5.8, 6.12, y + patchy) *
    mix(smoothstep(0.55, 0.8, z), 1, smoothstep(6.2, 6.4, y))
  const chin =
    smoothstep(0.36, 0.24, side + patchy) *
    smoothstep(0.08, -0.05, y - 6.6) *
    smoothstep(5.98, 6.12, y) *
    smoothstep(0.9, 1.05, z)
  const moustache =
    smoothstep(0.36, 0.26, side) *
    smoothstep(6.66, 6.7, y) *
    smoothstep(6.845, 6.79, y) *
    smoothstep(1.1, 1.25, z)
  const grown = beard.kind === 'goatee' ? Math.max(chin, moustache) : Math.max(jaw, moustache)
  return grown * (1 - smoothstep(0.1, 0.5, lips))
}

/**
 * Lets hair stand off the head, by the person's volume, from nothing at the hairline. The shell of long hair stays where
 * it is: the head fills it, so that the backdrop does not show between both.
 *
 * @param base is changed
 */
export function raiseHair(
  mesh: HeadMesh,
  base: Float32Array,
  normals: Float32Array,
  surface: Pick<Surface, 'hair'>,
  look: Look,
): void {
  const { volume, kind, curl } = look.hair
  if (kind === 'none') return
  const isShell = shellOf(mesh)
  for (let v = 0; v < surface.hair.length; v++) {
    const height = surface.hair[v]!
    if (height <= 0 || isShell[v] === 1) continue
    const at = 3 * v
    const x = base[at]!
    const y = base[at + 1]!
    const z = base[at + 2]!
    const tuft =
      0.75 +
      0.6 * curl * (noise2(x * 5, y * 5, z * 5, look.seed ^ 11) - 0.5) +
      0.25 * noise2(x * 3, y * 3, z * 3, look.seed)
    const top = 0.55 + 0.6 * smoothstep(7.4, 8.4, y)
    const rise = volume * smoothstep(0, 0.45, height) * tuft * top
    for (let axis = 0; axis < 3; axis++) base[at + axis] = base[at + axis]! + rise * normals[at + axis]!
  }
}

/** 1 for each vertex of the shell of long hair. */
function shellOf({ vertices, triangles, parts }: HeadMesh): Uint8Array {
  const isShell = new Uint8Array(vertices)
  const hair = partNumber('hair')
  triangles.forEach((v, corner) => {
    if (parts[Math.floor(corner / 3)] === hair) isShell[v] = 1
  })
  return isShell
}

/** Directions from which occlusion is looked at: rings of 8 at four heights. */
const views = Array.from({ length: 32 }, (_, i) => ({
  yaw: ((i % 8) + (i >> 3) / 2) * (Math.PI / 4),
  pitch: [-0.35, 0.15, 0.6, 1.1][i >> 3]!,
}))

/** How much of the sky each vertex sees: the part of many views in which it is nearest, softened. */
export function findOpenness(
  mesh: HeadMesh,
  triangles: Uint16Array,
  cutOut: CutOut,
  positions: Float32Array,
  normals: Float32Array,
): Float32Array {
  const side = 96
  const samples = createSamples(side)
  const { vertices, parts } = mesh
  const points = {
    x: new Float32Array(vertices),
    y: new Float32Array(vertices),
    near: new Float32Array(vertices),
  }
  const seen = new Float32Array(vertices)
  const total = new Float32Array(vertices)
  const hair = partNumber('hair')
  for (const { yaw, pitch } of views) {
    const m = rotation(-yaw, 0, 0, 1)
    const tilt = rotation(0, pitch, 0, 1)
    const ax = tilt[6]! * m[0]! + tilt[7]! * m[3]! + tilt[8]! * m[6]!
    const ay = tilt[6]! * m[1]! + tilt[7]! * m[4]! + tilt[8]! * m[7]!
    const az = tilt[6]! * m[2]! + tilt[7]! * m[5]! + tilt[8]! * m[8]!
    for (let v = 0; v < vertices; v++) {
      const x = positions[3 * v]!
      const y = positions[3 * v + 1]! - 6.7
      const z = positions[3 * v + 2]!
      const rx = m[0]! * x + m[1]! * y + m[2]! * z
      const ry = m[3]! * x + m[4]! * y + m[5]! * z
      const rz = m[6]! * x + m[7]! * y + m[8]! * z
      points.x[v] = side / 2 + (rx * side) / 6
      points.y[v] = side / 2 - ((tilt[4]! * ry + tilt[5]! * rz) * side) / 6
      points.near[v] = tilt[7]! * ry + tilt[8]! * rz
    }
    drawTriangles(samples, points, triangles, (t) => parts[t] === 0 || parts[t] === hair, cutOut)
    for (let v = 0; v < vertices; v++) {
      const facing = normals[3 * v]! * ax + normals[3 * v + 1]! * ay + normals[3 * v + 2]! * az
      if (facing <= 0.05) continue
      total[v] = total[v]! + facing
      const px = Math.floor(points.x[v]!)
      const py = Math.floor(points.y[v]!)
      const inside = px >= 0 && py >= 0 && px < side && py < side
      if (!inside || points.near[v]! >= samples.near[py * side + px]! - 0.09) seen[v] = seen[v]! + facing
    }
  }
  return Float32Array.from(seen, (sum, v) => (total[v]! === 0 ? 0.3 : 0.15 + 0.85 * (sum / total[v]!)))
}
