import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { frameAt } from '../../src/media/clip.ts'
import { openModel } from '../../src/model/open-model.ts'
import { Random } from '../../src/util/random.ts'
import type { Pose } from '../../src/web/model.ts'
import { settled } from '../../studio/src/core/settling.ts'
import {
  aimedPose,
  atRest,
  between,
  type Pull,
  type PulledString,
  type Puppet,
  poseOf,
  pulled,
  spreadOf,
  stringsOf,
} from '../../studio/src/core/strings.ts'

/** The strings of the studio: poses from pulls, and pulls from points. */

const eye = [
  [1, 0],
  [0, 1],
]
/** Four points, of which a string moves all to the right, and one the last alone downwards. */
const puppet: Puppet = {
  rest: {
    value: [
      [-0.5, -0.5],
      [0.5, -0.5],
      [-0.5, 0.5],
      [0.5, 0.5],
    ],
    jacobian: [eye, eye, eye, eye],
  },
  strings: [
    { name: 'Right', value: [1, 0, 1, 0, 1, 0, 1, 0], jacobian: Array.from({ length: 16 }, () => 0) },
    {
      name: 'Last',
      value: [0, 0, 0, 0, 0, 0, 0, 0.5],
      jacobian: [...Array.from({ length: 12 }, () => 0), 0, 0, 0, 0.2],
    },
  ],
}
const none = new Map()
const rest: Pull = { pulls: [0, 0], offsets: none }

describe('a pose', () => {
  test('without a pull is the picture at rest', () => {
    expect(poseOf(puppet, rest)).toEqual(puppet.rest)
  })

  test('moves points by parts of their spread, and changes their maps', () => {
    const spread = spreadOf(puppet.rest.value)
    expect(spread).toBeCloseTo(Math.SQRT1_2)
    const { value, jacobian } = poseOf(puppet, { pulls: [0.2, 1], offsets: none })
    expect(value[0]).toEqual([-0.5 + 0.2 * spread, -0.5])
    expect(value[3]).toEqual([0.5 + 0.2 * spread, 0.5 + 0.5 * spread])
    expect(jacobian![3]).toEqual([
      [1, 0],
      [0, 1.2],
    ])
  })

  test('halfway between two others', () => {
    const other: Pull = {
      pulls: [1, 0],
      offsets: new Map([[2, [0.2, 0]]]),
      aim: { pulls: [0.6, 0], offsets: new Map([[2, [0.2, 0.02]]]) },
    }
    expect(between(rest, other, 0)).toMatchObject({ pulls: [0, 0], aim: { pulls: [0, 0] } })
    expect(between(rest, other, 0.5)).toEqual({
      pulls: [0.5, 0],
      offsets: new Map([[2, [0.1, 0]]]),
      aim: { pulls: [0.3, 0], offsets: new Map([[2, [0.1, 0.01]]]) },
    })
    expect(between(rest, rest, 0.5)).toEqual(rest)
    expect(between(rest, other, 1)).toEqual(other)
  })
})

describe('a pulled point', () => {
  test('is where it was put, and the strings that move it take others along', () => {
    const pull = pulled(puppet, rest, 0, [-0.2, -0.45])
    const { value } = poseOf(puppet, pull)
    expect(value[0]![0]).toBeCloseTo(-0.2, 6)
    expect(value[0]![1]).toBeCloseTo(-0.45, 6)
    expect(pull.pulls[0]).toBeGreaterThan(0.4)
    expect(pull.pulls[1]).toBe(0)
    expect(value[3]![0]).toBeGreaterThan(0.77)
    expect(value[3]![1]).toBeCloseTo(0.5, 2)
  })

  test('throws no other point: of two strings that move it alike, the one is pulled that moves others less', () => {
    const far = { name: 'far', value: [0, 0, 0, 0, 0.2, 0, 4, 0], jacobian: Array(16).fill(0) }
    const near = { ...far, name: 'near', value: [0, 0, 0, 0, 0.2, 0, 0.1, 0] }
    const both = { ...puppet, strings: [far, near] }
    const pull = pulled(both, rest, 2, [-0.4, 0.5])
    expect(pull.pulls[1]).toBeGreaterThan(0.4)
    expect(Math.abs(pull.pulls[0]!)).toBeLessThan(0.1)
  })

  test('pulls no string beyond its end, and still gets where it is put', () => {
    const pull = pulled(puppet, rest, 3, [0.5, -1])
    expect(pull.pulls[1]).toBe(-1.5)
    expect(poseOf(puppet, pull).value[3]![1]).toBeCloseTo(-1, 6)
  })
})

