// Openings of a face: lids that meet, and a mouth that shows what its picture has not.
import { describe, expect, it, test } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { add, concat, constant, input, mul } from '../../src/graph/ops/index.ts'
import { floats, sizeOf, type Tensor } from '../../src/graph/tensor.ts'
import type { MotionConfig } from '../../src/motion/config.ts'
import { generatorGraph, splitGenerator } from '../../src/motion/model.ts'
import { mouthMotion } from '../../src/motion/openings.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { InputError } from '../../src/util/errors.ts'
import { expectGradients, probe } from '../support/gradcheck.ts'
import { still, tinyLight, weightsOf } from './tiny.ts'

describe('openings', () => {
  const side = 64
  /** An eye that is open in the source, and whose lids meet in the driving frame, as the motion map's pixels are coarse. */
  const config = (openings: MotionConfig['denseMotion']['openings']): MotionConfig => ({
    ...tinyLight,
    size: side,
    denseMotion: {
      ...tinyLight.denseMotion,
      ...{ scaleFactor: 0.5, prior: true, localKeypoints: 2, peaked: true, openings },
    },
  })
  const lids: [number, number][] = [[0, 1]]
  const open = floats([0, -0.08, 0, 0.08], [1, 2, 2])
  const shut = floats([0, 0.04, 0, 0.04], [1, 2, 2])
  /** Red between the source's lids, from row 30 to row 33, and grey elsewhere. */
  const source = floats(
    Array.from({ length: 3 * side ** 2 }, (_, i) => {
      const row = Math.floor(i / side) % side
      return row > 29.9 && row < 33.1 ? Number(i < side ** 2) : 0.5
    }),
    [1, 3, side, side],
  )
  const feeds = (shown: MotionConfig) => ({
    ...still(shown),
    ...{ source, valueSource: open, valueDriving: shut },
  })

  it('moves what is beyond an edge with this edge, and shows nothing of what was between two edges that meet', async () => {
    const shown = config(lids)
    const graph = generatorGraph(shown, { details: ['deformed', 'deformation'] })
    const weights = weightsOf(graph)
    const { deformed, deformation } = await evaluate(graph, feeds(shown), weights)
    const redOf = (data: Tensor['data']) => {
      const column = Array.from({ length: side }, (_, y) => Number(data[y * side + side / 2]))
      return column.filter((red) => red > 0.6).length
    }
    expect(redOf(deformed!.data)).toBeLessThanOrEqual(1)
    // Rows of the map of 32 x 32 that are next to the closed lids, over and under them.
    const shift = (row: number) => Number(deformation!.data[2 * (row * 32 + 16) + 1]) - ((2 * row) / 31 - 1)
    expect(shift(15)).toBeLessThan(-0.1)
    expect(shift(17)).toBeGreaterThan(0.03)

    const plain = generatorGraph(config(undefined), { details: ['deformed'] })
    const without = await evaluate(plain, feeds(config(undefined)), weights)
    expect(redOf(without.deformed!.data)).toBeGreaterThan(2)
  })

  it('leaves the source where it is when nothing moves', async () => {
    const shown = config(lids)
    const graph = generatorGraph(shown, { details: ['deformed'] })
    const still = { ...feeds(shown), valueDriving: open }
    const { deformed } = await evaluate(graph, still, weightsOf(graph))
    const error = Array.from(deformed!.data, Number).map((x, i) => Math.abs(x - source.data[i]!))
    expect(Math.max(...error)).toBeLessThan(1e-4)
  })

  it('makes in two parts what it makes in one', async () => {
    const shown = config(lids)
    const weights = weightsOf(generatorGraph(shown))
    const { prediction } = await evaluate(generatorGraph(shown), feeds(shown), weights)
    const parts = splitGenerator(shown)
    const encoded = await evaluate(parts.source, { source }, weights)
    const made = await evaluate(parts.frame, { ...feeds(shown), ...encoded }, weights)
    expect(made.prediction!.data).toEqual(prediction!.data)
  })

  it('refuses an edge that is no keypoint', () => {
    expect(() => generatorGraph(config([[0, 2]]))).toThrow(InputError)
  })
})

