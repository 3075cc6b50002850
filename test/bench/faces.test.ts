// The part `faces`: a head's movement is taken out of landmarks exactly, and what is left is seen: a blink, a smile.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alignedTo, type Points } from '../../bench/src/face-alignment.ts'
import { correlation, faceDistances, faceOf, keypointsApart } from '../../bench/src/face-measures.ts'
import { faceModels } from '../../bench/src/face-mesh.ts'
import { eyes, meshOfKeypoint, meshPoints, parts, rigidPoints } from '../../bench/src/face-points.ts'
import { describeFaces, facesCsv, facesReport } from '../../bench/src/face-report.ts'
import { benchFaces, type FacesOfClip, faceMeasures } from '../../bench/src/faces.ts'
import { makeRun } from '../../bench/src/fixtures.ts'
import { gradientSum, movedPixels } from '../../bench/src/picture-measures.ts'
import { checkBenchFlags } from '../../src/cli/bench-parts.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { describeMachine } from '../../src/run/config-file.ts'
import { tiedNames } from '../../src/synthetic/made-clips.ts'
import { Random } from '../../src/util/random.ts'
import { defaultNet } from '../../src/zoo/registry.ts'

/** A head of random points, some 60 pixels wide, with lids that are open by a third of the eye's width. */
function head(): Points {
  const random = new Random(7)
  const points = Float64Array.from({ length: 3 * meshPoints }, () => 100 + 30 * random.normal())
  for (const { corners, across } of eyes) {
    const [outer, inner] = corners.map((i) => points.subarray(3 * i, 3 * i + 3))
    inner!.set([outer![0]! + 30, outer![1]!, outer![2]!])
    across.forEach(([upper, lower], i) => {
      points.set([outer![0]! + 8 * (i + 1), outer![1]! - 5, outer![2]!], 3 * upper)
      points.set([outer![0]! + 8 * (i + 1), outer![1]! + 5, outer![2]!], 3 * lower)
    })
  }
  return points
}

/** Turned about two axes, scaled and shifted. */
function moved(points: Points): Points {
  const [a, b, scale] = [0.5, -0.3, 1.4]
  return points.map((_, i) => {
    const from = i - (i % 3)
    const [x, y, z] = [points[from]!, points[from + 1]!, points[from + 2]!]
    const [u, w] = [Math.cos(a) * x + Math.sin(a) * z, Math.cos(a) * z - Math.sin(a) * x]
    const [p, q] = [Math.cos(b) * u - Math.sin(b) * y, Math.sin(b) * u + Math.cos(b) * y]
    return [scale * p + 20, scale * q - 35, scale * w + 4][i % 3]!
  })
}

/** With these points shifted in their own head, in pixels. */
function shifted(points: Points, indices: readonly number[], dx: number, dy: number): Points {
  const out = points.slice()
  for (const i of indices) {
    out[3 * i]! += dx
    out[3 * i + 1]! += dy
  }
  return out
}

const uppers = eyes.flatMap(({ across }) => across.map(([upper]) => upper))

describe('the movement of a head', () => {
  it('is taken out exactly', () => {
    const source = head()
    const back = alignedTo(source, moved(source), rigidPoints)
    back.forEach((value, i) => {
      expect(value).toBeCloseTo(source[i]!, 8)
    })
  })

  it('leaves an expression as it is, so that a blink is seen under it', () => {
    const source = head()
    const blink = shifted(source, uppers, 0, 9)
    const [still, truth] = [faceOf(source, source), faceOf(moved(blink), source)]
    expect(still.movements['lids open']).toBeCloseTo(1 / 3, 6)
    expect(truth.movements['lids open']).toBeCloseTo(1 / 30, 6)
    const found = faceDistances(truth, still, source)
    expect(found.movements['lids open']).toBeCloseTo(0.3, 6)
    expect(found.parts.mouth).toBeCloseTo(0, 6)
    expect(found.parts.lids).toBeGreaterThan(0)
    // Where the points are in the picture, the head's movement counts.
    expect(found.akd).toBeGreaterThan(0.1)
    const followed = faceDistances(truth, faceOf(moved(blink), source), source)
    expect(followed.akd).toBe(0)
  })

  it('leaves the mouth and the brows each to themselves', () => {
    const source = head()
    const smile = faceOf(shifted(source, [61, 291], 0, -6), source)
    const raised = faceOf(shifted(source, parts.brows, 0, -6), source)
    const still = faceOf(source, source)
    expect(smile.movements['corners raised']).toBeGreaterThan(still.movements['corners raised'])
    expect(raised.movements['brows raised']).toBeGreaterThan(still.movements['brows raised'])
    expect(faceDistances(raised, still, source).parts.mouth).toBeCloseTo(0, 9)
    expect(faceDistances(smile, still, source).parts.brows).toBeCloseTo(0, 9)
  })
})

