// Samples and means of pixels are written for each processor, and stay what they are.
import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { add, gridSample, input, mul, reduceMean, reshape } from '../../src/graph/ops/index.ts'
import { boxFilter } from '../../src/layers/fomm.ts'
import type { RewriteOptions } from '../../src/model/open-model.ts'
import { sparseDeformations } from '../../src/motion/dense-motion.ts'
import { noise } from '../zoo/build.ts'
import { compare, opsOf } from './compare.ts'

describe('samples', () => {
  type Target = NonNullable<RewriteOptions['target']>
  const sampled = (channels: number, [tall, wide]: readonly [number, number], target: Target) => {
    const graph = new Graph()
    const x = input(graph, 'x', 'float32', [2, channels, 6, 5])
    const grid = input(graph, 'grid', 'float32', [2, tall, wide, 2])
    // Points inside and outside.
    const points = add(mul(grid, 3), -1.5)
    graph.output('y', gridSample(x, points, { alignCorners: channels % 2 === 0 }))
    const feeds = { x: noise([2, channels, 6, 5], 1), grid: noise([2, tall, wide, 2], 2) }
    return compare(graph, new Map(), feeds, { target })
  }

  it.each([
    [1, [5, 9], 'native'],
    [2, [6, 5], 'native'],
    [3, [6, 5], 'native'],
    [19, [6, 6], 'native'],
    [3, [5, 6], 'wasm'],
    [16, [7, 5], 'wasm'],
  ] as const)('of %i channels, %o of them, are read by shifts: %s', async (channels, size, target) => {
    const ops = opsOf(await sampled(channels, size, target))
    expect(ops).not.toContain('gridSample')
    expect(ops).toContain('sampleShifted')
  })

  it('of which there are fewer than pixels, and on GPUs, are left to GridSample', async () => {
    for (const [size, target] of [
      [[4, 9], 'native'],
      [[5, 5], 'wasm'],
      [[6, 6], 'gpu'],
    ] as const) {
      expect(opsOf(await sampled(16, size, target)), target).toContain('gridSample')
    }
  })

  it('of one image by several motions are samples of several images', async () => {
    const graph = new Graph()
    const x = input(graph, 'x', 'float32', [2, 3, 6, 7])
    const motions = input(graph, 'motions', 'float32', [2, 5, 3, 2])
    graph.output('y', sparseDeformations(x, motions, false))
    const feeds = { x: noise([2, 3, 6, 7], 1), motions: noise([2, 5, 3, 2], 2) }
    const rewritten = await compare(graph, new Map(), feeds, { target: 'native' })
    const sample = [...rewritten.graph.outputs.values()].flatMap(({ node }) => node.inputs)[0]!.node
    expect(sample.op.name).toBe('sampleShifted')
    expect(sample.inputs[0]!.shape).toEqual([10, 3, 6, 7])
  })
})

describe('means of squares of pixels', () => {
  const filtered = (scale: number, size: number) => {
    const graph = new Graph()
    const x = input(graph, 'x', 'float32', [2, 3, size, size + 8])
    graph.output('y', boxFilter(x, scale))
    return compare(graph, new Map(), { x: noise([2, 3, size, size + 8], 1) })
  }

  it('of 2x2 are a resizing to half the size', async () => {
    expect(opsOf(await filtered(1 / 2, 16))).toEqual(['input', 'resize'])
  })

  it('of 4x4 stay, as do means of other numbers in pairs', async () => {
    expect(opsOf(await filtered(1 / 4, 16))).toContain('reduceMean')
    const graph = new Graph()
    const x = input(graph, 'x', 'float32', [2, 3, 8, 8])
    // The halves of each axis, and not its pairs.
    graph.output('y', reduceMean(reshape(x, [2, 3, 2, 4, 2, 4]), [3, 5]))
    graph.output('z', reduceMean(reshape(x, [2, 3, 4, 2, 4, 2]), [2, 4]))
    const rewritten = await compare(graph, new Map(), { x: noise([2, 3, 8, 8], 1) })
    expect(opsOf(rewritten)).not.toContain('resize')
  })
})
