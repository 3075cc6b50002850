import { describe, expect, it } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { add, concat, conv, input, mul, parameter, relu, resize, split } from '../../src/graph/ops/index.ts'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { liveNodes } from '../../src/graph/rewrite.ts'
import type { Shape } from '../../src/graph/tensor.ts'
import { batchNorm2d, conv2d, depthwise } from '../../src/layers/conv2d.ts'
import { antiAlias } from '../../src/layers/fomm.ts'
import { ssNbt } from '../../src/layers/lednet.ts'
import { mobileOne, repVgg } from '../../src/layers/mobilenet.ts'
import { Scope } from '../../src/layers/scope.ts'
import { channelShuffle } from '../../src/layers/shufflenet.ts'
import { type RewriteOptions, rewriteExactly } from '../../src/model/open-model.ts'
import { type MotionConfig, publishedConfig, smallConfig } from '../../src/motion/config.ts'
import { detectorGraph, generatorGraph } from '../../src/motion/model.ts'
import { precompute } from '../../src/optimise/rewrite-with.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { Random } from '../../src/util/random.ts'
import { noise, openWeights } from '../zoo/build.ts'
import { compare, opsOf, worst } from './compare.ts'

/** A rewritten graph computes what it computed before. */

const reduced: MotionConfig = {
  ...publishedConfig,
  size: 128,
  detector: {
    ...publishedConfig.detector,
    hourglass: { blockExpansion: 8, maxFeatures: 32, blocks: 3 },
  },
  denseMotion: { ...publishedConfig.denseMotion, blockExpansion: 8, maxFeatures: 32, blocks: 3 },
  generator: { ...publishedConfig.generator, blockExpansion: 8, maxFeatures: 32, bottleneckBlocks: 2 },
}

describe('the published detector', () => {
  const graph = detectorGraph(reduced)

  it('computes the same keypoints and jacobians, by other ops', async () => {
    const rewritten = await compare(graph, openWeights(graph), { frame: noise([1, 3, 128, 128], 1) })
    const ops = opsOf(rewritten)
    expect(ops).not.toContain('normalise')
    expect(ops).not.toContain('sqrt')
    // Features are pooled under the heatmaps, by products.
    expect(ops).not.toContain('reduceSum')
    // One map is left that is doubled as it was: 4x4 to 8x8 has sixteen pixels, so none.
    expect(ops.filter((op) => op === 'resize')).toHaveLength(0)
    expect(parametersOf(rewritten.graph).map(({ name }) => name)).not.toContain('kp_detector.down.weight')
    expect([...rewritten.weights.keys()].some((name) => name.includes('running'))).toBe(false)
  })

  it('keeps a filter that is no product of a column and a row', async () => {
    const weights = openWeights(graph)
    const name = 'kp_detector.down.weight'
    weights.set(name, noise(weights.get(name)!.shape, 4))
    const rewritten = await compare(graph, weights, { frame: noise([1, 3, 128, 128], 1) })
    expect(parametersOf(rewritten.graph).map((info) => info.name)).toContain(name)
  })
})

it.each(['lednet', 'enet', 'erfnet', 'edanet', 'lrdnet', 'laednet-s', 'ficelle'])(
  'a light detector on %s',
  async (net) => {
    const graph = detectorGraph(smallConfig({ net }))
    const rewritten = await compare(graph, openWeights(graph), { frame: noise([1, 3, 64, 64], 1) })
    expect(opsOf(rewritten).length).toBeLessThan(liveNodes(graph).length)
  },
)

it('a generator', async () => {
  const graph = generatorGraph(reduced)
  const points = { valueSource: noise([1, 10, 2], 2), valueDriving: noise([1, 10, 2], 3) }
  const jacobians = { jacobianSource: noise([1, 10, 2, 2], 4), jacobianDriving: noise([1, 10, 2, 2], 5) }
  await compare(graph, openWeights(graph), { source: noise([1, 3, 128, 128], 1), ...points, ...jacobians })
})

const doubled = (x: Value) => resize(x, [2 * x.shape[2]!, 2 * x.shape[3]!], 'nearest')

