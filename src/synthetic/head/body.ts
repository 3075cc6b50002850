// A person's mesh at one moment: expression, pose, normals, where it lies on the picture, and which triangle is nearest
// at each sample (a z-buffer).
import { cos, sin, smoothstep } from '../arithmetic.ts'
import type { HeadMesh, HeadShape } from './asset.ts'
import type { Lean, Performance } from './performance.ts'
import { addShape } from './person.ts'

/** Square buffers of `side` samples. */
export interface Samples {
  readonly side: number
  /** [side, side], number of the triangle that is nearest, or -1. */
  readonly ids: Int32Array
  /** [side, side], nearness (larger is nearer), or -Infinity. */
  readonly near: Float32Array
}

/** Triangles with holes: lashes and strands of hair. */
export interface CutOut {
  has(triangle: number): boolean
  isThere(triangle: number, wb: number, wc: number): boolean
}

/** Empty buffers. */
export const createSamples = (side: number): Samples => ({
  side,
  ids: new Int32Array(side * side),
  near: new Float32Array(side * side),
})

/** Points on a picture: samples to the right, samples down, and nearness, which is linear over the picture. */
export interface Projected {
  readonly x: Float32Array
  readonly y: Float32Array
  readonly near: Float32Array
}

/**
 * Draws triangles.
 *
 * @param triangles [T, 3], numbers of points
 * @param isOneSided whether a triangle is left out where it faces away (corners clockwise on the picture)
 * @param cutOut tells which triangles have holes, and whether a place of one (weights of its second and third corner)
 * is there
 */
export function drawTriangles(
  { side, ids, near }: Samples,
  points: Projected,
  triangles: Uint16Array,
  isOneSided: (triangle: number) => boolean,
  cutOut?: CutOut,
): void {
  ids.fill(-1)
  near.fill(Number.NEGATIVE_INFINITY)
  const count = triangles.length / 3
  for (let t = 0; t < count; t++) {
    const a = triangles[3 * t]!
    const b = triangles[3 * t + 1]!
    const c = triangles[3 * t + 2]!
    const ax = points.x[a]!
    const ay = points.y[a]!
    const bx = points.x[b]!
    const by = points.y[b]!
    const cx = points.x[c]!
    const cy = points.y[c]!
    // Twice the area; below 0 for triangles that face the viewer, since y goes down.
    const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if (area === 0 || (area > 0 && isOneSided(t))) continue
    const left = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5))
    const right = Math.min(side - 1, Math.floor(Math.max(ax, bx, cx) - 0.5))
    const top = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5))
    const bottom = Math.min(side - 1, Math.floor(Math.max(ay, by, cy) - 0.5))
    if (left > right || top > bottom) continue
    const inverse = 1 / area
    const holes = cutOut?.has(t) ? cutOut : undefined
    // Barycentric weights of b and c, and their steps to the right.
    const stepB = (cy - ay) * inverse
    const stepC = -(by - ay) * inverse
    const na = points.near[a]!
    const nb = points.near[b]! - points.near[a]!
    const nc = points.near[c]! - points.near[a]!
    for (let y = top; y <= bottom; y++) {
      const dx = left + 0.5 - ax
      const dy = y + 0.5 - ay
      let wb = (dx * (cy - ay) - dy * (cx - ax)) * inverse
      let wc = (dy * (bx - ax) - dx * (by - ay)) * inverse
      let at = y * side + left
      for (let x = left; x <= right; x++, at++, wb += stepB, wc += stepC) {
        if (wb < 0 || wc < 0 || wb + wc > 1) continue
        const depth = na + wb * nb + wc * nc
        if (depth > near[at]! && (holes === undefined || holes.isThere(t, wb, wc))) {
          near[at] = depth
          ids[at] = t
        }
      }
    }
  }
}

/** Where the head turns, decimetres. */
const pivot = [0, 6.05, 0.15] as const
/** Height at which the body leans, decimetres. */
const waist = 2.5

/** A camera in front of the head that looks along -z. */
export interface Camera {
  /** Middle of the picture, decimetres. */
  readonly x: number
  readonly y: number
  /** From the middle of the picture to its edge, decimetres. */
  readonly half: number
  /** From the camera to the middle of the head, decimetres. */
  readonly distance: number
}

/** A person's moving mesh. One object serves all frames; its arrays are written again by each `move`. */
export class Body {
  /** [vertices, 3], decimetres. */
  readonly positions: Float32Array
  /** [vertices, 3], of length 1. */
  readonly normals: Float32Array
  private readonly turning: Float32Array
  private readonly shapes: ReadonlyMap<string, HeadShape>

