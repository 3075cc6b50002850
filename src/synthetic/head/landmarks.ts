// The 66 landmarks of a face (iBUG's 68 without the inner corners of the mouth) as places on the mesh, and the irises.

import { sin } from '../arithmetic.ts'
import { type HeadMesh, type HeadPart, partNumber } from './asset.ts'
import type { Look } from './look.ts'
import { browHeight, eyeMiddle } from './shade.ts'

/** Names of groups of landmarks, with how many each has, in their order. */
export const landmarkGroups = [
  ['jaw', 17],
  ['rightBrow', 5],
  ['leftBrow', 5],
  ['noseBridge', 4],
  ['noseBase', 5],
  ['rightEye', 6],
  ['leftEye', 6],
  ['outerMouth', 12],
  ['innerMouth', 6],
] as const

/** A place on the mesh: three vertices and their weights, which sum to 1. */
export interface SurfacePlace {
  readonly vertices: readonly [number, number, number]
  readonly weights: readonly [number, number, number]
}

type Point = readonly [number, number]

// Places on the resting face as seen from the front, decimetres; the person's left side (x above 0).
const jaw: readonly Point[] = [
  [0, 6.165],
  [0.19, 6.2],
  [0.36, 6.31],
  [0.474, 6.434],
  [0.545, 6.535],
  [0.615, 6.67],
  [0.645, 6.83],
  [0.66, 7.03],
  [0.668, 7.25],
]
const bridge: readonly Point[] = [
  [0, 7.26],
  [0, 7.15],
  [0, 7.03],
  [0, 6.92],
]
const noseBase: readonly Point[] = [
  [0, 6.825],
  [0.078, 6.815],
  [0.148, 6.842],
]
/** Inner corner, upper lid from within, outer corner, lower lid from without. */
const eye: readonly Point[] = [
  [0.203, 7.276],
  [0.271, 7.324],
  [0.385, 7.325],
  [0.4335, 7.286],
  [0.383, 7.247],
  [0.276, 7.244],
]
/** Upper lip's edge from the middle to the corner, then the lower one's from the middle. */
const upperLip: readonly Point[] = [
  [0, 6.697],
  [0.05, 6.712],
  [0.15, 6.672],
]
const mouthCorner: Point = [0.244, 6.612]
const lowerLip: readonly Point[] = [
  [0, 6.535],
  [0.08, 6.54],
  [0.165, 6.562],
]
const innerUpper: readonly Point[] = [
  [0, 6.612],
  [0.1, 6.612],
]
const innerLower: readonly Point[] = [
  [0, 6.6],
  [0.1, 6.6],
]

const mirrored = ([x, y]: Point): Point => [-x, y]
/** From the person's right to the left: the mirrored points, outermost first, then the points themselves. */
const acrossFace = (points: readonly Point[]): Point[] => [
  ...points.slice(1).reverse().map(mirrored),
  ...points,
]

/** Finds the landmarks of a person on the mesh. */
export function placeLandmarks(mesh: HeadMesh, look: Look): SurfacePlace[] {
  const find = new Finder(mesh)
  const brow = (side: number) =>
    [0.02, 0.26, 0.5, 0.74, 0.96].map(
      (t): Point => [side * (0.085 + 0.515 * t), browHeight(t, look.brows.arch, look.brows.slope)],
    )
  const [e0, e1, e2, e3, e4, e5] = eye as [Point, Point, Point, Point, Point, Point]
  const rightEye = [e3, e2, e1, e0, e5, e4].map(mirrored)
  const upper = acrossFace(upperLip)
  const lower = acrossFace(lowerLip).reverse()
  return [
    ...acrossFace(jaw).map((p) => find.onFront(p)),
    ...brow(-1)
      .reverse()
      .map((p) => find.onFront(p)),
    ...brow(1).map((p) => find.onFront(p)),
    ...bridge.map((p) => find.onFront(p)),
    ...acrossFace(noseBase).map((p) => find.onFront(p)),
    ...rightEye.map((p) => find.vertex(p)),
    ...eye.map((p) => find.vertex(p)),
    find.vertex(mirrored(mouthCorner)),
    ...upper.map((p) => find.vertex(p, 'upper')),
    find.vertex(mouthCorner),
    ...lower.map((p) => find.vertex(p, 'lower')),
    ...acrossFace(innerUpper).map((p) => find.vertex(p, 'upper')),
    ...acrossFace(innerLower)
      .reverse()
      .map((p) => find.vertex(p, 'lower')),
  ]
}