it.each([
  ['native', 2],
  ['wasm', 1],
] as const)('a wide kernel on many maps joined to few, for %s', async (target, convolutions) => {
  const graph = new Graph()
  const [many, few] = [
    input(graph, 'many', 'float32', [1, 32, 9, 9]),
    input(graph, 'few', 'float32', [1, 3, 9, 9]),
  ]
  const kernel = parameter(graph, 'k', [10, 35, 7, 7], { kind: 'uniform', amount: 0.1 }, 'weight')
  const bias = parameter(graph, 'b', [10], { kind: 'uniform', amount: 1 }, 'weight')
  graph.output('y', conv(concat([many, few], 1), kernel, bias))
  const weights = initialise(parametersOf(graph), new Random(1))
  const feeds = { many: noise(many.shape, 2), few: noise(few.shape, 3) }
  const rewritten = await compare(graph, weights, feeds, { target })
  expect(opsOf(rewritten).filter((op) => op === 'conv')).toHaveLength(convolutions)
})

describe('a convolution of a doubled map', () => {
  const kernel = (graph: Graph, [o, c, h, w]: readonly [number, number, number, number]) =>
    parameter(graph, 'k', [o, c, h, w], { kind: 'uniform', amount: 1 / Math.sqrt(c * h * w) }, 'weight')
  const pads = [1, 1, 1, 1] as const
  // Few channels become sub-pixels, many a product.
  const kinds = [
    ['sub-pixels', 3],
    ['a product', 128],
  ] as const
  type Change = (x: Value, graph: Graph, channels: number) => Value
  const changes: [string, boolean, Change][] = [
    ['3x3', true, (x, g, c) => conv(doubled(x), kernel(g, [5, c, 3, 3]), undefined, { pads })],
    [
      '3x3 with bias',
      true,
      (x, g, c) => {
        const bias = parameter(g, 'b', [5], { kind: 'uniform', amount: 1 }, 'weight')
        return conv(doubled(x), kernel(g, [5, c, 3, 3]), bias, { pads })
      },
    ],
    ['3x3 and ReLU', true, (x, g, c) => relu(conv(doubled(x), kernel(g, [5, c, 3, 3]), undefined, { pads }))],
    ['another padding', false, (x, g, c) => conv(doubled(x), kernel(g, [5, c, 3, 3]), undefined)],
    [
      'a stride',
      false,
      (x, g, c) => conv(doubled(x), kernel(g, [5, c, 3, 3]), undefined, { pads, strides: [2, 2] }),
    ],
    ['5x5', false, (x, g, c) => conv(doubled(x), kernel(g, [5, c, 5, 5]), undefined, { pads: [2, 2, 2, 2] })],
  ]
  const cases = kinds.flatMap(([kind, channels]) =>
    changes.map(([name, rewritten, change]) => [kind, name, rewritten, channels, change] as const),
  )
  it.each(cases)('as %s: %s, %s', async (kind, _, rewritten, channels, change) => {
    const graph = new Graph()
    graph.output('y', change(input(graph, 'x', 'float32', [2, channels, 7, 10]), graph, channels))
    const result = await compare(graph, initialise(parametersOf(graph), new Random(1)), {
      x: noise([2, channels, 7, 10], 2),
    })
    expect(opsOf(result).includes('resize')).toBe(!rewritten)
    expect(opsOf(result).includes('matmul')).toBe(rewritten && kind === 'a product')
  })
})

describe('wide convolutions of small maps', () => {
  const wide = (x: Value, bias: boolean) =>
    conv(
      x,
      parameter(x.graph, 'k', [128, x.shape[1]!, 3, 3], { kind: 'uniform', amount: 0.1 }, 'weight'),
      bias ? parameter(x.graph, 'b', [128], { kind: 'uniform', amount: 1 }, 'weight') : undefined,
      { pads: [1, 1, 1, 1] },
    )
  it.each<[string, boolean, Shape, (x: Value) => Value]>([
    ['of 4x4', true, [1, 256, 4, 4], (x) => wide(x, true)],
    ['of 2x3', true, [1, 256, 2, 3], (x) => wide(x, false)],
    ['doubled from 2x2', true, [1, 256, 2, 2], (x) => relu(wide(doubled(x), true))],
    ['doubled from 4x3', true, [1, 256, 4, 3], (x) => wide(doubled(x), false)],
    ['of 5x4', false, [1, 256, 5, 4], (x) => wide(x, true)],
    ['two at a time', false, [2, 256, 4, 4], (x) => wide(x, true)],
    ['of few channels', false, [1, 64, 4, 4], (x) => wide(x, true)],
  ])('%s become products: %s', async (_, rewritten, shape, change) => {
    const graph = new Graph()
    graph.output('y', change(input(graph, 'x', 'float32', shape)))
    const result = await compare(graph, initialise(parametersOf(graph), new Random(1)), {
      x: noise(shape, 2),
    })
    expect(opsOf(result).includes('matmul')).toBe(rewritten)
    expect(opsOf(result).includes('conv')).toBe(!rewritten)
  })
})

