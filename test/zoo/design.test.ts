import { describe, expect, it } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { input, parametersOf } from '../../src/graph/ops/leaf.ts'
import { liveNodes } from '../../src/graph/rewrite.ts'
import type { Tensor } from '../../src/graph/tensor.ts'
import type { Skip } from '../../src/layers/gates.ts'
import { Scope } from '../../src/layers/scope.ts'
import { rewriteExactly } from '../../src/model/open-model.ts'
import { motionConfigSchema, smallConfig } from '../../src/motion/config.ts'
import { detectorGraph } from '../../src/motion/model.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { InputError } from '../../src/util/errors.ts'
import { blockKinds, type Decoder, type Design, parseDesign, type Stem } from '../../src/zoo/design.ts'
import { designFeatures, ficelle, ficelleDesign } from '../../src/zoo/ficelle.ts'
import { examine, noise, notFinite, openWeights } from './build.ts'

/** Every choice of a design is built and trains, and what cannot be built is refused by name. */

const stage = { stride: 2, width: 16, block: 'rep-vgg', depth: 1, dilations: [] } as const
const small: Design = {
  stem: { kind: 'convolutions', widths: [16] },
  stages: [
    { ...stage, dilations: [] },
    { ...stage, width: 32, dilations: [] },
  ],
  decoder: { widths: [16], depth: 1, upsampling: 'nearest', skips: 'sum' },
}

const withDecoder = (decoder: Partial<Decoder>): Design => ({
  ...small,
  decoder: { ...small.decoder, ...decoder },
})

const stems: [string, Stem, number][] = [
  ['one convolution', { kind: 'convolutions', widths: [16] }, 2],
  ['two convolutions', { kind: 'convolutions', widths: [16, 32] }, 4],
  ['squares of 2, 1x1', { kind: 'space-to-depth', side: 2, kernel: 1, width: 16 }, 2],
  ['squares of 2, 3x3', { kind: 'space-to-depth', side: 2, kernel: 3, width: 16 }, 2],
  ['squares of 4, 3x3', { kind: 'space-to-depth', side: 4, kernel: 3, width: 16 }, 4],
]

const choices: [string, Design, number][] = [
  ...stems.map(([name, stem, stride]): [string, Design, number] => [
    `the stem of ${name}`,
    { ...small, stem },
    2 * stride,
  ]),
  ...blockKinds.map((block): [string, Design, number] => [
    `blocks of ${block}`,
    { ...small, stages: [{ ...stage, block, depth: 2, dilations: [] }, ...small.stages.slice(1)] },
    4,
  ]),
  ...(['none', 'sum', 'concat'] as const).flatMap((skips) =>
    (['nearest', 'sub-pixel'] as const).map((upsampling): [string, Design, number] => [
      `${upsampling} upsampling with skips ${skips}`,
      withDecoder({ skips, upsampling, depth: 2, widths: [16, 32] }),
      2,
    ]),
  ),
  ['no decoder', withDecoder({ widths: [], skips: 'none' }), 8],
  [
    'a stage that keeps the size',
    { ...small, stages: [{ ...stage, stride: 1, width: 32, dilations: [] }, ...small.stages] },
    4,
  ],
]

describe.each(choices)('%s', (_, design, stride) => {
  it('is built to its stride, finite, and trains every parameter', async () => {
    const { outputs, untrained } = await examine([2, 3, 32, 48], (scope, x) => ({
      y: designFeatures('ficelle', scope, x, design, 'none').deep.value,
    }))
    expect(outputs.y!.shape).toEqual([2, design.decoder.widths.at(-1) ?? 32, 32 / stride, 48 / stride])
    expect(notFinite(outputs)).toEqual([])
    expect(untrained).toEqual([])
  })
})

it('keeps to the dilations, one after the other', () => {
  const dilations = (given: number[]) => {
    const stages = [{ ...stage, depth: 3, dilations: given }, ...small.stages.slice(1)]
    const { graph } = features({ ...small, stages })
    const convs = liveNodes(graph).filter(
      ({ op, scope, inputs }) =>
        op.name === 'conv' && scope.startsWith('encoder.0/blocks') && inputs[1]!.shape[2] === 3,
    )
    return convs.map(({ attrs }) => (attrs.dilations as number[])[0])
  }
  expect(dilations([])).toEqual([1, 1, 1])
  expect(dilations([1, 2])).toEqual([1, 2, 1])
})

/** A kernel of squares computes what squares as channels and a kernel would. */
it('reads whole squares in the stem of squares', async () => {
  const design: Design = { ...small, stem: { kind: 'space-to-depth', side: 4, kernel: 1, width: 16 } }
  const graph = new Graph()
  const scope = Scope.root(graph, { training: false })
  const x = input(graph, 'x', 'float32', [1, 3, 32, 32])
  const { shallow } = designFeatures('ficelle', scope, x, withNoDecoder(design), 'none')
  graph.output('y', shallow[0]!.value)
  const picture = noise([1, 3, 32, 32], 1)
  const weights = openWeights(graph)
  const before = (await evaluate(graph, { x: picture }, weights)).y!
  const changed = picture.data.slice()
  // The square at row 1, column 2: its last pixel.
  changed[7 * 32 + 11]! += 1
  const after = (await evaluate(graph, { x: { ...picture, data: changed } }, weights)).y!
  const moved = new Set<number>()
  before.data.forEach((value, i) => {
    if (value !== after.data[i]) moved.add(i % 64)
  })
  expect([...moved]).toEqual([1 * 8 + 2])
})

const withNoDecoder = (design: Design): Design => ({
  ...design,
  decoder: { ...design.decoder, widths: [], skips: 'none' },
  stages: [{ ...stage, dilations: [] }],
})

