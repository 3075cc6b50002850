import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { conv } from '../../src/graph/ops/conv.ts'
import { input, pad } from '../../src/graph/ops/index.ts'
import { constant, initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { floats, sizeOf } from '../../src/graph/tensor.ts'
import { antiAlias, antiAliasKernel, boxFilter } from '../../src/layers/fomm.ts'
import { Scope } from '../../src/layers/scope.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'

const picture = (shape: readonly number[]) =>
  floats(
    Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * i)),
    shape,
  )

describe('the anti-alias kernel', () => {
  it('has the published sizes, halves rounded to even', () => {
    // sigma 0.5, 1, 1.5; 4 sigma = 2, 4, 6.
    expect([1 / 2, 1 / 3, 1 / 4].map((scale) => antiAliasKernel(scale).shape[0])).toEqual([5, 9, 13])
    // sigma 0.125: 4 sigma is 0.5, which Python rounds to 0; sigma 0.375: 1.5 goes to 2.
    expect([0.8, 4 / 7].map((scale) => antiAliasKernel(scale).shape[0])).toEqual([1, 5])
  })

  it('is the Gaussian of sigma (1 / scale - 1) / 2, of sum 1', () => {
    const { data } = antiAliasKernel(1 / 2)
    // Along one axis exp(-2 d²) for d = -2 .. 2.
    const line = [Math.exp(-8), Math.exp(-2), 1, Math.exp(-2), Math.exp(-8)]
    const sum = line.reduce((a, b) => a + b)
    expect(data[12]).toBeCloseTo(1 / sum ** 2, 6)
    expect(data[13]).toBeCloseTo(Math.exp(-2) / sum ** 2, 6)
    expect(data.reduce((a, b) => a + b)).toBeCloseTo(1, 5)
  })
})

describe('antiAlias', () => {
  it('gives the same numbers as the whole filter and every 4th pixel of it', async () => {
    const graph = new Graph()
    const x = input(graph, 'x', 'float32', [1, 2, 16, 24])
    graph.output('strided', antiAlias(Scope.root(graph, { training: false }).child('down'), x, 0.25))
    const kernel = antiAliasKernel(0.25)
    const both = constant(graph, floats([...kernel.data, ...kernel.data], [2, 1, 13, 13]))
    graph.output('whole', conv(pad(x, [0, 0, 6, 6], [0, 0, 6, 6]), both, undefined, { group: 2 }))
    const feeds = { x: picture([1, 2, 16, 24]) }
    const { strided, whole } = await evaluate(graph, feeds, initialise(parametersOf(graph), new Random(0)))
    expect(strided!.shape).toEqual([1, 2, 4, 6])
    for (let i = 0; i < 48; i++) {
      const [c, y, column] = [Math.floor(i / 24), Math.floor(i / 6) % 4, i % 6]
      expect(strided!.data[i]).toBeCloseTo(Number(whole!.data[(c * 16 + 4 * y) * 24 + 4 * column]), 5)
    }
  })

  it('leaves a picture alone at scale 1 and refuses what is no scale', () => {
    const graph = new Graph()
    const scope = Scope.root(graph, { training: false })
    const x = input(graph, 'x', 'float32', [1, 3, 8, 8])
    expect(antiAlias(scope, x, 1)).toBe(x)
    expect(scope.parameters.size).toBe(0)
    for (const scale of [0, -1, 2, Number.NaN]) expect(() => antiAlias(scope, x, scale)).toThrow(InputError)
  })
})

describe('the box filter', () => {
  it('gives the mean of each square', async () => {
    const graph = new Graph()
    graph.output('y', boxFilter(input(graph, 'x', 'float32', [1, 1, 4, 8]), 0.25))
    const x = floats(
      Array.from({ length: 32 }, (_, i) => i),
      [1, 1, 4, 8],
    )
    // Rows begin at 0, 8, 16 and 24: a mean of 12, and 1.5 or 5.5 within a row.
    expect([...(await evaluate(graph, { x })).y!.data]).toEqual([13.5, 17.5])
  })

  it('refuses pictures that do not divide', () => {
    const x = input(new Graph(), 'x', 'float32', [1, 3, 64, 66])
    expect(() => boxFilter(x, 0.25)).toThrow(InputError)
  })
})