it('makes one product of convolutions, sizes and sums of small maps', async () => {
  const graph = new Graph()
  const x = input(graph, 'x', 'float32', [1, 2, 4, 4])
  const weights = (name: string, shape: Shape) =>
    parameter(graph, name, shape, { kind: 'uniform', amount: 1 }, 'weight')
  const down = (name: string, from: Value) =>
    conv(from, weights(name, [2, 2, 3, 3]), weights(`${name}.b`, [2]), {
      strides: [2, 2],
      pads: [1, 1, 1, 1],
    })
  const half = relu(down('a', x))
  const quarter = resize(relu(down('b', half)), [2, 2], 'bilinear-corners')
  const joined = resize(add(half, quarter), [4, 4], 'bilinear-corners')
  graph.output('y', mul(x, joined))
  const rewritten = await compare(graph, initialise(parametersOf(graph), new Random(1)), {
    x: noise(x.shape, 1),
  })
  expect(opsOf(rewritten)).not.toContain('conv')
  expect(opsOf(rewritten)).not.toContain('resize')
  expect(opsOf(rewritten).filter((op) => op === 'matmul')).toHaveLength(3)
})

it('leaves a sum of small maps as it is', async () => {
  const graph = new Graph()
  const x = input(graph, 'x', 'float32', [1, 2, 4, 4])
  graph.output('y', add(relu(x), x))
  const rewritten = await compare(graph, new Map(), { x: noise(x.shape, 1) })
  expect(opsOf(rewritten)).toEqual(['input', 'relu', 'add'])
})

describe('the halves of split-shuffle blocks', () => {
  const blocks = (shape: Shape, dilations: readonly number[]) => {
    const graph = new Graph()
    const scope = Scope.root(graph, { training: false })
    let value = input(graph, 'x', 'float32', shape)
    dilations.forEach((dilation, i) => {
      value = ssNbt(scope.child(i), value, { dilation })
    })
    graph.output('y', value)
    return graph
  }

  // Eight blocks take each channel from one side to the other and back.
  it.each<[string, boolean, Shape, readonly number[]]>([
    ['eight blocks of 128 channels', true, [1, 128, 8, 8], [1, 2, 5, 3, 2, 5, 4, 1]],
    ['two blocks of 64 channels', true, [1, 64, 16, 16], [1, 1]],
    ['larger maps', false, [1, 32, 32, 32], [1]],
    ['two pictures', false, [2, 32, 8, 8], [1]],
    ['maps that are not square', false, [1, 32, 8, 16], [1]],
    ['few channels', false, [1, 16, 8, 8], [1]],
  ])('%s are joined: %s', async (_, joined, shape, dilations) => {
    const graph = blocks(shape, dilations)
    const rewritten = await compare(graph, openWeights(graph), { x: noise(shape, 1) })
    const ops = opsOf(rewritten)
    expect(ops.filter((op) => op === 'conv')).toHaveLength((joined ? 4 : 8) * dilations.length)
    expect(ops.includes('split')).toBe(!joined)
  })

  it('stay apart where columns and rows are not exchanged', async () => {
    const graph = new Graph()
    const x = input(graph, 'x', 'float32', [1, 32, 4, 4])
    const weights = (name: string, shape: Shape) =>
      parameter(graph, name, shape, { kind: 'uniform', amount: 1 }, 'weight')
    const column = (name: string, from: Value) =>
      conv(from, weights(name, [16, 16, 3, 1]), weights(`${name}.b`, [16]), { pads: [1, 0, 1, 0] })
    const [left, right] = split(x, 1, [16, 16]) as [Value, Value]
    graph.output('y', channelShuffle(relu(add(x, concat([column('a', left), column('b', right)], 1))), 2))
    const rewritten = await compare(graph, initialise(parametersOf(graph), new Random(1)), {
      x: noise(x.shape, 1),
    })
    expect(opsOf(rewritten).filter((op) => op === 'conv')).toHaveLength(2)
  })
})

