// Synthetic heads: the asset, the pictures, and labels that are true.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exp, log, power } from '../../src/synthetic/arithmetic.ts'
import { readHeadMesh } from '../../src/synthetic/head/asset.ts'
import { type HeadClip, type HeadFrame, type HeadOptions, headClip } from '../../src/synthetic/head/head.ts'
import { landmarkGroups } from '../../src/synthetic/head/landmarks.ts'
import { type Framing, landmarkCount } from '../../src/synthetic/made-clips.ts'
import { FormatError, InputError } from '../../src/util/errors.ts'

const bytes = readFileSync(new URL('../../assets/heads.bin', import.meta.url))
const mesh = readHeadMesh(bytes)
const size = 64

const clipOf = (seed: number) => headClip({ seed, size, frames: 50, frameRate: 10 }, mesh)

async function frameOf(clip: HeadClip, number: number): Promise<HeadFrame> {
  for await (const frame of clip.frames({ fromFrame: number, toFrame: number + 1 })) return frame
  throw new Error('no frame')
}

describe('the asset', () => {
  it('is at most 0.7 MB, and holds a closed face with its shapes', () => {
    expect(bytes.length).toBeLessThan(700_000)
    expect(mesh.expressions).toHaveLength(52)
    expect(mesh.shapes.length + mesh.macros.length).toBe(320)
    expect(Math.max(...mesh.triangles)).toBe(mesh.vertices - 1)
    const jaw = mesh.expressions.find(({ name }) => name === 'jawOpen')!
    expect(jaw.indices.length).toBeGreaterThan(300)
  })

  it('is refused where it is damaged', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Uint8Array.from(bytes)
        damaged[at] = damaged[at]! ^ change
        // The checksum at the end of a zlib stream is not looked at by the library: what is read may be right.
        try {
          readHeadMesh(damaged)
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError)
        }
      }),
      { numRuns: 12, seed: 7 },
    )
    for (const length of [0, 10, 1000, bytes.length >> 1]) {
      expect(() => readHeadMesh(bytes.subarray(0, length))).toThrow(FormatError)
    }
  })
})

describe('arithmetic that every machine rounds alike', () => {
  it('is that of Math', () => {
    for (const x of [-8, -1.5, -0.01, 0, 0.3, 2, 7]) expect(exp(x) / Math.exp(x)).toBeCloseTo(1, 6)
    for (const x of [1e-4, 0.2, 0.76, 1, 1.4, 30]) expect(log(x)).toBeCloseTo(Math.log(x), 6)
    expect(power(0.3, 2.2)).toBeCloseTo(0.3 ** 2.2, 6)
  })
})

describe('a clip', () => {
  it('is decided by its seed, frame by frame and in any order', async () => {
    const [a, b] = [clipOf(3), clipOf(3)]
    const [late, early] = [await frameOf(a, 20), await frameOf(a, 2)]
    expect((await frameOf(b, 2)).data).toEqual(early.data)
    expect((await frameOf(b, 20)).data).toEqual(late.data)
    expect((await frameOf(b, 20)).landmarks).toEqual(late.landmarks)
    expect((await frameOf(clipOf(4), 2)).data).not.toEqual(early.data)
  })

  it('has the same pixels on every machine', async () => {
    const hash = createHash('sha256')
    for (const seed of [1, 2, 3]) hash.update((await frameOf(clipOf(seed), 7)).data)
    expect(hash.digest('hex').slice(0, 16)).toMatchInlineSnapshot(`"b81f357210ca6489"`)
  })

  it('has teeth and tongue inside of its mouth, and an open mouth is bright at the upper teeth and dark below', async () => {
    let [outside, inside] = [0, 0]
    const [upper, lower]: [number[], number[]] = [[], []]
    for (let seed = 14001; seed < 14013; seed++) {
      const clip = headClip({ seed, size: 128, frames: 6, frameRate: 2 }, mesh)
      for (let number = 0; number < 6; number++) {
        const { mask, expressions } = clip.labels(number)
        const { landmarks, data } = await frameOf(clip, number)
        const at = (point: number) => [0, 1].map((axis) => ((landmarks[2 * point + axis]! + 1) / 2) * 127)
        const outer = Array.from({ length: 12 }, (_, i) => at(48 + i))
        const [low, high] = [Math.min, Math.max].map((of) =>
          [0, 1].map((axis) => of(...outer.map((o) => o[axis]!))),
        )
        const [top, bottom] = [at(61)[1]!, at(64)[1]!]
        mask.forEach((matter, i) => {
          if (matter !== 5) return
          const [x, y] = [i % 128, Math.floor(i / 128)]
          inside++
          if (x < low![0]! - 1 || x > high![0]! + 1 || y < low![1]! - 1 || y > high![1]! + 1) outside++
          if ((expressions.get('jawOpen') ?? 0) < 0.3 || bottom - top < 6) return
          const part = (y - top) / (bottom - top)
          if (part > 0 && part < 0.35) upper.push(data[3 * i + 1]!)
          if (part > 0.6 && part < 1) lower.push(data[3 * i + 1]!)
        })
      }
    }
    const mean = (of: number[]) => of.reduce((sum, x) => sum + x, 0) / of.length
    expect(inside).toBeGreaterThan(1000)
    expect(outside / inside).toBeLessThan(0.002)
    expect(upper.length).toBeGreaterThan(100)
    expect(mean(upper) / mean(lower)).toBeGreaterThan(1.3)
  })

  it('refuses what cannot be', () => {
    for (const options of [{ size: 8 }, { size: 4096 }, { frames: 0 }, { frameRate: 0 }, { frames: 1.5 }]) {
      expect(() => headClip({ seed: 1, ...options }, mesh)).toThrow(InputError)
    }
  })
})