  /** @param base vertices of the person at rest, [vertices, 3] */
  constructor(
    readonly mesh: HeadMesh,
    private readonly base: Float32Array,
  ) {
    this.positions = new Float32Array(base.length)
    this.normals = new Float32Array(base.length)
    this.shapes = new Map(mesh.expressions.map((shape) => [shape.name, shape]))
    this.turning = Float32Array.from({ length: mesh.vertices }, (_, v) => {
      const y = mesh.rest[3 * v + 1]!
      const z = mesh.rest[3 * v + 2]!
      return smoothstep(0, 0.8, y - 5.55 + 0.5 * Math.max(0, z - 0.5))
    })
  }

  move({ yaw, pitch, roll, expressions }: Pick<Performance, 'yaw' | 'pitch' | 'roll' | 'expressions'>): void {
    this.positions.set(this.base)
    for (const [name, weight] of expressions) {
      const shape = this.shapes.get(name)
      if (shape !== undefined) addShape(this.positions, shape, weight)
    }
    this.turn(yaw, pitch, roll)
    this.findNormals()
  }

  /** Turns each vertex about the pivot by its part of the angles: the neck follows the head. */
  private turn(yaw: number, pitch: number, roll: number): void {
    const steps = 32
    const table = Array.from({ length: steps + 1 }, (_, i) => rotation(yaw, pitch, roll, i / steps))
    const { positions, turning } = this
    for (let v = 0; v < turning.length; v++) {
      const part = turning[v]!
      if (part === 0) continue
      const m = table[Math.round(part * steps)]!
      const at = 3 * v
      const x = positions[at]! - pivot[0]
      const y = positions[at + 1]! - pivot[1]
      const z = positions[at + 2]! - pivot[2]
      positions[at] = pivot[0] + m[0]! * x + m[1]! * y + m[2]! * z
      positions[at + 1] = pivot[1] + m[3]! * x + m[4]! * y + m[5]! * z
      positions[at + 2] = pivot[2] + m[6]! * x + m[7]! * y + m[8]! * z
    }
  }

  private findNormals(): void {
    const { positions: p, normals: n } = this
    const { triangles } = this.mesh
    n.fill(0)
    for (let i = 0; i < triangles.length; i += 3) {
      const a = 3 * triangles[i]!
      const b = 3 * triangles[i + 1]!
      const c = 3 * triangles[i + 2]!
      const ux = p[b]! - p[a]!
      const uy = p[b + 1]! - p[a + 1]!
      const uz = p[b + 2]! - p[a + 2]!
      const vx = p[c]! - p[a]!
      const vy = p[c + 1]! - p[a + 1]!
      const vz = p[c + 2]! - p[a + 2]!
      const x = uy * vz - uz * vy
      const y = uz * vx - ux * vz
      const z = ux * vy - uy * vx
      for (const corner of [a, b, c]) {
        n[corner] = n[corner]! + x
        n[corner + 1] = n[corner + 1]! + y
        n[corner + 2] = n[corner + 2]! + z
      }
    }
    for (let i = 0; i < n.length; i += 3) {
      const length = Math.sqrt(n[i]! ** 2 + n[i + 1]! ** 2 + n[i + 2]! ** 2) + 1e-9
      n[i] = n[i]! / length
      n[i + 1] = n[i + 1]! / length
      n[i + 2] = n[i + 2]! / length
    }
  }

  /** Where the vertices lie on a picture of `side` samples. The whole body leans; light and shadow stay on it. */
  project({ x: cx, y: cy, half, distance }: Camera, { to, roll }: Lean, side: number, into: Projected): void {
    const scale = side / 2 / half
    const { positions } = this
    const [c, s] = [cos(roll), sin(roll)]
    for (let v = 0; v < into.x.length; v++) {
      const at = 3 * v
      const x = positions[at]!
      const up = positions[at + 1]! - waist
      const away = distance / (distance - (positions[at + 2]! + to[2] - 0.6))
      into.x[v] = side / 2 + (c * x + s * up + to[0] - cx) * scale * away
      into.y[v] = side / 2 - (waist + c * up - s * x + to[1] - cy) * scale * away
      into.near[v] = away
    }
  }
}

/** A rotation by a part of yaw, pitch and roll, rows after each other. Roll comes first, yaw last. */
export function rotation(yaw: number, pitch: number, roll: number, part: number): readonly number[] {
  const sy = sin(yaw * part)
  const cy = cos(yaw * part)
  const sp = sin(pitch * part)
  const cp = cos(pitch * part)
  // Clockwise on the picture is against the mathematical sense.
  const sr = sin(-roll * part)
  const cr = cos(-roll * part)
  return [
    cy * cr + sy * sp * sr,
    -cy * sr + sy * sp * cr,
    sy * cp,
    cp * sr,
    cp * cr,
    -sp,
    -sy * cr + cy * sp * sr,
    sy * sr + cy * sp * cr,
    cy * cp,
  ]
}