describe('parallel branches', () => {
  const build = (shape: Shape, block: (scope: Scope, x: Value) => Value) => {
    const graph = new Graph()
    graph.output('y', block(Scope.root(graph, { training: false }), input(graph, 'x', 'float32', shape)))
    return graph
  }

  it.each<[string, number, (scope: Scope, x: Value) => Value]>([
    ['a RepVGG block', 1, (scope, x) => repVgg(scope, x)],
    ['one of stride 2', 1, (scope, x) => repVgg(scope, x, { outputs: 24, stride: 2 })],
    ['one that is dilated', 1, (scope, x) => repVgg(scope, x, { dilation: 3 })],
    ['both halves of a MobileOne block', 2, (scope, x) => mobileOne(scope, x, { dilation: 2 })],
    ['a convolution and its input', 1, (scope, x) => add(x, conv2d(scope, x, 16, { kernel: 5 }))],
    [
      'groups and their input',
      1,
      (scope, x) => add(conv2d(scope, x, 16, { kernel: 3, groups: 4, bias: false }), x),
    ],
    [
      'a column and a square',
      1,
      (scope, x) =>
        add(
          conv2d(scope.child('a'), x, 16, { kernel: [3, 1] }),
          conv2d(scope.child('b'), x, 16, { kernel: 3 }),
        ),
    ],
  ])('of %s are %d convolutions', async (_, count, block) => {
    const graph = build([2, 16, 11, 14], block)
    const rewritten = await compare(graph, openWeights(graph), { x: noise([2, 16, 11, 14], 1) })
    const ops = opsOf(rewritten)
    expect(ops.filter((op) => op === 'conv')).toHaveLength(count)
    expect(ops.filter((op) => op === 'add' || op === 'normalise')).toEqual([])
  })

  const parts = (scope: Scope, x: Value) =>
    [conv2d(scope.child('a'), x, 16, { kernel: 3 }), conv2d(scope.child('b'), x, 16, { kernel: 1 })] as const
  it.each<[string, (scope: Scope, x: Value) => Value]>([
    [
      'of another stride',
      (scope, x) =>
        add(
          conv2d(scope.child('a'), x, 16, { kernel: 3 }),
          conv2d(scope.child('b'), x, 16, { kernel: 2, stride: 2, padding: [5, 6] }),
        ),
    ],
    [
      'of taps that fall between',
      (scope, x) =>
        add(
          conv2d(scope.child('a'), x, 16, { kernel: 3, dilation: 2 }),
          conv2d(scope.child('b'), x, 16, { kernel: 3 }),
        ),
    ],
    [
      'of another map',
      (scope, x) => {
        const [a] = parts(scope, x)
        return add(a, conv2d(scope.child('b'), relu(x), 16, { kernel: 1 }))
      },
    ],
    [
      'that something else reads',
      (scope, x) => {
        const [a, b] = parts(scope, x)
        return concat([add(a, b), relu(a), relu(b)], 1)
      },
    ],
    [
      'of other groups',
      (scope, x) =>
        add(conv2d(scope.child('a'), x, 16, { kernel: 3 }), depthwise(scope.child('b'), x, { kernel: 1 })),
    ],
  ])('%s stay apart', async (_, block) => {
    const graph = build([1, 16, 10, 12], block)
    const rewritten = await compare(graph, openWeights(graph), { x: noise([1, 16, 10, 12], 1) })
    const ops = opsOf(rewritten)
    expect(ops.filter((op) => op === 'conv')).toHaveLength(2)
    expect(ops).toContain('add')
  })

  it('differ where a weight of one does', async () => {
    const graph = build([1, 16, 8, 8], (scope, x) => repVgg(scope, x))
    const weights = openWeights(graph)
    const feeds = { x: noise([1, 16, 8, 8], 1) }
    const before = await evaluate(graph, feeds, weights)
    const name = 'rbr_1x1.conv.weight'
    weights.set(name, noise(weights.get(name)!.shape, 7))
    const { graph: joined, weights: kept } = await rewriteExactly({ graph, weights })
    const after = await evaluate(joined, feeds, kept)
    expect(worst(before.y!.data as Float32Array, after.y!.data as Float32Array)).toBeGreaterThan(1e-2)
  })
})

