// Batches for the two face networks: pictures, and what the networks should say of them.

import { overlap, upright } from '../../src/faces/box.ts'
import { finderStride, landmarkSize } from '../../src/faces/networks.ts'
import { type Tensor, tensor } from '../../src/graph/tensor.ts'
import { landmarkCount } from '../../src/synthetic/made-clips.ts'
import type { Random } from '../../src/util/random.ts'
import { background, drawHead, type Picture, type PlacedHead, worsen } from './compose.ts'
import type { PooledHead } from './pool.ts'

export interface Material {
  readonly heads: readonly PooledHead[]
  readonly backgrounds: readonly Uint8Array[]
}

/** Side of the pictures that the finder learns from. */
export const finderSize = 128

/** A picture and its labels, by the names of the step's inputs. */
export type Sample = Readonly<
  Record<string, { readonly data: Float32Array; readonly shape: readonly number[] }>
>

/** A picture with none to three faces of 7% to 85% of the side. */
export async function finderPicture(
  { heads, backgrounds }: Material,
  random: Random,
): Promise<{ picture: Picture; faces: PlacedHead[] }> {
  const side = finderSize
  let picture = background(random, side, random.pick(backgrounds))
  const drawn = random.uniform()
  const count = drawn < 0.12 ? 0 : drawn < 0.85 ? 1 : 2 + random.integer(2)
  const whole = count === 1 && random.uniform() < 0.4
  const faces: PlacedHead[] = []
  for (let i = 0; i < count; i++) {
    const size = side * Math.exp(random.between(Math.log(0.07), Math.log(count > 1 ? 0.35 : 0.85)))
    const angle = (random.uniform() < 0.85 ? 0.2 : 0.6) * random.normal()
    const margin = 0.35 * size
    const square = {
      x: random.between(margin, side - margin),
      y: random.between(margin, side - margin),
      side: size,
      angle: Math.min(1, Math.max(-1, angle)),
    }
    // A head does not hide another's face.
    const near = (other: PlacedHead) =>
      Math.hypot(other.square.x - square.x, other.square.y - square.y) < 1.3 * (other.square.side + size)
    if (faces.some(near)) continue
    faces.push(drawHead(picture, random.pick(heads), square, random, whole))
  }
  picture = await worsen(picture, random)
  if (random.uniform() < 0.25) addBars(picture, random)
  return { picture, faces }
}

/** Grey bars, as a picture that is not square gets (`createFitter`); faces under them keep their labels where they show. */
function addBars({ side, data }: Picture, random: Random): void {
  const width = Math.round(random.between(0.02, 0.2) * side)
  const across = random.uniform() < 0.6
  for (let y = 0, at = 0; y < side; y++) {
    for (let x = 0; x < side; x++, at += 3) {
      const along = across ? x : y
      if (along < width || along >= side - width) data.fill(128, at, at + 3)
    }
  }
}

export async function finderSample(material: Material, random: Random): Promise<Sample> {
  const cells = finderSize / finderStride
  const area = cells * cells
  const [target, weight] = [new Float32Array(area), new Float32Array(area).fill(1)]
  const [box, boxWeight] = [new Float32Array(3 * area), new Float32Array(area)]
  const { picture, faces } = await finderPicture(material, random)
  for (const { square } of faces) {
    const [cx, cy, side] = [square.x / finderStride, square.y / finderStride, square.side / finderStride]
    const [core, ring] = [Math.max(0.72, 0.2 * side), Math.max(1.5, 0.45 * side)]
    const hits: number[] = []
    for (let y = 0, at = 0; y < cells; y++) {
      for (let x = 0; x < cells; x++, at++) {
        const distance = Math.hypot(x + 0.5 - cx, y + 0.5 - cy)
        if (distance <= core) {
          hits.push(at)
          target[at] = 1
          box[at] = cx - x - 0.5
          box[area + at] = cy - y - 0.5
          box[2 * area + at] = Math.log(side)
        } else if (distance <= ring && target[at] === 0) weight[at] = 0
      }
    }
    // Each face weighs the same.
    for (const at of hits) {
      boxWeight[at] = 1 / hits.length
      weight[at] = Math.max(0.25, 2 / hits.length)
    }
  }
  return {
    picture: planes(picture),
    target: { data: target, shape: [1, cells, cells] },
    weight: { data: weight, shape: [1, cells, cells] },
    box: { data: box, shape: [3, cells, cells] },
    boxWeight: { data: boxWeight, shape: [1, cells, cells] },
  }
}

