import type { Value } from '../../src/graph/graph.ts'
import * as g from '../../src/graph/ops/index.ts'
import { floats, ints, type Shape } from '../../src/graph/tensor.ts'
import { convCases } from './conv-cases.ts'
import type { OpCase } from './op-case.ts'
import type { OpName } from './op-table.ts'

const unary = (op: (x: Value) => Value, range?: readonly [number, number], away?: number): OpCase[] => [
  {
    title: 'a matrix',
    inputs: [[3, 4]],
    ...(range && { range }),
    ...(away && { away }),
    build: (x) => op(x),
  },
]

const binary = (op: (a: Value, b: Value) => Value, range?: readonly [number, number]): OpCase[] => {
  const shapes: [string, Shape, Shape][] = [
    ['equal shapes', [2, 3], [2, 3]],
    ['a vector over rows', [2, 3], [3]],
    ['both stretched', [2, 1, 3], [4, 1]],
    ['a scalar', [], [2, 2]],
  ]
  return shapes.map(([title, a, b]) => ({
    title,
    inputs: [a, b],
    ...(range && { range }),
    build: (x, y) => op(x!, y!),
  }))
}

const sample = (alignCorners: boolean): OpCase[] => [
  {
    title: `alignCorners ${alignCorners}, points inside and outside`,
    inputs: [
      [2, 2, 4, 5],
      [2, 3, 4, 2],
    ],
    range: [-1.4, 1.4],
    build: (x, grid) => g.gridSample(x!, grid!, { alignCorners }),
  },
  {
    title: `alignCorners ${alignCorners}, many channels, points far outside`,
    inputs: [
      [1, 17, 3, 2],
      [1, 2, 4, 2],
    ],
    range: [-9, 9],
    build: (x, grid) => g.gridSample(x!, g.mul(grid!, g.abs(g.mul(grid!, 0.1))), { alignCorners }),
  },
]

const picks = (graph: Value['graph']) => g.constant(graph, ints([2, 0, 1, 1, 2, 2], [3, 2]))

/** x plus the rounding error that it has at `at`, times the scale; the end of the range outside of it. */
const frozenRounding =
  (low: number, high: number, scaleOf: (i: number) => number) =>
  ([x, scales]: readonly Float64Array[], [x0, scales0]: readonly Float64Array[]): Float64Array =>
    x!.map((value, i) => {
      const [scale, scale0] = [scales![scaleOf(i)]!, scales0![scaleOf(i)]!]
      const steps = x0![i]! / scale0
      if (steps < low) return low * scale
      if (steps > high) return high * scale
      return value + scale * (Math.round(steps) - steps)
    })

