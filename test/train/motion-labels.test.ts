// Labels of synthetic clips: what is kept beside frames, what a batch brings, and the losses on it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { add, constant } from '../../src/graph/ops/index.ts'
import { floats, sizeOf } from '../../src/graph/tensor.ts'
import type { Clip } from '../../src/media/clip.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { hasFlow, tiedNames, tiedPoints, ties } from '../../src/synthetic/made-clips.ts'
import { puppetClip } from '../../src/synthetic/puppet/puppet.ts'
import { cacheClips, drawBatch } from '../../src/train/frames.ts'
import { labelPoints, type Records } from '../../src/train/motion-labels.ts'
import {
  flowLoss,
  type KnownMotion,
  keptDifference,
  nearPointsDifference,
  occlusionLoss,
  openingDifference,
  tiedDistance,
} from '../../src/train/reconstruction/label-losses.ts'
import { train } from '../../src/train/train.ts'
import { Random } from '../../src/util/random.ts'
import { expectGradients, probe } from '../support/gradcheck.ts'
import { tinyModel } from './tiny.ts'

/** Records in memory. */
function inMemory(length: number): Records {
  const kept: Uint8Array[] = []
  return {
    length,
    get count() {
      return kept.length
    },
    append: (record) => kept.push(record.slice()),
    read: (index, target, offset = 0) => target.set(kept[index]!, offset),
    close: () => {},
  }
}

const side = 16
const cacheOf = (clips: readonly Clip[]) =>
  cacheClips(clips, { size: 32, fit: 'crop', holdout: 0.25, labels: side, records: inMemory })