/**
 * Finds the middles of the irises on the mesh, right and left: where the eyeballs' surface is in the direction of the gaze.
 *
 * @returns takes a gaze in radians to the picture's right, and up, within the head
 */
export function irisFinder(
  mesh: HeadMesh,
): (gaze: readonly [side: number, up: number]) => readonly SurfacePlace[] {
  const eyes = (['rightEye', 'leftEye'] as const).map((part) => {
    const find = new Finder(mesh, part)
    return { find, x: part === 'leftEye' ? eyeMiddle.x : -eyeMiddle.x, radius: find.front - eyeMiddle.z }
  })
  return ([side, up]) =>
    eyes.map(({ find, x, radius }) => find.onFront([x + radius * sin(side), eyeMiddle.y + radius * sin(up)]))
}

/** Finds places on one part of the resting mesh. */
class Finder {
  private readonly triangles: readonly number[]
  private readonly vertices: readonly number[]
  private readonly dropped: Float32Array

  constructor(
    private readonly mesh: HeadMesh,
    part: HeadPart = 'skin',
  ) {
    const wanted = partNumber(part)
    this.triangles = [...mesh.parts.keys()].filter((t) => mesh.parts[t] === wanted)
    this.vertices = [...new Set(this.triangles.flatMap((t) => [...mesh.triangles.slice(3 * t, 3 * t + 3)]))]
    // What falls as the jaw opens belongs to the lower lip.
    this.dropped = new Float32Array(mesh.vertices)
    const open = mesh.expressions.find(({ name }) => name === 'jawOpen')
    open?.indices.forEach((v, i) => {
      this.dropped[v] = open.deltas[3 * i + 1]!
    })
  }

  /** How far in front the part reaches, decimetres. */
  get front(): number {
    return Math.max(...this.vertices.map((v) => this.mesh.rest[3 * v + 2]!))
  }

  /** The vertex nearest to a place as seen from the front. If several are about as near, it is the foremost of them. */
  vertex([x, y]: Point, lip?: 'upper' | 'lower'): SurfacePlace {
    let [best, score] = [this.vertices[0]!, Number.POSITIVE_INFINITY]
    for (const v of this.vertices) {
      const [dx, dy] = [this.mesh.rest[3 * v]! - x, this.mesh.rest[3 * v + 1]! - y]
      const distance = Math.sqrt(dx * dx + dy * dy)
      if (distance > 0.12) continue
      if (lip !== undefined && this.dropped[v]! < -0.15 !== (lip === 'lower')) continue
      const cost = 4 * distance - this.mesh.rest[3 * v + 2]!
      if (cost < score) [best, score] = [v, cost]
    }
    return { vertices: [best, best, best], weights: [1, 0, 0] }
  }

  /** The place on the foremost face that covers a point as seen from the front; the nearest vertex if there is none. */
  onFront([x, y]: Point): SurfacePlace {
    const { triangles, rest } = this.mesh
    let [found, depth]: [SurfacePlace | undefined, number] = [undefined, Number.NEGATIVE_INFINITY]
    for (const t of this.triangles) {
      const [a, b, c] = [triangles[3 * t]!, triangles[3 * t + 1]!, triangles[3 * t + 2]!]
      const [ax, ay] = [rest[3 * a]!, rest[3 * a + 1]!]
      const [bx, by] = [rest[3 * b]! - ax, rest[3 * b + 1]! - ay]
      const [cx, cy] = [rest[3 * c]! - ax, rest[3 * c + 1]! - ay]
      const area = bx * cy - by * cx
      if (area <= 0) continue
      const wb = ((x - ax) * cy - (y - ay) * cx) / area
      const wc = ((y - ay) * bx - (x - ax) * by) / area
      if (wb < -1e-6 || wc < -1e-6 || wb + wc > 1 + 1e-6) continue
      const z = (1 - wb - wc) * rest[3 * a + 2]! + wb * rest[3 * b + 2]! + wc * rest[3 * c + 2]!
      if (z > depth) [found, depth] = [{ vertices: [a, b, c], weights: [1 - wb - wc, wb, wc] }, z]
    }
    return found ?? this.vertex([x, y])
  }
}