function features(design: Design, skip: Skip = 'none'): { graph: Graph; names: string[] } {
  const graph = new Graph()
  const scope = Scope.root(graph, { training: false })
  const x: Value = input(graph, 'x', 'float32', [1, 3, 64, 64])
  graph.output('y', ficelle.features(scope, x, { channels: 32, skip, options: design }).deep.value)
  return { graph, names: [...scope.parameters.keys()] }
}

describe('a skip that is asked for', () => {
  it('joins at 1/4 where the design has none', () => {
    const { names } = features(withDecoder({ skips: 'none' }), 'gated')
    expect(names).toContain('decoder.0.skip.gate.weight')
  })

  it('changes nothing where the design has its own', () => {
    expect(features(small, 'gated').names).toEqual(features(small, 'none').names)
  })
})

describe('designs that are refused', () => {
  const [first, second] = small.stages as [Design['stages'][0], Design['stages'][0]]
  const refused: [string, unknown, string, string][] = [
    ['a width between blocks', withStage({ width: 24 }), 'design.stages.0.width', 'multiple of 16'],
    ['an unknown block', withStage({ block: 'vgg' }), 'design.stages.0.block', 'rep-vgg'],
    ['an unknown key', { ...small, head: 1 }, 'design', 'head'],
    ['no stages', { ...small, stages: [] }, 'design.stages', '1'],
    [
      'more dilations than blocks',
      withStage({ dilations: [1, 2] }),
      'design.stages.0.dilations',
      '2 dilations for 1 blocks',
    ],
    [
      'a dilation of a block that has none',
      withStage({ block: 'inverted-residual', dilations: [2] }),
      'design.stages.0.dilations',
      'inverted-residual has no dilation',
    ],
    [
      'a stage that changes nothing',
      { ...small, stages: [first, { ...second, stride: 1, width: 16, depth: 0 }] },
      'design.stages.1',
      'changes nothing',
    ],
    [
      'a coarsest map that is too coarse',
      { ...small, stages: [first, first, first, first, first] },
      'design.stages',
      'a stride of 64',
    ],
    [
      'a decoder that goes too far',
      withDecoder({ widths: [16, 16, 16] }),
      'design.decoder.widths',
      'from 8, 3 doublings end at a stride of 1; it must be one of 2, 4, 8',
    ],
    [
      'skips without a decoder',
      withDecoder({ widths: [] }),
      'design.decoder.skips',
      'no stride of which the encoder has a map',
    ],
  ]

  function withStage(change: object) {
    return { ...small, stages: [{ ...first, ...change }, second] }
  }

  it.each(refused)('%s', (_, design, where, message) => {
    expect(() => parseDesign(design)).toThrow(InputError)
    expect(() => parseDesign(design)).toThrow(`${where}: the design of the network is not usable`)
    expect(() => parseDesign(design)).toThrow(message)
  })

  it('also where one is built without being read', () => {
    expect(() => features(withDecoder({ widths: [16, 16, 16] }))).toThrow('a stride of 1')
    expect(() => smallConfig({ net: 'ficelle', design: withDecoder({ widths: [] }) })).toThrow(InputError)
  })
})

describe('the configuration', () => {
  it('holds the design, its own too', () => {
    expect(smallConfig({ net: 'ficelle' }).detector.design).toEqual(ficelleDesign)
    const config = smallConfig({ net: 'ficelle', design: small })
    expect(motionConfigSchema.parse(JSON.parse(JSON.stringify(config)))).toEqual(config)
    const names = parametersOf(detectorGraph(config)).map(({ name }) => name)
    expect(names).toContain('kp_detector.predictor.encoder.1.blocks.0.rbr_dense.conv.weight')
    expect(names.some((name) => name.includes('encoder.2'))).toBe(false)
  })

  it('asks for sizes that the design takes', () => {
    const deep = { ...small, stages: [...small.stages, ...small.stages] }
    const design: Design = { ...deep, decoder: { ...small.decoder, widths: [16, 16] } }
    expect(() => smallConfig({ net: 'ficelle', design, size: 48 })).toThrow('a multiple of 32')
  })

  it('refuses a design for other networks', () => {
    expect(() => smallConfig({ net: 'lednet', design: small })).toThrow('expected: ficelle')
    const config = smallConfig({ net: 'lednet' })
    const mixed = { ...config, detector: { ...config.detector, design: small } }
    expect(motionConfigSchema.safeParse(mixed).error?.issues[0]?.message).toBe(
      'lednet has no design of its own',
    )
  })
})

it('is plain convolutions and sums once it is rewritten', async () => {
  const { graph } = features(small)
  const weights: Map<string, Tensor> = openWeights(graph)
  const x = noise([1, 3, 64, 64], 1)
  const rewritten = await rewriteExactly({ graph, weights })
  const [before, after] = [
    await evaluate(graph, { x }, weights),
    await evaluate(rewritten.graph, { x }, rewritten.weights),
  ].map(({ y }) => Array.from(y!.data, Number))
  const errors = before!.map((value, i) => Math.abs(value - after![i]!))
  expect(Math.max(...errors) / Math.max(...before!.map(Math.abs))).toBeLessThan(1e-5)
  const ops = liveNodes(rewritten.graph).map(({ op }) => op.name)
  // The stem, two halvings with a block each, two 1x1 and a block of the decoder.
  expect(ops.filter((op) => op === 'conv')).toHaveLength(1 + 4 + 3)
  expect([...new Set(ops)].sort()).toEqual(['add', 'conv', 'input', 'parameter', 'relu', 'resize'])
})
