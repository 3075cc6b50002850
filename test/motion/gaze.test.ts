// An iris that moves by itself between the lids of its eye.
import { describe, expect, it } from 'vitest'
import { floats, type Tensor } from '../../src/graph/tensor.ts'
import type { MotionConfig } from '../../src/motion/config.ts'
import type { Eye } from '../../src/motion/gaze.ts'
import { generatorGraph, splitGenerator } from '../../src/motion/model.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { InputError } from '../../src/util/errors.ts'
import { still, tinyLight, weightsOf } from './tiny.ts'

const side = 64
const eye: Eye = { iris: 0, corners: [1, 2], lids: [3, 4] }
const config = (eyes: readonly Eye[]): MotionConfig => ({
  ...tinyLight,
  ...{ size: side, keypoints: 6 },
  denseMotion: {
    ...tinyLight.denseMotion,
    ...{ scaleFactor: 0.5, prior: true, peaked: true },
    eyes: eyes as MotionConfig['denseMotion']['eyes'],
  },
})

/** The middle of an eye, whose corners are 0.6 to its left and right. */
type Look = readonly [aside: number, down: number]
const half = 0.6
const height = 0.3
const points = ([aside, down]: Look) =>
  floats(
    [
      ...[aside, down],
      // Corners and lids are found a little within the eye, lids a third of the way to the corners.
      ...[-half / 1.1, 0, half / 1.1, 0],
      ...[0, (-height * 8) / 9 / 1.1, 0, (height * 8) / 9 / 1.1],
      ...[0, 0.9],
    ],
    [1, 6, 2],
  )
const radius = 0.39 * half
const coordinate = (pixel: number) => (2 * pixel) / (side - 1) - 1
const isBetween = (x: number, y: number) => Math.abs(y) < height * (1 - (x / half) ** 2)
/** Skin is green, the white of the eye white, its iris red. */
const picture = ([aside, down]: Look) => {
  const planes = new Float32Array(3 * side * side)
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const [x, y] = [coordinate(column), coordinate(row)]
      const isIris = Math.hypot(x - aside, y - down) < radius
      const colour = !isBetween(x, y) ? [0, 1, 0] : isIris ? [1, 0, 0] : [1, 1, 1]
      colour.forEach((value, c) => {
        planes[c * side * side + row * side + column] = value
      })
    }
  }
  return floats(planes, [1, 3, side, side])
}

async function looked(from: Look, to: Look): Promise<Tensor> {
  const shown = config([eye])
  const graph = generatorGraph(shown, { details: ['deformed'] })
  const feeds = {
    ...still(shown),
    ...{ source: picture(from), valueSource: points(from), valueDriving: points(to) },
  }
  const { deformed } = await evaluate(graph, feeds, weightsOf(graph))
  return deformed!
}

/** Share of the places where squares of 3 x 3 pixels differ by more than a half: lines of single pixels do not count. */
function different(one: Tensor, other: Tensor): number {
  const off = Array.from(one.data, Number).map((x, i) => x - Number(other.data[i]))
  let wrong = 0
  for (let at = 0; at < off.length; at++) {
    const [row, column] = [Math.floor(at / side) % side, at % side]
    if (row < 1 || column < 1 || row > side - 2 || column > side - 2) continue
    let sum = 0
    for (let y = -1; y <= 1; y++) {
      for (let x = -1; x <= 1; x++) sum += off[at + y * side + x]!
    }
    if (Math.abs(sum) > 4.5) wrong++
  }
  return wrong / side ** 2
}

