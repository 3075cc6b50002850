// One moment of a head's clip: where every point of the person and of the backdrop is, and what is in sight.
import { type HeadMesh, type HeadPart, headParts, partNumber } from './asset.ts'
import { createSamples, type Projected, type Samples } from './body.ts'
import type { SurfacePlace } from './landmarks.ts'
import type { Performance } from './performance.ts'

/** Where the backdrop is at one moment: its part of the picture's half side, and its shift. */
export interface Pan {
  readonly zoom: number
  readonly x: number
  readonly y: number
}

/** What a frame is found in: written again for each frame. */
export interface Buffers {
  readonly points: Projected
  readonly samples: Samples
}

/** Buffers for pictures of `size` pixels a side: two samples per pixel and axis. */
export const createBuffers = ({ vertices }: HeadMesh, size: number): Buffers => ({
  points: { x: new Float32Array(vertices), y: new Float32Array(vertices), near: new Float32Array(vertices) },
  samples: createSamples(2 * size),
})

/** One moment of a clip: where everything is. */
export interface Moment extends Buffers {
  readonly performance: Performance
  readonly distance: number
  readonly pan: Pan
}

const longHair = partNumber('hair')
const shorn = new WeakMap<HeadMesh, Uint16Array>()

/** The triangles with those of the long hair made empty, so that the others keep their numbers. */
export function withoutHair(mesh: HeadMesh): Uint16Array {
  const found = shorn.get(mesh)
  if (found !== undefined) return found
  const triangles = Uint16Array.from(mesh.triangles)
  mesh.parts.forEach((part, t) => {
    if (part === longHair) triangles.fill(0, 3 * t, 3 * t + 3)
  })
  shorn.set(mesh, triangles)
  return triangles
}

/** Where a place on the mesh is on the picture: samples to the right, samples down, nearness. */
export function positionOf(
  { vertices: [a, b, c], weights: [wa, wb, wc] }: SurfacePlace,
  { x, y, near }: Projected,
) {
  return [
    wa * x[a]! + wb * x[b]! + wc * x[c]!,
    wa * y[a]! + wb * y[b]! + wc * y[c]!,
    wa * near[a]! + wb * near[b]! + wc * near[c]!,
  ] as const
}

/** Where a point of a triangle at a sample of one picture is in another. */
export function carried(
  { triangles }: HeadMesh,
  t: number,
  px: number,
  py: number,
  from: Projected,
  to: Projected,
) {
  const [a, b, c] = [triangles[3 * t]!, triangles[3 * t + 1]!, triangles[3 * t + 2]!]
  const [ax, ay] = [from.x[a]!, from.y[a]!]
  const [bx, by, cx, cy] = [from.x[b]! - ax, from.y[b]! - ay, from.x[c]! - ax, from.y[c]! - ay]
  const area = bx * cy - by * cx
  const wb = ((px - ax) * cy - (py - ay) * cx) / area
  const wc = ((py - ay) * bx - (px - ax) * by) / area
  return positionOf({ vertices: [a, b, c], weights: [1 - wb - wc, wb, wc] }, to)
}

/** Where a point of the backdrop at a sample of one picture is in another. */
export function panned(px: number, py: number, size: number, from: Pan, to: Pan) {
  const carry = (p: number, axis: 'x' | 'y') => {
    const place = (p - size) / size / from.zoom + from[axis]
    return size + (place - to[axis]) * to.zoom * size
  }
  return [carry(px, 'x'), carry(py, 'y'), Number.NEGATIVE_INFINITY] as const
}

/** What covers each other by less than the tolerance of depth: an eyeball and its lid are not the same. */
const layers: Readonly<Record<HeadPart, number>> = {
  ...{ skin: 0, lashes: 0, hair: 1, leftEye: 2, rightEye: 2 },
  ...{ upperTeeth: 3, lowerTeeth: 3, tongue: 3 },
}
const layerOf = headParts.map((part) => layers[part])

/** Whether two faces of the mesh are of one layer: of the skin, of the hair, of an eye, or of the mouth. */
export const sameLayer = ({ parts }: HeadMesh, one: number, other: number): boolean =>
  one < 0 || other < 0 || layerOf[parts[one]!] === layerOf[parts[other]!]

/** The face of the mesh at a sample; -1 for the backdrop and outside the picture. */
export function faceAt({ samples }: Moment, x: number, y: number): number {
  const [column, row] = [Math.floor(x), Math.floor(y)]
  const within = column >= 0 && row >= 0 && column < samples.side && row < samples.side
  return within ? samples.ids[row * samples.side + column]! : -1
}

/** Whether a point at a sample is within the picture, and nothing is nearer than it by 0.08 decimetres. */
export function inSight(
  { samples, distance }: Moment,
  x: number,
  y: number,
  near: number,
  isBackdrop: boolean,
): boolean {
  const [column, row] = [Math.floor(x), Math.floor(y)]
  if (column < 0 || row < 0 || column >= samples.side || row >= samples.side) return false
  const at = row * samples.side + column
  if (isBackdrop) return samples.ids[at]! < 0
  if (samples.ids[at]! < 0) return true
  // Nearness is distance / (distance - z): its inverse is linear in z.
  return distance / near - distance / samples.near[at]! < 0.08
}