/** At least one case for every op: an op without one does not compile. */
export const opCases: { readonly [Name in OpName]: readonly OpCase[] } = {
  abs: unary(g.abs, undefined, 0.05),
  add: binary(g.add),
  argMax: [
    {
      title: 'rows',
      inputs: [[3, 4]],
      build: (x) => g.mul(g.cast(g.argMax(x!, 1), 'float32'), g.reduceSum(x!)),
    },
  ],
  averagePool: [
    { title: 'windows side by side', inputs: [[1, 2, 4, 6]], build: (x) => g.averagePool(x!, [2, 3]) },
    {
      title: 'windows that overlap, padded, with a rest',
      inputs: [[1, 2, 6, 5]],
      build: (x) => g.averagePool(x!, [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }),
    },
  ],
  batchNormalise: [
    {
      title: 'over batch and pixels',
      inputs: [[2, 3, 2, 3], [3], [3]],
      build: (x, gamma, beta) => g.batchNormalise(x!, gamma!, beta!, 1e-5).value,
    },
  ],
  cast: [
    {
      title: 'there and back',
      inputs: [[4]],
      build: (x) => g.add(x!, g.cast(g.cast(x!, 'int64'), 'float32')),
    },
  ],
  concat: [
    {
      title: 'along the middle axis',
      inputs: [
        [2, 1, 3],
        [2, 2, 3],
      ],
      build: (a, b) => g.concat([a!, b!], 1),
    },
  ],
  constant: [
    {
      title: 'as a factor',
      inputs: [[3]],
      build: (x) => g.mul(x!, g.constant(x!.graph, floats([1, -2, 3]))),
    },
  ],
  conv: convCases(false),
  convTranspose: convCases(true),
  dequantise: [
    {
      title: 'a scale for each row',
      inputs: [[2]],
      build: (scale) => {
        const q = { dtype: 'int8', shape: [2, 3], data: Int8Array.of(-127, 0, 5, 90, -3, 2) } as const
        return g.dequantise(g.constant(scale!.graph, q), scale!)
      },
    },
    {
      title: 'one scale, with a zero point',
      inputs: [[]],
      build: (scale) => {
        const q = { dtype: 'uint8', shape: [4], data: Uint8Array.of(0, 7, 130, 255) } as const
        return g.dequantise(g.constant(scale!.graph, q), scale!, { zeroPoint: 7 })
      },
    },
  ],
  div: binary(g.div, [0.5, 2]),
  exp: unary(g.exp),
  expand: [{ title: 'a column and new axes', inputs: [[3, 1]], build: (x) => g.expand(x!, [2, 3, 4]) }],
  fakeQuantise: [
    {
      title: 'one scale, values beyond both ends',
      inputs: [[4, 5], []],
      range: [0.003, 1.5],
      build: (x, scale) => g.fakeQuantise(g.sub(x!, 0.5), g.div(scale!, 200), { to: 'uint8', zeroPoint: 60 }),
      straightThrough: ([x, scale], [x0, scale0]) =>
        frozenRounding(
          -60,
          195,
          () => 0,
        )(
          [x!.map((v) => v - 0.5), scale!.map((v) => v / 200)],
          [x0!.map((v) => v - 0.5), scale0!.map((v) => v / 200)],
        ),
    },
    {
      title: 'a scale for each channel of a kernel',
      inputs: [[3, 2, 2, 1], [3]],
      range: [0.2, 1.5],
      build: (x, scale) => g.fakeQuantise(x!, g.div(scale!, 100), { to: 'int8', axis: 0 }),
      straightThrough: ([x, scale], [x0, scale0]) =>
        frozenRounding(-128, 127, (i) => Math.floor(i / 4))(
          [x!, scale!.map((v) => v / 100)],
          [x0!, scale0!.map((v) => v / 100)],
        ),
    },
  ],
  floor: unary((x) => g.mul(g.floor(g.mul(x, 3)), x), undefined, 0.02),
  gather: [
    { title: 'along the first axis', inputs: [[3, 2]], build: (x) => g.gather(x!, picks(x!.graph), 0) },
  ],
  gatherRows: [
    {
      title: 'of two matrices',
      inputs: [[2, 3, 2]],
      build: (x) => g.gatherRows(x!, g.constant(x!.graph, ints([2, 0, 2, 1, 1, 2, 0, 0], [2, 4]))),
    },
  ],
  greater: [
    {
      title: 'as a mask',
      inputs: [[6]],
      away: 0.05,
      build: (x) => g.where(g.greater(x!, 0), x!, g.mul(x!, 3)),
    },
  ],
  greaterOrEqual: [
    { title: 'as a mask', inputs: [[6]], away: 0.05, build: (x) => g.where(g.greaterOrEqual(x!, 0), x!, 2) },
  ],
  gridSample: [...sample(true), ...sample(false)],
  sampleShifted: [
    {
      title: 'places inside and outside',
      inputs: [
        [2, 3, 4, 5],
        [2, 2, 4, 5],
      ],
      range: [-2.7, 2.7],
      build: (x, shifts) => g.sampleShifted(x!, shifts!),
    },
    {
      title: 'a larger result of an image of one row',
      inputs: [
        [1, 17, 1, 2],
        [1, 2, 3, 4],
      ],
      range: [-2.7, 1.7],
      build: (x, shifts) => g.sampleShifted(x!, shifts!),
    },
  ],
  input: [{ title: 'itself', inputs: [[3]], build: (x) => x! }],
  log: unary(g.log, [0.5, 3]),
  matmul: [
    {
      title: 'matrices',
      inputs: [
        [2, 3],
        [3, 4],
      ],
      build: (a, b) => g.matmul(a!, b!),
    },
    {
      title: 'a batch against one matrix',
      inputs: [
        [2, 2, 3],
        [3, 2],
      ],
      build: (a, b) => g.matmul(a!, b!),
    },
    {
      title: 'batches that stretch',
      inputs: [
        [2, 1, 2, 3],
        [3, 3, 2],
      ],
      build: (a, b) => g.matmul(a!, b!),
    },
  ],
  maxPool: [
    { title: 'windows side by side', inputs: [[1, 2, 4, 4]], build: (x) => g.maxPool(x!, [2, 2]).value },
    {
      title: 'windows that overlap, padded',
      inputs: [[2, 1, 5, 5]],
      build: (x) => g.maxPool(x!, [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }).value,
    },
  ],
  maximum: binary(g.maximum),
  minimum: binary(g.minimum),
  mul: binary(g.mul),
  neg: unary(g.neg),
  normalise: [
    {
      title: 'with given statistics, all five inputs',
      inputs: [[2, 3, 2, 2], [3], [3], [3], [3]],
      range: [0.5, 1.5],
      build: (x, gamma, beta, mean, variance) =>
        g.normalise(x!, { gamma: gamma!, beta: beta!, mean: mean!, variance: variance! }, 1e-3),
    },
  ],
  pad: [{ title: 'before and after', inputs: [[2, 3]], build: (x) => g.pad(x!, [1, 0], [0, 2], 0.5) }],
  parameter: [
    {
      title: 'as a factor',
      inputs: [[2]],
      build: (x) => g.mul(x!, g.parameter(x!.graph, 'w', [2], { kind: 'fill', value: 0.5 }, 'weight')),
    },
  ],
  pow: [
    { title: 'a cube', inputs: [[5]], build: (x) => g.pow(x!, 3) },
    { title: 'to nothing, at 0 too', inputs: [[5]], build: (x) => g.add(x!, g.pow(g.mul(x!, 0), 0)) },
    { title: 'a root', inputs: [[5]], range: [0.5, 2], build: (x) => g.pow(x!, -0.5) },
  ],
  quantise: [
    {
      title: 'as a factor',
      inputs: [[5]],
      build: (x) => {
        const scale = g.constant(x!.graph, floats([0.03], []))
        const q = g.quantise(x!, scale, { to: 'uint8', zeroPoint: 128 })
        return g.mul(g.dequantise(q, scale, { zeroPoint: 128 }), x!)
      },
    },
  ],
  reduceMean: [
    { title: 'middle axis', inputs: [[2, 3, 2]], build: (x) => g.reduceMean(x!, [1]) },
    { title: 'to a scalar', inputs: [[2, 3]], build: (x) => g.reduceMean(x!) },
  ],
  reduceSum: [
    { title: 'two axes, kept', inputs: [[2, 3, 2]], build: (x) => g.reduceSum(x!, [0, 2], { keep: true }) },
  ],
  relu: unary(g.relu, undefined, 0.05),
  reshape: [{ title: 'with a free axis', inputs: [[2, 6]], build: (x) => g.reshape(x!, [3, -1]) }],
  resize: [
    {
      title: 'nearest by whole factors',
      inputs: [[1, 2, 2, 3]],
      build: (x) => g.resize(x!, [4, 9], 'nearest'),
    },
    { title: 'nearest to odd sizes', inputs: [[1, 1, 3, 4]], build: (x) => g.resize(x!, [5, 3], 'nearest') },
    { title: 'bilinear', inputs: [[1, 2, 3, 4]], build: (x) => g.resize(x!, [6, 7], 'bilinear') },
    { title: 'bilinear, smaller', inputs: [[1, 1, 6, 5]], build: (x) => g.resize(x!, [3, 2], 'bilinear') },
    {
      title: 'bilinear with corners matched',
      inputs: [[1, 2, 2, 3]],
      build: (x) => g.resize(x!, [5, 8], 'bilinear-corners'),
    },
    {
      title: 'corners matched, from a single pixel',
      inputs: [[1, 2, 1, 1]],
      build: (x) => g.resize(x!, [3, 4], 'bilinear-corners'),
    },
  ],
  reverse: [{ title: 'two of three axes', inputs: [[2, 3, 4]], build: (x) => g.reverse(x!, [0, 2]) }],
  scatterAdd: [
    {
      title: 'with repeated indices',
      inputs: [[3, 2]],
      build: (x) => g.scatterAdd(picks(x!.graph), x!, 0, 4),
    },
  ],
  scatterAddRows: [
    {
      title: 'to two matrices, with repeated indices',
      inputs: [[2, 4, 3]],
      build: (x) => g.scatterAddRows(g.constant(x!.graph, ints([2, 0, 2, 1, 1, 3, 0, 0], [2, 4])), x!, 5),
    },
  ],
  sigmoid: unary(g.sigmoid, [-3, 3]),
  isPositive: unary((x) => g.mul(g.isPositive(x), x), undefined, 0.05),
  sign: unary((x) => g.mul(g.sign(x), x), undefined, 0.05),
  slice: [
    {
      title: 'a stepped cut with a rest',
      inputs: [[5, 6]],
      build: (x) => g.slice(x!, [1, 0], [5, 6], [1, 4]),
    },
    {
      title: 'steps along both axes',
      inputs: [[1, 5, 6]],
      build: (x) => g.slice(x!, [0, 0, 1], [1, 5, 6], [1, 2, 3]),
    },
  ],
  softmax: [
    { title: 'last axis', inputs: [[2, 4]], range: [-3, 3], build: (x) => g.softmax(x!, -1) },
    { title: 'middle axis', inputs: [[2, 3, 2]], build: (x) => g.softmax(x!, 1) },
  ],
  split: [
    {
      title: 'three pieces, of which two are used',
      inputs: [[2, 6]],
      build: (x) => {
        const [a, , c] = g.split(x!, 1, [1, 2, 3])
        return g.mul(a!, c!)
      },
    },
  ],
  sqrt: unary(g.sqrt, [0.5, 3]),
  sub: binary(g.sub),
  take: [
    { title: 'along the middle axis', inputs: [[2, 3, 2]], build: (x) => g.take(x!, [2, 0, 2, 1], 1) },
    { title: 'along the last axis', inputs: [[2, 3]], build: (x) => g.take(x!, [1, 1], -1) },
  ],
  tanh: unary(g.tanh, [-2, 2]),
  transpose: [{ title: 'a rotation of axes', inputs: [[2, 3, 4]], build: (x) => g.transpose(x!, [2, 0, 1]) }],
  where: [
    {
      title: 'both branches',
      inputs: [[2, 3], [3]],
      build: (a, b) =>
        g.where(g.constant(a!.graph, { dtype: 'bool', shape: [2, 1], data: Uint8Array.of(1, 0) }), a!, b!),
    },
  ],
}
