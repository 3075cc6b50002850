// Samples and means of pixels are written for each processor, and stay what they are.
import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { add, gridSample, input, mul, reduceMean, reshape } from '../../src/graph/ops/index.ts'
import { boxFilter } from '../../src/layers/fomm.ts'
import type { RewriteOptions } from '../../src/model/open-model.ts'
import { noise } from '../zoo/build.ts'
import { compare, opsOf } from './compare.ts'

describe('samples', () => {
  const sampled = (channels: number, target: NonNullable<RewriteOptions['target']>) => {
    const graph = new Graph()
    const x = input(graph, 'x', 'float32', [2, channels, 6, 5])
    const grid = input(graph, 'grid', 'float32', [2, 7, 4, 2])
    // Points inside and outside.
    const points = add(mul(grid, 3), -1.5)
    graph.output('y', gridSample(x, points, { alignCorners: channels % 2 === 0 }))
    const feeds = { x: noise([2, channels, 6, 5], 1), grid: noise([2, 7, 4, 2], 2) }
    return compare(graph, new Map(), feeds, { target })
  }

  it.each([
    [5, 'native'],
    [16, 'native'],
    [19, 'native'],
    [16, 'wasm'],
  ] as const)('of %i channels are read as rows: %s', async (channels, target) => {
    const ops = opsOf(await sampled(channels, target))
    expect(ops).not.toContain('gridSample')
    expect(ops).toContain('gatherRows')
  })

  it('of few channels, and on GPUs, are left to GridSample', async () => {
    expect(opsOf(await sampled(3, 'native'))).toContain('gridSample')
    expect(opsOf(await sampled(5, 'wasm'))).toContain('gridSample')
    expect(opsOf(await sampled(16, 'gpu'))).toContain('gridSample')
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