describe('a mouth', () => {
  const side = 64
  const mouth: NonNullable<MotionConfig['denseMotion']['mouth']> = {
    corners: [0, 1],
    inner: [2, 3],
    outer: [4, 5],
  }
  type Points = readonly (readonly [x: number, y: number])[]
  const closed: Points = [
    [-0.4, 0],
    [0.4, 0],
    [0, 0],
    [0, 0],
    [0, -0.1],
    [0, 0.1],
  ]
  /** The mouth with its lower lip further down. */
  const opened = (by: number): Points => closed.map(([x, y], i) => [x, y + (i === 3 || i === 5 ? by : 0)])
  const open = opened(0.3)
  const tensorOf = (points: Points) => floats(points.flat(), [1, 6, 2])
  const turned = (points: Points, angle: number): Points =>
    points.map(([x, y]) => [
      x * Math.cos(angle) - y * Math.sin(angle),
      x * Math.sin(angle) + y * Math.cos(angle),
    ])

  describe('that opens', () => {
    /** What it newly shows, at the pixel with these coordinates. */
    const shown = async (source: Points, driving: Points) => {
      const graph = new Graph()
      const [from, to] = ['from', 'to'].map((name) => ({
        value: input(graph, name, 'float32', [1, 6, 2]),
        jacobian: undefined,
      }))
      graph.output('map', mouthMotion(from!, to!, mouth).shown([side, side]))
      const { map } = await evaluate(graph, { from: tensorOf(source), to: tensorOf(driving) })
      return ([x, y]: readonly [number, number]) => {
        const [column, row] = [x, y].map((place) => Math.round(((place + 1) / 2) * (side - 1)))
        return Number(map!.data[row! * side + column!])
      }
    }
    const inside = [0, 0.15] as const

    it('shows all between its lips if it was closed, and nothing else', async () => {
      const at = await shown(closed, open)
      for (const place of [inside, [0.2, 0.1]] as const) expect(at(place), String(place)).toBe(1)
      const above = [0, -0.05] as const
      const below = [0, 0.35] as const
      for (const place of [above, below, [0.3, 0.22], [0.45, 0.05]] as const) {
        expect(at(place), String(place)).toBe(0)
      }
    })

    it('shows half if it was half as open, and nothing if it was as open, or closes', async () => {
      expect((await shown(opened(0.15), open))(inside)).toBeCloseTo(0.5, 5)
      expect((await shown(open, open))(inside)).toBe(0)
      const closing = await shown(open, closed)
      for (let y = -0.3; y < 0.4; y += 0.02) expect(closing([0, y])).toBe(0)
    })

    it('turns with the head', async () => {
      const at = await shown(turned(closed, 0.3), turned(open, 2))
      const turnedPlace = (place: readonly [number, number]) => turned([place], 2)[0]!
      expect(at(turnedPlace(inside))).toBe(1)
      for (const place of [
        [0, -0.08],
        [0, 0.4],
      ] as const) {
        expect(at(turnedPlace(place)), String(place)).toBe(0)
      }
    })

    test('its map has the gradient of its formula', () => {
      const shape = [1, 6, 2]
      const check = probe([shape, shape], (source, driving) => {
        // Random points near a mouth that is a little open, and one that is more.
        const near = (value: Value, points: Points) => ({
          value: add(mul(value, 0.02), constant(value.graph, tensorOf(points))),
          jacobian: undefined,
        })
        const moves = mouthMotion(near(source!, opened(0.1)), near(driving!, open), mouth)
        return concat([moves.shown([9, 9]), moves.places([9, 9])], 1)
      })
      expectGradients(check)
    })
  })

  describe('of a model', () => {
    const config: MotionConfig = {
      ...tinyLight,
      ...{ size: side, keypoints: 6 },
      denseMotion: {
        ...tinyLight.denseMotion,
        ...{ scaleFactor: 0.5, prior: true, localKeypoints: 6, peaked: true, mouth },
      },
    }
    /** Red lips on grey: from row 28 to row 35. */
    const source = floats(
      Array.from({ length: 3 * side ** 2 }, (_, i) => {
        const row = Math.floor(i / side) % side
        return row > 27.9 && row < 35.1 ? Number(i < side ** 2) : 0.5
      }),
      [1, 3, side, side],
    )
    const feeds = { ...still(config), source, valueSource: tensorOf(closed), valueDriving: tensorOf(open) }
    const run = async (of: MotionConfig, change: (weights: Map<string, Tensor>) => void = () => {}) => {
      const graph = generatorGraph(of, { details: ['deformed'] })
      const weights = new Map<string, Tensor>(weightsOf(graph))
      change(weights)
      const { prediction, deformed } = await evaluate(graph, feeds, weights)
      const red = ({ data }: Tensor) => {
        return (y: number) => Number(data[Math.round(((y + 1) / 2) * (side - 1)) * side + side / 2])
      }
      return { painted: red(prediction!), moved: red(deformed!) }
    }

    it('moves each lip as a whole, and paints what is between them', async () => {
      const { painted, moved } = await run(config)
      // The upper lip stays, and the lower one is further down.
      for (const y of [-0.06, 0.35]) expect(moved(y), String(y)).toBeGreaterThan(0.9)
      for (const y of [-0.2, 0.5]) expect(moved(y), String(y)).toBeLessThan(0.6)
      // The source has nothing between its lips: their edges are stretched, and then painted over.
      expect(moved(0.15)).toBeGreaterThan(0.9)
      // A new model's mouth is a dark shade of what is around the source's: of red lips.
      expect(painted(0.15)).toBeCloseTo(0.3, 2)
    })

    it('paints what it has learned of mouths that are as far open', async () => {
      // The opening's height is 0.3, and its width 0.92 of 0.8: between the second picture and the third.
      const share = 0.3 / (0.92 * 0.8) / 0.25 - 1
      const learned = async (picture: number) => {
        const { painted } = await run(config, (weights) => {
          const name = 'generator.mouth.own'
          const { shape } = weights.get(name)!
          const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) =>
            Math.floor((4 * i) / sizeOf(shape)) === picture ? 0.5 : 0,
          )
          weights.set(name, floats(data, shape))
        })
        return painted(0.15) - 0.3
      }
      expect(await learned(1)).toBeCloseTo(0.5 * (1 - share), 2)
      expect(await learned(2)).toBeCloseTo(0.5 * share, 2)
      expect(await learned(3)).toBeCloseTo(0, 2)
    })

    it('gives all above a mouth to the upper lip, all below it to the lower one, and bows both from corner to corner', async () => {
      const graph = generatorGraph(config, { details: ['mask'] })
      const ajar = { ...feeds, valueDriving: tensorOf(opened(0.02)) }
      const { mask } = await evaluate(graph, ajar, weightsOf(graph))
      const [rows, plane] = [side / 2, (side / 2) ** 2]
      const share = (keypoints: readonly number[], x: number, y: number) => {
        const [column, row] = [x, y].map((place) => Math.round(((place + 1) / 2) * (rows - 1)))
        const at = row! * rows + column!
        return keypoints.reduce((sum, k) => sum + Number(mask!.data[(k + 1) * plane + at]), 0)
      }
      const [upper, lower] = [
        [2, 4],
        [3, 5],
      ]
      expect(share(upper, 0, -0.06)).toBeGreaterThan(0.3)
      expect(share(lower, 0, -0.06)).toBe(0)
      expect(share(lower, 0, 0.08)).toBeGreaterThan(0.3)
      expect(share(upper, 0, 0.08)).toBe(0)
      // Lips have what a parabola has of its height, and corners the rest. The opening ends at 0.92 of the way to a corner.
      const [lips, corners] = [
        [...upper, ...lower],
        [0, 1],
      ]
      const column = 19
      const x = (2 * column) / (rows - 1) - 1
      const part = share(lips, x, 0.08) / share([...lips, ...corners], x, 0.08)
      expect(part).toBeCloseTo(1 - (x / (0.92 * 0.4)) ** 2, 2)
      expect(share(lips, 0.45, 0.08)).toBe(0)
      expect(share([1], 0.45, 0.08)).toBeGreaterThan(0.3)
      expect(share([0], 0.45, 0.08)).toBe(0)
    })

    it('paints no mouth if it is not told where one is', async () => {
      const { mouth: _, ...denseMotion } = config.denseMotion
      const { painted } = await run({ ...config, denseMotion })
      expect(painted(0.15)).toBeGreaterThan(0.65)
    })

    it('refuses a corner that is no keypoint', () => {
      const denseMotion = { ...config.denseMotion, mouth: { ...mouth, corners: [0, 6] as [number, number] } }
      expect(() => generatorGraph({ ...config, denseMotion })).toThrow(InputError)
    })
  })
})