describe('labels', () => {
  it('are 66 landmarks, the left ones right of the right ones in the picture', async () => {
    expect(landmarkGroups.reduce((sum, [, count]) => sum + count, 0)).toBe(landmarkCount)
    const { landmarks, visible } = await frameOf(clipOf(5), 4)
    expect(landmarks).toHaveLength(2 * landmarkCount)
    expect(visible).toHaveLength(landmarkCount)
    const middle = (group: string) => {
      let at = 0
      for (const [name, count] of landmarkGroups) {
        if (name === group) {
          const rows = Array.from({ length: count }, (_, i) => [
            landmarks[2 * (at + i)]!,
            landmarks[2 * (at + i) + 1]!,
          ])
          return rows.reduce(([x, y], [px, py]) => [x! + px! / count, y! + py! / count], [0, 0]) as [
            number,
            number,
          ]
        }
        at += count
      }
      throw new Error(group)
    }
    expect(middle('leftEye')[0]).toBeGreaterThan(middle('rightEye')[0])
    expect(middle('outerMouth')[1]).toBeGreaterThan(middle('leftEye')[1])
    expect(middle('leftBrow')[1]).toBeLessThan(middle('leftEye')[1])
    expect(middle('noseBase')[1]).toBeGreaterThan(middle('noseBridge')[1])
  })

  it('say where irises are: in the dark of open eyes, and moved as the gaze is', async () => {
    const found: { gaze: number; aside: number; pupil: number; white: number }[] = []
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const clip = headClip({ seed, size: 256, framing: 'close', frames: 60 }, mesh)
      for (let number = 0; number < 60; number += 6) {
        const { data, landmarks, irises } = await frameOf(clip, number)
        const { gaze, pose } = clip.labels(number)
        // Corners of the left eye: 42 and 45.
        const [inner, outer] = [42, 45].map((i) => [landmarks[2 * i]!, landmarks[2 * i + 1]!] as const)
        if (irises.visible[1] === 0 || Math.abs(pose.yaw) > 0.4) continue
        const [x, y] = [irises.points[2]!, irises.points[3]!]
        const width = outer![0] - inner![0]
        const luma = (px: number, py: number) => {
          const at = 3 * (Math.round(((py + 1) / 2) * 255) * 256 + Math.round(((px + 1) / 2) * 255))
          return data[at]! + data[at + 1]! + data[at + 2]!
        }
        const aside = (x - (inner![0] + outer![0]) / 2) / width
        const beside = Math.max(luma(x - 0.3 * width, y), luma(x + 0.3 * width, y))
        found.push({ gaze: gaze[0], aside, pupil: luma(x, y), white: beside })
      }
    }
    expect(found.length).toBeGreaterThan(20)
    expect(found.filter(({ pupil, white }) => pupil < 0.7 * white).length / found.length).toBeGreaterThan(0.9)
    const far = found.filter(({ gaze }) => Math.abs(gaze) > 0.2)
    expect(far.length).toBeGreaterThan(4)
    for (const { gaze, aside } of far) expect(aside * gaze).toBeGreaterThan(0)
  })

  it('say that an iris behind a closed lid is out of sight', async () => {
    let closed = 0
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const clip = headClip({ seed, size: 128, framing: 'close', frames: 100 }, mesh)
      for (let number = 0; number < 100; number++) {
        if ((clip.labels(number).expressions.get('eyeBlinkLeft') ?? 0) < 0.98) continue
        closed++
        expect((await frameOf(clip, number)).irises.visible[1], `${seed}, ${number}`).toBe(0)
      }
    }
    expect(closed).toBeGreaterThan(3)
  })

  it('say how open the mouth is: the inner lips part where the jaw drops', async () => {
    const gaps: [number, number][] = []
    for (const seed of [1, 2, 3, 4]) {
      const clip = clipOf(seed)
      for (let number = 0; number < 50; number += 7) {
        const { landmarks } = await frameOf(clip, number)
        const gap = landmarks[2 * 64 + 1]! - landmarks[2 * 61 + 1]!
        gaps.push([clip.labels(number).expressions.get('jawOpen') ?? 0, gap])
      }
    }
    const open = gaps.filter(([jaw]) => jaw > 0.3).map(([, gap]) => gap)
    const shut = gaps.filter(([jaw]) => jaw < 0.03).map(([, gap]) => gap)
    const mean = (list: number[]) => list.reduce((sum, x) => sum + x, 0) / list.length
    expect(open.length).toBeGreaterThan(2)
    expect(mean(open)).toBeGreaterThan(mean(shut) + 0.03)
  })

  it('give flow that carries the picture of one frame to another', async () => {
    let [warped, still] = [0, 0]
    for (const seed of [6, 7, 9, 10]) {
      const clip = clipOf(seed)
      const [from, to] = [3, 9]
      const [here, there] = [await frameOf(clip, from), await frameOf(clip, to)]
      const { flow, visible } = clip.flow(from, to)
      const { mask } = clip.labels(from)
      let count = 0
      for (let at = 0; at < size * size; at++) {
        if (visible[at] === 0 || mask[at] !== 1) continue
        const [x, y] = [0, 1].map((axis) => Math.round(((flow[2 * at + axis]! + 1) / 2) * (size - 1)))
        for (let c = 0; c < 3; c++) {
          const own = here.data[3 * at + c]!
          warped += Math.abs(own - there.data[3 * (y! * size + x!) + c]!)
          still += Math.abs(own - there.data[3 * at + c]!)
        }
        count++
      }
      expect(count).toBeGreaterThan(200)
    }
    expect(warped / still).toBeLessThan(0.7)
  })

  it('know that an eye is hidden behind its lids: it is not the skin that is seen there', async () => {
    let [shut, open] = [0, 0]
    for (const seed of [1, 2, 4, 6]) {
      const clip = headClip({ seed, size: 128, frames: 100, frameRate: 10, framing: 'close' }, mesh)
      const gaps: number[] = []
      for await (const { landmarks } of clip.frames())
        gaps.push(landmarks[2 * 41 + 1]! - landmarks[2 * 37 + 1]!)
      const byGap = gaps.map((_, i) => i).sort((i, j) => gaps[i]! - gaps[j]!)
      const [narrow, again, wide] = [byGap[0]!, byGap.at(-2)!, byGap.at(-1)!]
      const { landmarks } = await frameOf(clip, wide)
      const [x, y] = [0, 1].map((axis) => {
        const sum = [36, 37, 38, 39, 40, 41].reduce((s, i) => s + landmarks[2 * i + axis]!, 0)
        return Math.round((sum / 6 + 1) * 63.5)
      })
      const seenIn = (to: number) => clip.flow(wide, to).visible[y! * 128 + x!]!
      shut += seenIn(narrow)
      open += seenIn(again)
    }
    expect(shut).toBe(0)
    expect(open).toBeGreaterThanOrEqual(3)
  })

  it('are lit and framed as they are asked to be, and else are the same person', async () => {
    const of = (more: Partial<HeadOptions>) =>
      headClip({ seed: 8, size, frames: 50, frameRate: 10, ...more }, mesh)
    const brightness = async (more: Partial<HeadOptions>) => {
      const clip = of(more)
      const { data } = await frameOf(clip, 5)
      const { mask } = clip.labels(5)
      const skin = [...mask].flatMap((matter, i) => (matter === 1 ? [data[3 * i]! + data[3 * i + 1]!] : []))
      const mean = skin.reduce((sum, x) => sum + x, 0) / skin.length
      const deviation = Math.sqrt(skin.reduce((sum, x) => sum + (x - mean) ** 2, 0) / skin.length)
      return { mean, contrast: deviation / mean }
    }
    const [soft, hard, dim] = [
      await brightness({ light: 'soft' }),
      await brightness({ light: 'hard' }),
      await brightness({ light: 'dim' }),
    ]
    expect(hard!.contrast).toBeGreaterThan(1.1 * soft!.contrast)
    expect(dim!.mean).toBeLessThan(0.75 * soft!.mean)
    const side = (framing: Framing) => of({ framing }).labels(5).box.side
    expect(side('close')).toBeGreaterThan(side('portrait'))
    expect(side('portrait')).toBeGreaterThan(side('wide'))
    expect(side('wide')).toBeGreaterThan(0.95 * side('far'))
  })

  it('give no flow from a frame to itself', () => {
    const { flow, visible } = clipOf(8).flow(5, 5)
    for (let at = 0; at < size * size; at++) {
      expect(flow[2 * at]!).toBeCloseTo((2 * (at % size)) / (size - 1) - 1, 4)
      expect(flow[2 * at + 1]!).toBeCloseTo((2 * Math.floor(at / size)) / (size - 1) - 1, 4)
    }
    expect(visible.reduce((sum, v) => sum + v, 0) / visible.length).toBeGreaterThan(0.97)
  })
})