describe('gaze', () => {
  it.each([
    ['aside', [0.15, 0]],
    ['to the other side', [-0.25, 0]],
    ['down', [0, 0.12]],
    ['aside and up', [-0.12, -0.1]],
  ] as const)('moves the iris %s, and neither lids nor corners', async (_, to) => {
    const made = await looked([0, 0], to)
    expect(different(made, picture(to))).toBeLessThan(0.003)
    expect(different(picture([0, 0]), picture(to))).toBeGreaterThan(0.03)
  })

  it('brings the iris back from a side', async () => {
    expect(different(await looked([0.15, 0.02], [0, 0]), picture([0, 0]))).toBeLessThan(0.006)
  })

  it('leaves the source as it is if nothing moves', async () => {
    for (const look of [
      [0, 0],
      [0.3, 0.1],
    ] as const) {
      const made = await looked(look, look)
      const source = picture(look)
      const error = Array.from(made.data, Number).map((x, i) => Math.abs(x - source.data[i]!))
      expect(Math.max(...error)).toBeLessThan(2e-4)
    }
  })

  describe('on a picture whose colours tell places', () => {
    const ramp = floats(
      Array.from({ length: 3 * side ** 2 }, (_, i) => {
        const [row, column] = [Math.floor(i / side) % side, i % side]
        return (i < side ** 2 ? column : row) / side
      }),
      [1, 3, side, side],
    )
    /** How far each pixel's colour is from the one that it has in the source, and its place. */
    async function moved(valueSource: Tensor<'float32'>, valueDriving: Tensor<'float32'>) {
      const shown = config([eye])
      const graph = generatorGraph(shown, { details: ['deformed'] })
      const feeds = { ...still(shown), source: ramp, valueSource, valueDriving }
      const { deformed } = await evaluate(graph, feeds, weightsOf(graph))
      return Array.from({ length: side ** 2 }, (_, i) => ({
        ...{ x: coordinate(i % side), y: coordinate(Math.floor(i / side)) },
        by: Math.max(
          ...[0, 1].map((c) =>
            Math.abs(Number(deformed!.data[c * side ** 2 + i]) - ramp.data[c * side ** 2 + i]!),
          ),
        ),
      }))
    }

    it('moves nothing beyond lids and corners', async () => {
      const found = await moved(points([0, 0]), points([0.2, 0.05]))
      const beyond = found.filter(({ x, y }) => Math.abs(x) > half + 0.05 || Math.abs(y) > height + 0.08)
      expect(Math.max(...beyond.map(({ by }) => by))).toBeLessThan(1e-3)
      const within = found.find(({ x, y }) => Math.abs(x - 0.2) < 0.02 && Math.abs(y - 0.05) < 0.02)
      expect(within?.by).toBeGreaterThan(0.08)
    })

    it('shows nothing of an eye that is closed', async () => {
      const shut = (look: Look) =>
        floats(
          Array.from(points(look).data, (value, i) => (i === 7 || i === 9 ? 0 : value)),
          [1, 6, 2],
        )
      const lidsApart = points([0.2, 0])
      for (const [from, to] of [
        [shut([0, 0]), shut([0.2, 0])],
        [shut([0, 0]), lidsApart],
      ] as const) {
        const found = await moved(from, to)
        const aside = found.filter(({ y }) => Math.abs(y) < 0.05)
        const plain = await moved(
          from,
          floats(
            Array.from(to.data, (value, i) => (i < 2 ? 0 : value)),
            [1, 6, 2],
          ),
        )
        aside.forEach(({ by }, i) => {
          expect(by).toBeCloseTo(plain.filter(({ y }) => Math.abs(y) < 0.05)[i]!.by, 4)
        })
      }
    })
  })

  it('makes in two parts what it makes in one', async () => {
    const shown = config([eye])
    const source = picture([0, 0])
    const feeds = { ...still(shown), source, valueSource: points([0, 0]), valueDriving: points([0.2, 0]) }
    const weights = weightsOf(generatorGraph(shown))
    const { prediction } = await evaluate(generatorGraph(shown), feeds, weights)
    const parts = splitGenerator(shown)
    const encoded = await evaluate(parts.source, { source }, weights)
    const made = await evaluate(parts.frame, { ...feeds, ...encoded }, weights)
    expect(made.prediction!.data).toEqual(prediction!.data)
  })

  it('refuses points that are no keypoints', () => {
    for (const wrong of [
      { ...eye, iris: 6 },
      { ...eye, lids: [3, 6] as const },
    ]) {
      expect(() => generatorGraph(config([wrong]))).toThrow(InputError)
    }
  })
})