describe('convolutions of one map', () => {
  const build = (block: (scope: Scope, x: Value) => readonly Value[]) => {
    const graph = new Graph()
    const made = block(Scope.root(graph, { training: false }), input(graph, 'x', 'float32', [2, 16, 9, 12]))
    made.forEach((value, i) => {
      graph.output(`y${i}`, value)
    })
    return graph
  }
  const few = (scope: Scope, name: string, x: Value, outputs: number, options = {}) =>
    conv2d(scope.child(name), x, outputs, { kernel: 3, ...options })
  const convsOf = async (block: (scope: Scope, x: Value) => readonly Value[], options?: RewriteOptions) => {
    const graph = build(block)
    const rewritten = await compare(graph, openWeights(graph), { x: noise([2, 16, 9, 12], 1) }, options)
    return opsOf(rewritten).filter((op) => op === 'conv').length
  }

  it.each(['native', 'wasm'] as const)('are one, where each has few results: %s', async (target) => {
    const count = await convsOf(
      (scope, x) => [few(scope, 'a', x, 5), relu(few(scope, 'b', x, 1)), few(scope, 'c', x, 2)],
      { target },
    )
    expect(count).toBe(1)
  })

  it('are one with their norms', async () => {
    const count = await convsOf((scope, x) => [
      scope.within('n', (inner) => batchNorm2d(inner, few(scope, 'a', x, 5))),
      few(scope, 'b', x, 3),
    ])
    expect(count).toBe(1)
  })

  it.each<[string, (scope: Scope, x: Value) => readonly Value[]]>([
    ['of whole blocks of channels', (scope, x) => [few(scope, 'a', x, 16), few(scope, 'b', x, 32)]],
    ['of another kernel', (scope, x) => [few(scope, 'a', x, 4), few(scope, 'b', x, 4, { kernel: 5 })]],
    ['of another dilation', (scope, x) => [few(scope, 'a', x, 4), few(scope, 'b', x, 4, { dilation: 2 })]],
    ['of another map', (scope, x) => [few(scope, 'a', x, 4), few(scope, 'b', relu(x), 4)]],
    ['without a bias', (scope, x) => [few(scope, 'a', x, 4), few(scope, 'b', x, 4, { bias: false })]],
    ['in groups', (scope, x) => [few(scope, 'a', x, 4), few(scope, 'b', x, 4, { groups: 2 })]],
  ])('stay apart: %s', async (_, block) => {
    expect(await convsOf(block)).toBe(2)
  })
})

it('precomputes nothing that an input decides', async () => {
  const graph = new Graph()
  const x = input(graph, 'x', 'float32', [2])
  const a = parameter(graph, 'a', [2], { kind: 'fill', value: 3 }, 'weight')
  graph.output('y', mul(x, mul(a, a)))
  graph.output('z', mul(a, 2))
  const weights = initialise(parametersOf(graph), new Random(1))
  const done = await precompute({ graph, weights }, (part, given) => evaluate(part, {}, given))
  expect(Array.from(done.weights, ([name, { data }]) => [name, [...data]])).toEqual([
    ['folded.0', [9, 9]],
    ['folded.1', [6, 6]],
  ])
  expect(opsOf(done)).toEqual(['input', 'parameter', 'mul', 'parameter'])
})

it('a filter scaled down by three', async () => {
  const graph = new Graph()
  const x = input(graph, 'x', 'float32', [1, 3, 33, 45])
  graph.output('y', antiAlias(Scope.root(graph, { training: false }), x, 1 / 3))
  const rewritten = await compare(graph, initialise(parametersOf(graph), new Random(1)), {
    x: noise(x.shape, 1),
  })
  expect(opsOf(rewritten)).not.toContain('conv')
})