describe('keypoints', () => {
  const source = head()
  const side = 200
  const placed = (dx: number) =>
    tiedNames.face.flatMap((name) => {
      const places = meshOfKeypoint[name] ?? [0]
      return [dx, 0].map((shift, axis) => {
        const middle = places.reduce((sum, i) => sum + source[3 * i + axis]! / places.length, 0)
        return ((middle + shift) / (side - 1)) * 2 - 1
      })
    })

  it('are compared with the landmarks at the same places', () => {
    const [right, left] = [33, 263].map((i) => source.subarray(3 * i, 3 * i + 3))
    const eyeDistance = Math.hypot(...[0, 1, 2].map((axis) => right![axis]! - left![axis]!))
    expect(keypointsApart(placed(0), tiedNames.face, source, side)).toBeCloseTo(0, 9)
    expect(keypointsApart(placed(3), tiedNames.face, source, side)).toBeCloseTo(3 / eyeDistance, 9)
    expect(keypointsApart(placed(0), tiedNames.joints, source, side)).toBeUndefined()
  })

  it('have names that ties know', () => {
    for (const name of Object.keys(meshOfKeypoint)) expect(tiedNames.gaze).toContain(name)
  })
})

describe('pictures', () => {
  it('have a gradient of their steps, and moved pixels around what changed', () => {
    const side = 12
    const flat = new Float64Array(side * side).fill(80)
    const step = flat.map((v, i) => (i % side >= 6 ? v + 50 : v))
    expect(gradientSum(step, side)).toBe(50 * (side - 1))
    const spot = flat.map((v, i) => (i === 5 * side + 6 ? v + 11 : v))
    const mask = movedPixels(flat, spot, side)
    expect(mask.reduce((sum, v) => sum + v, 0)).toBe(25)
    expect(mask[5 * side + 8]).toBe(1)
    expect(mask[5 * side + 9]).toBe(0)
    expect(gradientSum(step, side, mask)).toBe(50 * 5)
    expect(
      movedPixels(
        flat,
        flat.map((v) => v + 10),
        side,
      ).every((v) => v === 0),
    ).toBe(true)
  })
})

it('correlation is 1 for what follows, and none for what stays', () => {
  expect(correlation([1, 2, 3], [2, 4, 6])).toBeCloseTo(1)
  expect(correlation([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1)
  expect(correlation([1, 2, 3], [5, 5, 5])).toBeUndefined()
})

describe('the report', () => {
  const clip = (name: string, factor: number): FacesOfClip => ({
    ...{ clip: name, frames: 10, withFace: 10, square: { left: 0, top: 0, side: 256 }, follows: {} },
    measures: Object.fromEntries(
      faceMeasures.map((measure) => [measure, { result: factor, still: 1 }]),
    ) as FacesOfClip['measures'],
  })

  it('has a line for keypoints that are tied', () => {
    const clips = [{ ...clip('a', 0.4), keypoints: 0.05 }, clip('b', 0.8)]
    const report = facesReport({ ...{ machine: describeMachine(), model: 'm', every: 4, sheets: [] }, clips })
    expect(describeFaces(report)).toContain('keypoints from the landmarks: 5.00% of')
    const lines = facesCsv(report).split('\r\n')
    expect(lines.filter((line) => line.includes(',keypoints,'))).toHaveLength(2)
    const widths = lines.slice(0, -1).map((line) => line.split(',').length)
    expect(new Set(widths).size).toBe(1)
  })

  it('means ratios over clips, and names the worst', () => {
    const report = facesReport({
      ...{ machine: describeMachine(), model: 'm', every: 4, sheets: [] },
      clips: [clip('a', 0.4), clip('b', 0.8)],
    })
    expect(report.mean.overStill.l1).toBeCloseTo(0.6)
    expect(report.mean.mostOverStill.l1).toBe(0.8)
    expect(report.mean.keypoints).toBeUndefined()
    expect(describeFaces(report)).toMatch(/^lids +60\.00% +100\.00% .* 0\.60 +0\.80 +at most 0\.50$/m)
  })
})

describe('the command', () => {
  it('takes a model and clips for faces alone', () => {
    const flags = { device: 'cpu' } as const
    expect(() => checkBenchFlags('faces', ['run'], flags)).toThrow('run alone')
    expect(() => checkBenchFlags('step', ['run', 'clip'], flags)).toThrow('for pantin bench faces')
    expect(() => checkBenchFlags('all', [], { ...flags, out: 'x' })).toThrow('--out')
    expect(() => checkBenchFlags('faces', ['run', 'clip'], { ...flags, out: 'x' })).not.toThrow()
  })
})

const clipOfFace = new URL('../../../shared/data/faces/d0.mp4', import.meta.url)
const there = existsSync(clipOfFace) && existsSync(faceModels)

describe.skipIf(!there)('a model on a real clip (needs ../shared and the foreign networks)', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pantin-faces-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('is measured beside the still picture, whose landmarks are far above their noise', async () => {
    const run = await makeRun(folder, 'run', smallConfig({ net: defaultNet, size: 128, generator: 'light' }))
    const numbers: number[] = []
    const [found] = await benchFaces(run, [clipOfFace.pathname], {
      ...{ every: 12, threads: 1 },
      onFrame: ({ number }) => numbers.push(number),
    })
    expect(numbers).toEqual([1, 13, 25, 37, 49, 61, 73])
    expect(found).toMatchObject({ frames: 7, withFace: 7, square: { left: 0, top: 0, side: 512 } })
    const { measures } = found!
    expect(measures.mouth.still).toBeGreaterThan(5 * measures.mouth.noise!)
    expect(measures.akd.still).toBeGreaterThan(5 * measures.akd.noise!)
    for (const name of faceMeasures) expect(measures[name].result, name).toBeGreaterThan(0)
  })
})