/** A clip of which nothing is known: the frames of another one. */
function unknown(clip: Clip): Clip {
  const { name, width, height, frameRate, duration, frameCount } = clip
  return {
    ...{ name, width, height, frameRate, duration, frameCount },
    async *frames(range) {
      for await (const { width, height, data, time, duration } of clip.frames(range)) {
        yield { width, height, data, time, duration }
      }
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
}

test('every tied keypoint has a name of its own', () => {
  for (const tie of ties) {
    expect(tiedNames[tie]).toHaveLength(tiedPoints[tie].length)
    expect(new Set(tiedNames[tie]).size).toBe(tiedNames[tie].length)
  }
})

describe('a batch of synthetic clips', () => {
  test('brings points and the true motion from driving to source frames, and zeros for other clips', async () => {
    const puppet = puppetClip({ seed: 5, frames: 8, size: 32, frameRate: 5 })
    const head = await openClip('head:4,frames=8,size=32,rate=5')
    const cache = await cacheOf([puppet, unknown(puppetClip({ seed: 9, frames: 8, size: 32 })), head])
    expect(cache.clips.map(({ firstLabel }) => firstLabel)).toEqual([0, undefined, 6])
    const n = 40
    const { frames, labels } = drawBatch(new Random(2), cache, n, { flip: true, colour: 0 })
    const known = [...labels!.known]
    expect(known.filter((x) => x === 0).length).toBeGreaterThan(5)
    expect(known.filter((x) => x === 1).length).toBeGreaterThan(15)

    const bytes = 32 * 32 * 3
    const all = new Map<Clip, Uint8Array[]>()
    for (const clip of [puppet, head]) {
      const pictures: Uint8Array[] = []
      for await (const { data } of clip.frames()) pictures.push(data)
      all.set(clip, pictures)
    }
    const numberOf = (clip: Clip, slot: number) =>
      all
        .get(clip)!
        .findIndex((data) => Buffer.compare(data, frames.subarray(slot * bytes, (slot + 1) * bytes)) === 0)
    let checked = 0
    for (let pair = 0; pair < n; pair++) {
      const flow = labels!.flow.subarray(pair * side * side * 2, (pair + 1) * side * side * 2)
      if (known[pair] === 0) {
        expect(flow.every((x) => x === 0)).toBe(true)
        expect(numberOf(puppet, pair)).toBe(-1)
        continue
      }
      for (const clip of [puppet, head]) {
        const [source, driving] = [numberOf(clip, pair), numberOf(clip, n + pair)]
        if (source < 0 || !hasFlow(clip)) continue
        expect(Math.max(source, driving)).toBeLessThan(6)
        expect(source).not.toBe(driving)
        const wanted = clip.flow(driving, source, side)
        wanted.flow.forEach((place, i) => {
          expect(flow[i]).toBeCloseTo(Math.max(-4, Math.min(4, place)), 3)
        })
        expect([...labels!.visible.subarray(pair * side * side, (pair + 1) * side * side)]).toEqual([
          ...wanted.visible,
        ])
        checked++
      }
    }
    expect(checked).toBeGreaterThan(15)
  })

  test('has points where the joints of the frame are', async () => {
    const puppet = puppetClip({ seed: 5, frames: 2, size: 32, frameRate: 5 })
    const cache = await cacheClips([puppet], {
      ...{ size: 32, fit: 'crop', holdout: 0, labels: side, records: inMemory },
    })
    const points = cache.labels!.points(1)
    for await (const { joints, visible } of puppet.frames({ fromFrame: 1 })) {
      visible.forEach((seen, i) => {
        const weight = seen
          ? 1
          : Math.max(Math.abs(joints[2 * i]!), Math.abs(joints[2 * i + 1]!)) <= 1
            ? 0.3
            : 0
        const wanted = [joints[2 * i]!, joints[2 * i + 1]!, weight].map((x) => expect.closeTo(x, 5))
        expect([...points.subarray(3 * i, 3 * i + 3)]).toEqual(wanted)
      })
      expect(points.subarray(3 * visible.length).every((x) => x === 0)).toBe(true)
    }
  })
})

test('the flow of a puppet carries its picture from one frame to another', async () => {
  const size = 96
  const clip = puppetClip({ seed: 3, frames: 20, size, frameRate: 10 })
  const [from, to] = [2, 9]
  const pictures: Uint8Array[] = []
  for await (const { data } of clip.frames()) pictures.push(data)
  const { flow, visible } = clip.flow(from, to)
  let [moved, still, count] = [0, 0, 0]
  for (let at = 0; at < size * size; at++) {
    const [x, y] = [0, 1].map((axis) => Math.round(((flow[2 * at + axis]! + 1) / 2) * (size - 1)))
    const target = y! * size + x!
    if (visible[at] === 0 || target === at) continue
    for (let c = 0; c < 3; c++) {
      const own = pictures[from]![3 * at + c]!
      moved += Math.abs(own - pictures[to]![3 * target + c]!)
      still += Math.abs(own - pictures[to]![3 * at + c]!)
    }
    count++
  }
  expect(count).toBeGreaterThan(500)
  expect(moved / still).toBeLessThan(0.5)
  const hidden = visible.reduce((sum, seen) => sum + Number(seen === 0), 0) / visible.length
  expect(hidden).toBeGreaterThan(0.005)
  expect(hidden).toBeLessThan(0.2)
})

describe('losses on what is known', () => {
  const n = 2
  const common = [[2 * n, labelPoints, 3], [n, 4, 4, 2], [n, 4, 4], [n]] as const
  const all = (points: Value, flow: Value, visible: Value, known: Value): KnownMotion => {
    return { points, flow, visible, known, tie: 'face' }
  }
  const keypoints = (value: Value) => ({ value, jacobian: undefined })
  const withMaps = (value: Value, jacobian: Value) => ({ value, jacobian })
  const range = { range: [0.1, 0.9] } as const
  const probes = {
    flow: () =>
      probe([...common, [n, 4, 4, 2]], (p, f, v, k, motion) => flowLoss(motion!, all(p!, f!, v!, k!)), range),
    occlusion: () =>
      probe([...common, [n, 1, 4, 4]], (p, f, v, k, map) => occlusionLoss(map!, all(p!, f!, v!, k!)), range),
    openings: () =>
      probe(
        [...common, [n, 16, 2], [n, 16, 2]],
        (p, f, v, k, a, b) => openingDifference(keypoints(a!), keypoints(b!), all(p!, f!, v!, k!))!,
        range,
      ),
    kept: () =>
      probe(
        [...common, ...Array(4).fill([n, 18, 2]), ...Array(4).fill([n, 18, 2, 2])],
        (p, f, v, k, ...[a, b, c, d, ja, jb, jc, jd]) => {
          const [now, before] = [
            [withMaps(a!, ja!), withMaps(b!, jb!)],
            [withMaps(c!, jc!), withMaps(d!, jd!)],
          ]
          return keptDifference(now, before, all(p!, f!, v!, k!))
        },
        range,
      ),
    'near points': () =>
      probe(
        [...common, [n, 3, 4, 4], [n, 3, 4, 4]],
        (p, f, v, k, a, b) => nearPointsDifference(a!, b!, all(p!, f!, v!, k!)),
        range,
      ),
    landmarks: () =>
      probe(
        [...common, [n, 5, 2], [n, 5, 2]],
        (p, f, v, k, a, b) => tiedDistance(keypoints(a!), keypoints(b!), all(p!, f!, v!, k!))!,
        range,
      ),
  }

  test.each(['flow', 'occlusion', 'near points', 'landmarks', 'openings', 'kept'] as const)(
    '%s has the gradient of its formula',
    (which) => {
      const check = probes[which]()
      expectGradients(check)
    },
  )

  test('a wrong motion of a lid weighs more than one of the cheek', async () => {
    const side = 32
    const graph = new Graph()
    const rows = Array.from({ length: labelPoints }, (_, i) => [
      i === 37 || i === 38 ? -0.2 : 0.3,
      0,
      Number(i >= 36 && i < 48),
    ])
    const points = constant(graph, floats([...rows, ...rows].flat(), [2, labelPoints, 3]))
    const flow = constant(graph, floats(new Float32Array(2 * side ** 2), [1, side, side, 2]))
    const visible = constant(graph, floats(new Float32Array(side ** 2).fill(1), [1, side, side]))
    const known = constant(graph, floats([1], [1]))
    const wrongAt = (x: number) => {
      const motion = new Float32Array(2 * side ** 2)
      const column = Math.round(((x + 1) / 2) * (side - 1))
      motion[2 * ((side / 2) * side + column)] = 1
      return constant(graph, floats(motion, [1, side, side, 2]))
    }
    graph.output('lid', flowLoss(wrongAt(-0.2), all(points, flow, visible, known)))
    graph.output('cheek', flowLoss(wrongAt(-0.9), all(points, flow, visible, known)))
    const head = { ...all(points, flow, visible, known), tie: 'head' } as const
    graph.output('head', flowLoss(wrongAt(-0.2), head))
    const found = await evaluate(graph, {})
    const [lid, cheek] = [Number(found.lid!.data[0]), Number(found.cheek!.data[0])]
    expect(lid / cheek).toBeGreaterThan(20)
    // What turns with the head weighs no more when keypoints are tied to it.
    expect(Number(found.head!.data[0])).toBeCloseTo(lid, 6)
  })

  test('openings see a blink, and not a face that is found elsewhere', async () => {
    const graph = new Graph()
    const at = (k: number, shift: number, blink: number) => [
      0.01 * k + shift,
      0.1 + (k === 1 ? 0.05 - blink : 0) + shift,
    ]
    const keypointsAt = (shift: number, blink: number) =>
      keypoints(
        constant(graph, floats(Array.from({ length: 16 }, (_, k) => at(k, shift, blink)).flat(), [1, 16, 2])),
      )
    // Each landmark is where the keypoint that is tied to it is in a face that is neither moved nor blinks.
    const rows = Array.from({ length: labelPoints }, (_, i) => {
      const k = tiedPoints.face.findIndex((members) => members.includes(i))
      return k < 0 ? [0, 0, 0] : [...at(k, 0, 0), 1]
    })
    const points = constant(graph, floats([...rows, ...rows].flat(), [2, labelPoints, 3]))
    const known = all(points, points, points, points)
    const loss = (shift: number, blink: number) =>
      openingDifference(keypointsAt(shift, blink), keypointsAt(shift, blink), known)!
    graph.output('moved', loss(0.3, 0))
    graph.output('blink', loss(0, 0.05))
    const found = await evaluate(graph, {})
    expect((found.moved!.data as Float32Array)[0]).toBeCloseTo(0, 5)
    // One of seven pairs.
    expect((found.blink!.data as Float32Array)[0]).toBeCloseTo(0.05 / 7, 5)
  })

  test('what is kept is where no label says otherwise: free keypoints of a labelled pair, all of others, and jacobians', async () => {
    const graph = new Graph()
    const filled = (shape: readonly number[], value: number) =>
      constant(graph, floats(new Float32Array(sizeOf(shape)).fill(value), shape))
    // Keypoint 3 is tied, and 17 is not.
    const moved = (which: number) =>
      keypoints(
        constant(
          graph,
          floats(
            Array.from({ length: 36 }, (_, i) => (i >> 1 === which ? 0.2 : 0)),
            [1, 18, 2],
          ),
        ),
      )
    const known = (value: number) => {
      const [points, flow, visible] = [
        filled([2, labelPoints, 3], 0),
        filled([1, 4, 4, 2], 0),
        filled([1, 4, 4], 0),
      ]
      return all(points, flow, visible, filled([1], value))
    }
    const still = moved(-1)
    const loss = (which: number, labelled: number) =>
      keptDifference([moved(which), still], [still, still], known(labelled))
    graph.output('tied', loss(3, 1))
    graph.output('free', loss(17, 1))
    graph.output('unknown', loss(3, 0))
    graph.output('unlabelled', keptDifference([moved(3), still], [still, still], undefined))
    const maps = (value: number) => withMaps(still.value, filled([1, 18, 2, 2], value))
    graph.output('maps', keptDifference([maps(1.3), maps(1)], [maps(1), maps(1)], known(1)))
    const found = await evaluate(graph, {})
    const of = (name: string) => Number(found[name]!.data[0])
    expect(of('tied')).toBe(0)
    // One of four free keypoints in two frames, along both axes.
    expect(of('free')).toBeCloseTo(0.4 / 4, 5)
    expect(of('unknown')).toBeCloseTo(0.4 / 36, 5)
    expect(of('unlabelled')).toBeCloseTo(0.4 / 36, 5)
    expect(of('maps')).toBeCloseTo(0.3 / 2, 5)
  })

  test('are 0 where nothing is known, and none where nothing is tied', async () => {
    const graph = new Graph()
    const zeros = (shape: readonly number[]) =>
      constant(graph, floats(new Float32Array(sizeOf(shape)), shape))
    const [points, flow, visible, known] = common.map(zeros) as [Value, Value, Value, Value]
    const motion = add(zeros([n, 4, 4, 2]), 0.3)
    graph.output('flow', flowLoss(motion, all(points, flow, visible, known)))
    graph.output(
      'landmarks',
      tiedDistance(
        keypoints(add(zeros([n, 5, 2]), 1)),
        keypoints(zeros([n, 5, 2])),
        all(points, flow, visible, known),
      )!,
    )
    const found = await evaluate(graph, {})
    expect([...(found.flow!.data as Float32Array), ...(found.landmarks!.data as Float32Array)]).toEqual([
      0, 0,
    ])
    const none = { ...all(points, flow, visible, known), tie: 'none' } as const
    expect(tiedDistance(keypoints(zeros([n, 5, 2])), keypoints(zeros([n, 5, 2])), none)).toBeUndefined()
  })
})

test('train reports losses on what is known, with warped frames and without', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-labels-'))
  try {
    const clips = ['puppet:3,frames=6,size=32', 'head:5,frames=4,size=32']
    for (const equivariance of [1, 0]) {
      const out = join(folder, String(equivariance))
      const terms: Readonly<Record<string, number>>[] = []
      await train(clips, {
        ...{ out, model: tinyModel(), steps: 2, batch: 4, tie: 'joints', device: 'cpu', threads: 1 },
        losses: { equivarianceValue: equivariance, equivarianceJacobian: equivariance },
        onEvent: (event) => {
          if (event.kind === 'step') terms.push(event.terms)
        },
      })
      for (const { flow, occlusion, landmarks, equivarianceValue } of terms) {
        for (const term of [flow, occlusion, landmarks]) expect(term).toBeGreaterThan(0)
        expect(equivarianceValue! > 0).toBe(equivariance > 0)
      }
      expect(terms).toHaveLength(2)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
