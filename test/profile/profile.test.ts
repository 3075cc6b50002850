import { describe, expect, it } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import {
  conv,
  convTranspose,
  input,
  matmul,
  maxPool,
  reduceMean,
  relu,
  reshape,
  resize,
} from '../../src/graph/ops/index.ts'
import { parameter } from '../../src/graph/ops/leaf.ts'
import { liveNodes } from '../../src/graph/rewrite.ts'
import { maxUnpool } from '../../src/layers/upsampling.ts'
import { profile, profileDetector, profileNet } from '../../src/profile/profile.ts'
import { receptiveField } from '../../src/profile/receptive-field.ts'

const picture = (graph: Graph, size = 32) => input(graph, 'x', 'float32', [1, 3, size, size])
const kernel = (graph: Graph, name: string, shape: readonly number[]) =>
  parameter(graph, name, shape, { kind: 'fill', value: 0 }, 'weight')

function sees(build: (graph: Graph, x: Value) => Value): number {
  const graph = new Graph()
  graph.output('y', build(graph, picture(graph)))
  return receptiveField(liveNodes(graph), graph.outputs.values())
}

describe('the published counts of LEDNet', () => {
  it('at 64x64 with 10 outputs', () => {
    const { params, macs, outputStride, skips } = profileNet('lednet', { outputs: 10, input: [3, 64, 64] })
    expect(params).toBe(915_029)
    expect(Math.abs(macs / 87.42e6 - 1)).toBeLessThan(0.005)
    expect({ outputStride, skips }).toEqual({ outputStride: 8, skips: false })
  })

  it('at 1024x512 with 19 outputs', () => {
    const { params, macs } = profileNet('lednet', { outputs: 19, input: [3, 512, 1024] })
    expect(params).toBe(917_387)
    expect(Math.abs(macs / 11.199e9 - 1)).toBeLessThan(0.005)
  })
})

// Measured on the reference code, with 19 outputs on 3x512x1024.
it.each([
  ['enet', 360_422, 4.121],
  ['erfnet', 2_066_642, 26.604],
  ['edanet', 689_485, 8.833],
  ['esnet', 1_659_071, 24.054],
  ['lednet', 917_387, 11.199],
])('counts %s as its reference counts', (net, parameters, gigaMacs) => {
  const { params, macs } = profileNet(net, { outputs: 19, input: [3, 512, 1024] })
  expect(params).toBe(parameters)
  expect(Math.abs(macs / (gigaMacs * 1e9) - 1)).toBeLessThan(0.005)
})

it('counts the published hourglass', () => {
  const { params, macs, outputStride, skips } = profileNet('hourglass', { outputs: 10, input: [3, 64, 64] })
  // 14,129,568 without the 1x1 convolution from 35 channels to 10 outputs.
  expect(params).toBe(14_129_568 + 35 * 10 + 10)
  expect(Math.abs(macs / 988.5e6 - 1)).toBeLessThan(0.005)
  expect({ outputStride, skips }).toEqual({ outputStride: 32, skips: true })
})

it('counts a detector as a whole', () => {
  const { params, layers } = profileDetector('lednet', { keypoints: 10, size: 64 })
  expect(params).toBe(layers.reduce((sum, layer) => sum + layer.params, 0))
  expect(params).toBeGreaterThan(900_000)
})

it('counts products, results and parameters of known layers', () => {
  const graph = new Graph()
  const x = picture(graph, 8)
  const y = relu(conv(x, kernel(graph, 'a', [4, 3, 3, 3]), kernel(graph, 'b', [4]), { pads: [1, 1, 1, 1] }))
  const up = convTranspose(y, kernel(graph, 'c', [4, 2, 2, 2]), undefined, { strides: [2, 2] })
  const flat = reshape(up, [2, 256])
  graph.output('y', matmul(flat, kernel(graph, 'd', [256, 5])))
  const { params, macs, activationBytes, ops } = profile(graph)
  expect(params).toBe(4 * 27 + 4 + 4 * 2 * 4 + 256 * 5)
  expect(macs).toBe(4 * 64 * 27 + 4 * 64 * 2 * 4 + 2 * 5 * 256)
  // conv, relu, convTranspose and matmul; the reshape is a view.
  expect(activationBytes).toBe(4 * (4 * 64 + 4 * 64 + 2 * 256 + 10))
  expect(ops).toBe(5)
})

function undone(x: Value): Value {
  const { value, index } = maxPool(x, [2, 2])
  return maxUnpool(value, index, x.shape)
}

describe('receptive field', () => {
  it.each<[string, number, (graph: Graph, x: Value) => Value]>([
    ['one 3x3', 3, (g, x) => conv(x, kernel(g, 'a', [3, 3, 3, 3]), undefined)],
    ['a dilated 3x3', 9, (g, x) => conv(x, kernel(g, 'a', [3, 3, 3, 3]), undefined, { dilations: [4, 4] })],
    [
      'a pool, then a 3x3',
      6,
      (g, x) => conv(maxPool(x, [2, 2]).value, kernel(g, 'a', [3, 3, 3, 3]), undefined),
    ],
    ['the longer axis of a 1x7', 7, (g, x) => conv(x, kernel(g, 'a', [3, 3, 1, 7]), undefined)],
    ['a pool undone by nearest resizing', 2, (_, x) => resize(maxPool(x, [2, 2]).value, [32, 32], 'nearest')],
    [
      'a pool undone by bilinear resizing',
      4,
      (_, x) => resize(maxPool(x, [2, 2]).value, [32, 32], 'bilinear'),
    ],
    ['a pool undone by its indices', 2, (_, x) => undone(x)],
    ['a 3x3 after that', 4, (g, x) => conv(undone(x), kernel(g, 'a', [3, 3, 3, 3]), undefined)],
    ['a global mean', 32, (_, x) => reduceMean(x, [2, 3], { keep: true })],
    ['a mean over channels', 1, (_, x) => reduceMean(x, [1], { keep: true })],
  ])('of %s', (_, expected, build) => expect(sees(build)).toBe(expected))
})
