import { describe, expect, it } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { initialise, input, parametersOf } from '../../src/graph/ops/leaf.ts'
import { floats, sizeOf, type Tensor } from '../../src/graph/tensor.ts'
import { relu6 } from '../../src/layers/conv2d.ts'
import { dualAttention, squeezeExcitation } from '../../src/layers/gates.ts'
import { dilatedInception } from '../../src/layers/inception.ts'
import { invertedResidual } from '../../src/layers/mobilenet.ts'
import { Scope } from '../../src/layers/scope.ts'
import { shuffleUnitV1, shuffleUnitV2 } from '../../src/layers/shufflenet.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { GraphError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import { noise } from '../zoo/build.ts'

/** What the survey's blocks compute, where it can be said without their weights. */

const build = (x: Tensor, block: (scope: Scope, x: Value) => Value) => {
  const graph = new Graph()
  graph.output('y', block(Scope.root(graph, { training: false }), input(graph, 'x', 'float32', x.shape)))
  return graph
}

/** Runs a block, with starting weights but for those of names that `zero` matches. */
async function run(x: Tensor, block: (scope: Scope, x: Value) => Value, zero?: RegExp) {
  const graph = build(x, block)
  const weights: Map<string, Tensor> = initialise(parametersOf(graph), new Random(1))
  for (const [name, { shape }] of weights) {
    if (zero?.test(name)) weights.set(name, floats(new Array<number>(sizeOf(shape)).fill(0), shape))
  }
  return (await evaluate(graph, { x }, weights)).y!
}

/** The largest difference of two tensors of one shape. */
function difference(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape)
  const others = Array.from(b.data, Number)
  return Math.max(...Array.from(a.data, Number).map((value, i) => Math.abs(value - others[i]!)))
}

const scaled = ({ data, shape }: Tensor, factor: number) =>
  floats(
    Array.from(data, Number).map((value) => factor * value),
    shape,
  )

/** One channel of the first picture. */
const plane = ({ data, shape }: Tensor, channel: number) => {
  const size = shape[2]! * shape[3]!
  return Array.from(data.slice(channel * size, (channel + 1) * size), Number)
}

describe('ReLU6', () => {
  it('holds values to 0 and 6', async () => {
    const { data } = await run(floats([-1, 0, 3, 6, 7], [1, 5, 1, 1]), (_, x) => relu6(x))
    expect([...data]).toEqual([0, 0, 3, 6, 6])
  })
})

describe('the inverted residual', () => {
  const x = noise([1, 8, 6, 6], 1)

  it('is its input where the branch is shut', async () => {
    expect(difference(await run(x, invertedResidual, /^bn3/), x)).toBe(0)
    const thin = (scope: Scope, value: Value) => invertedResidual(scope, value, { expansion: 1 })
    expect(difference(await run(x, thin, /^bn2/), x)).toBe(0)
  })

  it.each([{ outputs: 16 }, { stride: 2 }])('adds nothing where shapes differ: %o', async (options) => {
    const { data } = await run(x, (scope, value) => invertedResidual(scope, value, options), /^bn3/)
    expect(data.every((value) => Number(value) === 0)).toBe(true)
  })
})

describe('the shuffle unit of ShuffleNet V1', () => {
  it('passes on the mean of 3x3 windows at stride 2, zeros outside counted', async () => {
    const x = noise([1, 12, 4, 4], 2)
    const y = await run(x, (scope, value) => shuffleUnitV1(scope, value, { groups: 3, outputs: 24 }))
    expect(y.shape).toEqual([1, 24, 2, 2])
    const [a, b, , , c, d] = plane(x, 5) as [number, number, number, number, number, number]
    expect(plane(y, 5)[0]).toBeCloseTo((a + b + c + d) / 9, 6)
  })

  it('lets every group see every other', async () => {
    const unit = (scope: Scope, value: Value) => shuffleUnitV1(scope, value, { groups: 3 })
    const x = noise([1, 144, 4, 4], 3)
    const changed = floats(
      Array.from(x.data, (value, i) => (i < 48 * 16 ? -value : value)),
      x.shape,
    )
    const [before, after] = [await run(x, unit), await run(changed, unit)]
    // The first group changed; each group of the result answers.
    for (const group of [0, 1, 2]) {
      const channels = Array.from({ length: 48 }, (_, i) => 48 * group + i)
      expect(channels.some((at) => plane(before, at).join() !== plane(after, at).join())).toBe(true)
    }
  })

  it('refuses channels that do not divide into groups', () => {
    const x = noise([1, 12, 4, 4], 2)
    const unit = (groups: number, outputs?: number) => () =>
      build(x, (scope, value) =>
        shuffleUnitV1(scope, value, { groups, ...(outputs !== undefined && { outputs }) }),
      )
    expect(unit(2)).toThrow(GraphError)
    expect(unit(3, 8)).toThrow('multiples of the groups')
  })
})

describe('the shuffle unit of ShuffleNet V2', () => {
  it('passes half of its channels on untouched, as every other one', async () => {
    const x = noise([1, 8, 4, 4], 4)
    const y = await run(x, (scope, value) => shuffleUnitV2(scope, value))
    for (const channel of [0, 1, 2, 3]) expect(plane(y, 2 * channel)).toEqual(plane(x, channel))
  })

  it('halves the picture and doubles the channels', async () => {
    const y = await run(noise([1, 8, 6, 4], 4), (scope, x) => shuffleUnitV2(scope, x, { outputs: 16 }))
    expect(y.shape).toEqual([1, 16, 3, 2])
  })

  it('refuses an odd number of channels', () => {
    expect(() => build(noise([1, 7, 4, 4], 4), (scope, x) => shuffleUnitV2(scope, x))).toThrow(GraphError)
  })
})

describe('dilated inception', () => {
  it('looks as far as its rates, branch by branch', async () => {
    const point = floats(
      Array.from({ length: 17 * 17 }, (_, i) => (i === 8 * 17 + 8 ? 1 : 0)),
      [1, 1, 17, 17],
    )
    const block = (scope: Scope, x: Value) => dilatedInception(scope, x, 32)
    const y = await run(point, block)
    ;[1, 2, 4, 8].forEach((rate, branch) => {
      // Eight channels a branch: some sees a pixel at each place, whatever the sign of its weights.
      const seen = new Set<number>()
      for (let i = 0; i < 8; i++) {
        plane(y, 8 * branch + i).forEach((value, at) => {
          if (value !== 0) seen.add(at)
        })
      }
      for (const at of seen) {
        const distance = [Math.floor(at / 17) - 8, (at % 17) - 8].map(Math.abs)
        expect(distance.every((d) => d === 0 || d === rate)).toBe(true)
      }
      expect(seen.size).toBeGreaterThan(4)
    })
  })

  it('refuses outputs that do not divide into branches', () => {
    const block = (scope: Scope, x: Value) => dilatedInception(scope, x, 30)
    expect(() => build(noise([1, 4, 4, 4], 1), block)).toThrow(GraphError)
  })
})

describe('gates', () => {
  const x = noise([2, 8, 5, 5], 6)

  it('stand half open without weights: squeeze-and-excitation halves', async () => {
    const y = await run(x, (scope, value) => squeezeExcitation(scope, value, 2), /^fc2/)
    expect(difference(y, scaled(x, 0.5))).toBeLessThan(1e-6)
  })

  it('stand half open without weights: dual attention adds a quarter', async () => {
    const y = await run(x, dualAttention, /^(channel\.fc2|spatial)\./)
    expect(difference(y, scaled(x, 1.25))).toBeLessThan(1e-6)
  })
})
