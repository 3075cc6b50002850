import { Graph } from '../../src/graph/graph.ts'
import { add, div, expand, mul, neg, reduceMean, reduceSum, sub } from '../../src/graph/ops/arithmetic.ts'
import { gradient } from '../../src/graph/ops/autodiff.ts'
import { cast, clip, greater, greaterOrEqual, where } from '../../src/graph/ops/compare.ts'
import { conv, convTranspose } from '../../src/graph/ops/conv.ts'
import { constant, input, parameter } from '../../src/graph/ops/leaf.ts'
import { matmul, transposeLast } from '../../src/graph/ops/linear.ts'
import { batchNormalise, normalise } from '../../src/graph/ops/normalise.ts'
import { averagePool, maxPool, resize } from '../../src/graph/ops/pool.ts'
import { dequantise, fakeQuantise, quantise } from '../../src/graph/ops/quantise.ts'
import { gridSample } from '../../src/graph/ops/sampling.ts'
import { concat, pad, reshape, slice, stack, transpose } from '../../src/graph/ops/shape.ts'
import {
  abs,
  exp,
  floor,
  leakyRelu,
  log,
  pow,
  relu,
  sigmoid,
  sign,
  softmax,
  sqrt,
  tanh,
} from '../../src/graph/ops/unary.ts'
import { floats, ints } from '../../src/graph/tensor.ts'

/** Small graphs that use every op family between them. Inputs are fed with numbers in (0, 1). */

const build = (make: (graph: Graph) => void) => () => {
  const graph = new Graph()
  make(graph)
  return graph
}

