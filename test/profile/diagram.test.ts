import { describe, expect, it } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { add, conv, input, maxPool, parameter, reduceMean, resize } from '../../src/graph/ops/index.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { detectorGraph } from '../../src/motion/model.ts'
import { type Diagram, diagram } from '../../src/profile/diagram.ts'
import { profile } from '../../src/profile/profile.ts'
import { netNames, networkGraph } from '../../src/zoo/registry.ts'

const network = (net: string) => networkGraph(net, { outputs: 10 }).graph
const detector = (net: string) => detectorGraph(smallConfig({ net }))

const arcs = ({ edges }: Diagram) => edges.filter(({ from, to }) => to > from + 1)
const shapes = ({ stages }: Diagram) => stages.map(({ shape }) => shape.join('x'))

describe.each(netNames)('the diagram of %s', (net) => {
  it.each([
    ['network', network],
    ['detector', detector],
  ])('as a %s holds all of its parameters and work, and leads forward', (_, build) => {
    const graph = build(net)
    const { stages, edges } = diagram(graph)
    const sum = (count: 'params' | 'macs') => stages.reduce((all, stage) => all + stage[count], 0)
    const counted = profile(graph)
    expect({ params: sum('params'), macs: sum('macs') }).toEqual({
      params: counted.params,
      macs: counted.macs,
    })
    expect(stages[0]).toMatchObject({ kind: 'input', shape: [3, 64, 64] })
    for (const { from, to } of edges) expect(from < to && to < stages.length).toBe(true)
    // Every stage is made of something and is used.
    for (let i = 1; i < stages.length; i++) expect(edges.some(({ to }) => to === i)).toBe(true)
    for (let i = 0; i < stages.length - 1; i++) expect(edges.some(({ from }) => from === i)).toBe(true)
    // Otherwise it is no picture of stages but of layers.
    expect(stages.length).toBeLessThan(20)
  })
})

it('has the hourglass in pairs of stages, each pair joined by an arc', () => {
  const found = diagram(network('hourglass'))
  expect(shapes(found).slice(0, 7)).toEqual([
    '3x64x64',
    '64x64x64',
    '128x32x32',
    '256x16x16',
    '512x8x8',
    '1024x4x4',
    '1024x2x2',
  ])
  expect(arcs(found).map(({ from, to }) => from + to)).toEqual([12, 12, 12, 12, 12])
  expect(found.stages[5]!.modules).toEqual(['encoder.down_blocks.4'])
})

it("draws LEDNet's pyramid once down and once up", () => {
  expect(shapes(diagram(network('lednet'))).slice(3)).toEqual([
    '128x8x8',
    '1x4x4',
    '1x2x2',
    '1x1x1',
    '1x2x2',
    '1x4x4',
    '10x8x8',
    '10x64x64',
  ])
})

it('ends a detector in what is read from its maps', () => {
  const { stages, edges } = diagram(detector('lednet'))
  expect(stages.at(-1)).toMatchObject({ kind: 'readout', results: { value: [10, 2], jacobian: [10, 2, 2] } })
  expect(edges.at(-1)).toMatchObject({ to: stages.length - 1 })
  const parts = stages.map(({ part }) => part)
  expect(parts[0]).toBe(undefined)
  expect(parts.slice(1).filter((part, i) => part !== parts[i])).toEqual(['backbone', 'head'])
})

it('tells pooling indices from maps, and joins stages of one resolution by them', () => {
  const { stages, edges } = diagram(network('enet-original'))
  const indexed = edges.filter(({ kind }) => kind === 'pooling indices')
  const size = (stage: number) => stages[stage]!.shape[1]
  expect(indexed.map(({ from, to }) => [size(from), size(to)])).toEqual([
    [32, 32],
    [16, 16],
  ])
})

it('joins a pool or a resize with the module that follows, and a global mean with the one it is made for', () => {
  const graph = new Graph()
  const weight = (name: string, shape: readonly number[]) =>
    parameter(graph, name, shape, { kind: 'fill', value: 0 }, 'weight')
  const same = (name: string, value: Value, to: number) =>
    conv(value, weight(name, [to, value.shape[1]!, 3, 3]), undefined, { pads: [1, 1, 1, 1] })
  const x = input(graph, 'x', 'float32', [1, 3, 16, 16])
  const first = graph.within('first', () => same('first', x, 8))
  const pooled = maxPool(first, [2, 2]).value
  const deep = graph.within('deep', () => {
    const value = same('deep', pooled, 4)
    const mean = conv(reduceMean(value, [2, 3], { keep: true }), weight('mean', [4, 4, 1, 1]), undefined)
    return add(value, mean)
  })
  const up = resize(deep, [16, 16], 'nearest')
  graph.output(
    'y',
    graph.within('last', () => same('last', up, 8)),
  )
  const { stages, edges } = diagram(graph)
  expect(stages.map(({ shape, modules }) => `${modules.join()} ${shape.join('x')}`)).toEqual([
    ' 3x16x16',
    'first 8x16x16',
    'deep 4x8x8',
    'last 8x16x16',
  ])
  expect(stages[2]!.params).toBe(4 * 8 * 9 + 4 * 4)
  expect(edges.map(({ from, to, kind }) => `${from} ${to} ${kind}`)).toEqual([
    '0 1 maps',
    '1 2 maps',
    '2 3 maps',
  ])
})