describe('a settled point', () => {
  const pull = pulled(puppet, rest, 0, [-0.3, -0.4])
  /** A model that moves pictures by a part of what it is told. @returns where the first point is found in the end, and how often */
  const found = async (part: number) => {
    const seen: number[] = []
    const find = async (pose: Pose): Promise<Pose> => {
      const [x, y] = pose.value[0] as [number, number]
      const at = [-0.5 + part * (x + 0.5), -0.5 + part * (y + 0.5)]
      seen.push(Math.hypot(at[0]! + 0.3, at[1]! + 0.4))
      return { value: [at, ...pose.value.slice(1)] }
    }
    const after = await settled(puppet, pull, 0, find)
    const { length } = seen
    await find(aimedPose(puppet, after!))
    return { after: after!, length, missed: seen.at(-1)! }
  }

  test.each([0.7, 0.9, 1.2])(
    'is found where it was put by a model that moves %s of the way',
    async (part) => {
      const { after, missed, length } = await found(part)
      expect(missed).toBeLessThan(0.01)
      expect(length).toBeLessThanOrEqual(4)
      // What is shown is where it was put, and not the aim.
      expect(poseOf(puppet, after)).toEqual(poseOf(puppet, pull))
    },
  )

  test('stays if the model does what it is told, or something else altogether', async () => {
    expect(await found(1)).toMatchObject({ after: pull, length: 1 })
    expect((await found(-3)).after).toEqual(pull)
  })

  test('is left alone if its picture is gone', async () => {
    expect(await settled(puppet, pull, 0, async () => undefined)).toBeUndefined()
  })

  test('loses its aim when it is pulled again, and other points keep theirs', async () => {
    const { after } = await found(0.7)
    const again = pulled(puppet, after, 0, [-0.35, -0.42])
    const at = (pose: Pose, k: number) => [
      expect.closeTo(pose.value[k]![0]!, 9),
      expect.closeTo(pose.value[k]![1]!, 9),
    ]
    expect(aimedPose(puppet, again).value[0]).toEqual(at(poseOf(puppet, again), 0))
    const other = pulled(puppet, after, 2, [-0.4, 0.6])
    expect(aimedPose(puppet, other).value[0]).not.toEqual(at(poseOf(puppet, other), 0))
    expect(aimedPose(puppet, other).value[2]).toEqual(at(poseOf(puppet, other), 2))
  })

  test('is aimed another way where the first one does not help', async () => {
    // A model whose first point goes with the one that is farthest away: strings alone take that one along.
    const find = async (pose: Pose): Promise<Pose> => {
      const [x, y] = pose.value[3] as [number, number]
      return { value: [[-0.5 + 0.7 * (x - 0.5), y - 1], ...pose.value.slice(1)] }
    }
    const aside = pulled(puppet, rest, 0, [-0.3, -0.5])
    const missed = async (at: Pull) => {
      const [x, y] = (await find(aimedPose(puppet, at))).value[0] as [number, number]
      return Math.hypot(x + 0.3, y + 0.5)
    }
    expect(await missed(aside)).toBeGreaterThan(0.05)
    expect(await missed((await settled(puppet, aside, 0, find))!)).toBeLessThan(0.02)
  })
})

test('strings are found in what moved', () => {
  const random = new Random(7)
  const seen = Array.from({ length: 60 }, () =>
    poseOf(puppet, { pulls: [random.between(-1, 1), random.between(-1, 1)], offsets: none }),
  )
  const found = stringsOf(seen)
  expect(found).toHaveLength(2)
  const [first, second] = found as [PulledString, PulledString]
  // All points move alike along the first; the last one alone moves along the second, with its map.
  const ratio = first.value[0]!
  for (const at of [2, 4, 6]) expect(first.value[at]).toBeCloseTo(ratio, 1)
  expect(Math.abs(second.value[7]!)).toBeGreaterThan(0.3)
  expect(Math.abs(second.value[0]!)).toBeLessThan(0.05)
  expect(second.jacobian[15]! / second.value[7]!).toBeCloseTo(0.2 / 0.5, 1)
})

describe.each([
  { name: 'face', clip: 'head:100015' },
  // It holds its arms up: elbows are harder to find.
  { name: 'puppet', clip: 'puppet:100024' },
])('the starter $name', ({ name, clip: spec }) => {
  test('shows each point where it is put', async () => {
    const { strings } = JSON.parse(
      readFileSync(new URL(`../../assets/starters/${name}/strings.json`, import.meta.url), 'utf8'),
    ) as { strings: readonly PulledString[] }
    await using model = await openModel(name, { device: 'cpu' })
    const { size, keypoints } = model.config
    await using clip = await openClip(`${spec},frames=1,size=${size}`)
    const frame = await frameAt(clip, 0)
    const kpSource = await model.detect(frame.data)
    const pairs = (flat: Float32Array) =>
      Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!])
    const maps = pairs(kpSource.jacobian!)
    const tied: Puppet = {
      strings,
      rest: {
        value: pairs(kpSource.value),
        jacobian: Array.from({ length: keypoints }, (_, k) => maps.slice(2 * k, 2 * k + 2)),
      },
    }
    const encoded = await model.encode(frame.data)
    const apart: number[] = []
    for (let k = 0; k < keypoints; k++) {
      const from = tied.rest.value[k]!
      const to = [from[0]! + 0.1 * Math.cos(k), from[1]! + 0.1 * Math.sin(k)] as const
      const find = async (pose: Pose): Promise<Pose> => {
        const kpDriving = {
          value: Float32Array.from(pose.value.flat()),
          jacobian: Float32Array.from(pose.jacobian!.flat(2)),
        }
        const { value } = await model.detect(await model.generate(encoded, kpSource, kpDriving))
        return { value: pairs(value) }
      }
      const pull = await settled(tied, pulled(tied, atRest(tied), k, to), k, find)
      const found = (await find(aimedPose(tied, pull!))).value[k]!
      apart.push(Math.hypot(found[0]! - to[0], found[1]! - to[1]))
    }
    process.stdout.write(`${name}: ${apart.map((x) => x.toFixed(3)).join(' ')}\n`)
    expect(apart.reduce((a, b) => a + b) / keypoints).toBeLessThan(0.03)
    expect(Math.max(...apart)).toBeLessThan(0.05)
  }, 120_000)
})