export const graphs: Readonly<Record<string, () => Graph>> = {
  unary: build((graph) => {
    const x = input(graph, 'x', 'float32', [2, 3])
    const functions = { abs, exp, floor, log, relu, sigmoid, sign, sqrt, tanh, neg }
    for (const [name, f] of Object.entries(functions)) graph.output(name, f(x))
    graph.output('pow', pow(x, 1.5))
    graph.output('softmax', softmax(x, 1))
    graph.output('leaky', leakyRelu(sub(x, 0.5), 0.1))
  }),

  quantised: build((graph) => {
    const x = input(graph, 'x', 'float32', [2, 3])
    const scale = constant(graph, floats([0.01], []))
    const rows = constant(graph, floats([0.01, 0.03]))
    const q = quantise(x, scale, { zeroPoint: 9 })
    graph.output('there', q)
    graph.output('back', dequantise(q, scale, { zeroPoint: 9 }))
    graph.output('fake', fakeQuantise(x, rows, { to: 'int8' }))
    const bias = { dtype: 'int32', shape: [2], data: Int32Array.of(-70_000, 12) } as const
    graph.output('bias', dequantise(constant(graph, bias), rows))
  }),

  /** Numbers of channels that ONNX Runtime's WebGPU provider computes wrongly, and some that it does not. */
  threes: build((graph) => {
    for (const channels of [3, 6, 9, 12, 18]) {
      const x = input(graph, `x${channels}`, 'float32', [1, channels, 5, 5])
      const w = parameter(graph, `w${channels}`, [8, channels, 3, 3], { kind: 'fill', value: 0.1 }, 'weight')
      graph.output(`of ${channels}`, conv(x, w, undefined, { pads: [1, 1, 1, 1] }))
    }
  }),

  arithmetic: build((graph) => {
    const x = input(graph, 'x', 'float32', [2, 3, 4])
    const y = input(graph, 'y', 'float32', [3, 1])
    const sum = graph.within('block/first', () => add(x, y))
    const ratio = graph.within('block/first', () => div(sum, add(y, 1)))
    graph.output('mean', reduceMean(mul(ratio, 0.5), [0, 2]))
    graph.output('sum', reduceSum(ratio))
    graph.output('wide', expand(y, [2, 3, 4]))
  }),

  choices: build((graph) => {
    const x = input(graph, 'x', 'float32', [4, 5])
    const bar = constant(graph, floats([0.2, 0.4, 0.5, 0.6, 0.8]))
    const above = greater(x, bar)
    graph.output('chosen', where(above, x, 0))
    graph.output('held', clip(x, 0.25, 0.75))
    graph.output('mask', above)
    graph.output('count', cast(greaterOrEqual(x, 0.5), 'int64'))
  }),

  shapes: build((graph) => {
    const x = input(graph, 'x', 'float32', [2, 3, 4, 5])
    const turned = transpose(x, [0, 2, 3, 1])
    const cut = slice(turned, [0, 1, 0, 0], [2, 4, 5, 3], [1, 2, 1, 1])
    const framed = pad(cut, [0, 0, 1, 0], [0, 1, 0, 0], 0.5)
    graph.output('flat', reshape(framed, [-1]))
    graph.output('twice', concat([framed, framed], 1))
    graph.output('stacked', stack([framed, framed], 0))
  }),

  leaves: build((graph) => {
    const x = input(graph, 'x', 'float32', [2])
    const w = parameter(graph, 'net.w', [2], { kind: 'fill', value: 1 }, 'weight')
    const again = parameter(graph, 'net.w', [2], { kind: 'fill', value: 1 }, 'weight')
    const b = parameter(graph, 'net.b', [2], { kind: 'fill', value: 0 }, 'buffer')
    const y = add(mul(x, w), mul(b, again))
    graph.output('y', y)
    graph.output('same', y)
    graph.output('x itself', x)
    graph.output('w itself', w)
    graph.output('indices', constant(graph, ints([1, 2])))
  }),

  convolutions: build((graph) => {
    const x = input(graph, 'x', 'float32', [2, 4, 9, 8])
    const w = parameter(graph, 'conv.weight', [6, 2, 3, 3], { kind: 'fill', value: 1 }, 'weight')
    const b = parameter(graph, 'conv.bias', [6], { kind: 'fill', value: 1 }, 'weight')
    const y = graph.within('stem', () => conv(x, w, b, { strides: [2, 1], pads: [1, 1, 1, 1], group: 2 }))
    const v = parameter(graph, 'up.weight', [6, 3, 2, 2], { kind: 'fill', value: 1 }, 'weight')
    graph.output('down', y)
    graph.output('up', convTranspose(y, v, undefined, { strides: [2, 2], outputPadding: [1, 0] }))
    graph.output('product', matmul(y, transposeLast(y)))
    const vector = (name: string) =>
      parameter(graph, `norm.${name}`, [6], { kind: 'fill', value: 1 }, 'buffer')
    const [gamma, beta, mean, variance] = [vector('g'), vector('b'), vector('m'), vector('v')]
    graph.output('norm', normalise(y, { gamma, beta, mean, variance }, 1e-5))
    graph.output('batch norm', batchNormalise(y, gamma, beta, 1e-3).value)
  }),

  pools: build((graph) => {
    const x = input(graph, 'x', 'float32', [1, 2, 7, 6])
    const { value, index } = maxPool(x, [3, 2], { strides: [2, 2], pads: [1, 0, 1, 0] })
    graph.output('max', value)
    graph.output('where', index)
    graph.output('mean', averagePool(x, [2, 2], { pads: [1, 1, 1, 1] }))
    for (const mode of ['nearest', 'bilinear', 'bilinear-corners'] as const) {
      graph.output(mode, resize(x, [14, 12], mode))
    }
    const grid = sub(mul(input(graph, 'grid', 'float32', [1, 4, 5, 2]), 2), 1)
    graph.output('warped', gridSample(x, grid, { alignCorners: false }))
    graph.output('mirrored', gridSample(x, mul(grid, 1.5), { alignCorners: true, padding: 'reflection' }))
  }),

  gradient: build((graph) => {
    const x = input(graph, 'x', 'float32', [1, 3, 8, 8])
    const w = parameter(graph, 'w', [4, 3, 3, 3], { kind: 'fill', value: 1 }, 'weight')
    const features = graph.within('net', () => maxPool(relu(conv(x, w, undefined)), [2, 2]).value)
    const grid = sub(mul(input(graph, 'grid', 'float32', [1, 2, 2, 2]), 2), 1)
    const loss = reduceMean(abs(gridSample(features, grid, { alignCorners: true })))
    const [dw, dx] = gradient(loss, [w, x])
    graph.output('loss', loss)
    graph.output('dw', dw!)
    graph.output('dx', dx!)
  }),
}