/** How many times the face's side the square around it is. */
export const squareOfFace = 1.6

export async function landmarkPicture(
  { heads, backgrounds }: Material,
  random: Random,
): Promise<{ picture: Picture; face: PlacedHead | undefined }> {
  const side = landmarkSize
  let picture = background(random, side, random.pick(backgrounds))
  const drawn = random.uniform()
  let face: PlacedHead | undefined
  if (drawn < 0.82) {
    const rough = random.uniform() < 0.5
    const jitter = rough ? 0.1 : 0.04
    const size = (side / squareOfFace) * Math.exp((rough ? 0.16 : 0.06) * random.normal())
    const square = {
      x: side / 2 + jitter * size * random.normal(),
      y: side / 2 + jitter * size * random.normal(),
      side: size,
      angle: Math.min(1, Math.max(-1, (rough ? 0.3 : 0.08) * random.normal())),
    }
    face = drawHead(picture, random.pick(heads), square, random, random.uniform() < 0.5)
  } else if (drawn < 0.92) {
    // Beside a face: hair, a neck, a shoulder, a face that is far too large or too small.
    const size = (side / squareOfFace) * Math.exp(random.between(-1.6, 1.6))
    const square = {
      x: random.between(-0.3, 1.3) * side,
      y: random.between(-0.3, 1.3) * side,
      side: size,
      angle: 0.2 * random.normal(),
    }
    const wanted = {
      left: side / 2 - side / squareOfFace / 2,
      top: side / 2 - side / squareOfFace / 2,
      side: side / squareOfFace,
    }
    if (overlap(upright(square), wanted) < 0.2)
      drawHead(picture, random.pick(heads), square, random, random.uniform() < 0.6)
  }
  picture = await worsen(picture, random)
  return { picture, face }
}

export async function landmarkSample(material: Material, random: Random): Promise<Sample> {
  const points = new Float32Array(landmarkCount * 2)
  const weights = new Float32Array(landmarkCount)
  const { picture, face } = await landmarkPicture(material, random)
  if (face !== undefined) {
    face.landmarks.forEach((value, i) => {
      points[i] = toSquare(value)
    })
    for (let i = 0; i < landmarkCount; i++) {
      const inside = Math.abs(points[2 * i]!) <= 1 && Math.abs(points[2 * i + 1]!) <= 1
      weights[i] = !inside ? 0 : face.visible[i] ? 1 : 0.4
    }
  }
  return {
    square: planes(picture),
    points: { data: points, shape: [landmarkCount, 2] },
    pointWeights: { data: weights, shape: [landmarkCount, 1] },
    isFace: { data: Float32Array.of(face === undefined ? 0 : 1), shape: [1] },
  }
}

/** From pixels (0 is the edge) to [-1, 1] between the centres of the first and the last pixel. */
export const toSquare = (pixel: number) => (2 * (pixel - 0.5)) / (landmarkSize - 1) - 1

/** [3, side, side] in [0, 1]. */
export function planes({ side, data }: Picture): Sample[string] {
  const area = side * side
  const out = new Float32Array(3 * area)
  for (let c = 0; c < 3; c++) for (let i = 0; i < area; i++) out[c * area + i] = data[3 * i + c]! / 255
  return { data: out, shape: [3, side, side] }
}

/** Samples as the inputs of a step. */
export function stack(samples: readonly Sample[]): Record<string, Tensor> {
  const [first] = samples
  return Object.fromEntries(
    Object.entries(first!).map(([name, { data, shape }]) => {
      const all = new Float32Array(samples.length * data.length)
      samples.forEach((sample, i) => {
        all.set(sample[name]!.data, i * data.length)
      })
      return [name, tensor('float32', [samples.length, ...shape], all)]
    }),
  )
}
