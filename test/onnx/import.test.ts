import { describe, expect, test } from 'vitest'
import { verify } from '../../src/graph/graph.ts'
import { toPlain } from '../../src/graph/ops/leaf.ts'
import { floats, ints, scalar } from '../../src/graph/tensor.ts'
import { fromOnnx } from '../../src/onnx/import.ts'
import { createSession, evaluate } from '../../src/runtime/node.ts'
import { someTensor, worstDifference } from './feeds.ts'
import { modelBytes, node, type Plan } from './models.ts'

/** Each importer against ONNX Runtime on the same bytes. */

const image = [2, 3, 6, 5] as const
const vector = (name: string) => ({ [name]: someTensor('float32', [3], name.charCodeAt(0)) })
const one = (type: string, attributes = {}, extra: Partial<Plan> = {}): Plan => ({
  inputs: { x: image },
  nodes: [node(type, ['x', ...Object.keys(extra.tensors ?? {})], ['y'], attributes)],
  ...extra,
})
/** Empty input names stand for inputs that are left out. */
const wired = (
  type: string,
  inputs: string[],
  attributes: Plan['nodes'][number]['attributes'],
  extra: Partial<Plan> = {},
): Plan => ({
  inputs: { x: image },
  nodes: [node(type, inputs, ['y'], attributes)],
  ...extra,
})

const plans: Readonly<Record<string, Plan>> = {
  ...Object.fromEntries(
    'Abs Exp Floor Log Neg Reciprocal Relu Sigmoid Sign Softplus Sqrt Tanh HardSwish Identity Dropout'
      .split(' ')
      .map((type) => [type, one(type)]),
  ),
  Elu: one('Elu', { alpha: { float: 0.7 } }),
  HardSigmoid: one('HardSigmoid', { alpha: { float: 0.3 } }),
  LeakyRelu: one('LeakyRelu', { alpha: { float: 0.2 } }),
  PRelu: one('PRelu', {}, { tensors: { slope: someTensor('float32', [3, 1, 1]) } }),
  'Clip 6': one('Clip', { min: { float: 0.2 }, max: { float: 0.5 } }, { opset: 7 }),
  'Clip 13': one('Clip', {}, { tensors: { low: scalar(0.2), high: scalar(0.5) } }),
  'Clip without a low bound': wired('Clip', ['x', '', 'high'], {}, { tensors: { high: scalar(0.5) } }),
  Pow: one('Pow', {}, { tensors: { exponent: scalar(3) } }),
  'Add, Sub, Mul, Div': {
    inputs: { x: image, z: [3, 1, 1] },
    nodes: [
      node('Add', ['x', 'z'], ['a']),
      node('Mul', ['a', 'x'], ['b']),
      node('Sub', ['b', 'z'], ['c']),
      node('Div', ['c', 'a'], ['y']),
    ],
  },
  'Max, Min, Sum, Mean': {
    inputs: { x: image, z: [5] },
    nodes: [
      node('Max', ['x', 'z', 'x'], ['a']),
      node('Min', ['a', 'z'], ['b']),
      node('Sum', ['a', 'b', 'x'], ['c']),
      node('Mean', ['c', 'z'], ['y']),
    ],
  },
  'Greater, Less, Where, Cast': {
    inputs: { x: image, z: [5] },
    nodes: [
      node('Greater', ['x', 'z'], ['g']),
      node('LessOrEqual', ['x', 'z'], ['l']),
      node('Less', ['x', 'z'], ['m']),
      node('GreaterOrEqual', ['x', 'z'], ['n']),
      ...['g', 'l', 'm', 'n'].map((name) => node('Cast', [name], [`f${name}`], { to: 1 })),
      node('Where', ['g', 'fl', 'x'], ['w']),
      node('Sum', ['w', 'fg', 'fm', 'fn'], ['y']),
    ],
  },
  Conv: one(
    'Conv',
    { pads: [1, 0, 2, 1], strides: [2, 1], dilations: [1, 2] },
    { tensors: { w: someTensor('float32', [4, 3, 3, 2]), b: someTensor('float32', [4]) } },
  ),
  'Conv SAME_UPPER': one(
    'Conv',
    { auto_pad: 'SAME_UPPER', strides: [2, 2] },
    { tensors: { w: someTensor('float32', [4, 3, 3, 2]) } },
  ),
  'Conv SAME_LOWER': one(
    'Conv',
    { auto_pad: 'SAME_LOWER' },
    { tensors: { w: someTensor('float32', [4, 3, 2, 2]) } },
  ),
  'Conv VALID': one(
    'Conv',
    { auto_pad: 'VALID', group: 3 },
    { tensors: { w: someTensor('float32', [3, 1, 2, 2]) } },
  ),
  ConvTranspose: one(
    'ConvTranspose',
    { strides: [2, 2], pads: [1, 1, 0, 1], output_padding: [1, 0] },
    { tensors: { w: someTensor('float32', [3, 2, 3, 3]), b: someTensor('float32', [2]) } },
  ),
  BatchNormalization: one(
    'BatchNormalization',
    {},
    { tensors: { ...vector('g'), ...vector('b'), ...vector('m'), ...vector('v') } },
  ),
  'BatchNormalization of a matrix': {
    ...one(
      'BatchNormalization',
      { epsilon: { float: 0.01 } },
      { tensors: { ...vector('g'), ...vector('b'), ...vector('m'), ...vector('v') } },
    ),
    inputs: { x: [4, 3] },
  },
  Gemm: {
    inputs: { x: [4, 3] },
    tensors: { w: someTensor('float32', [5, 4]), c: someTensor('float32', [5]) },
    nodes: [
      node('Gemm', ['x', 'w', 'c'], ['y'], {
        alpha: { float: 0.5 },
        beta: { float: 2 },
        transA: 1,
        transB: 1,
      }),
    ],
    outputs: ['y'],
  },
  MatMul: one('MatMul', {}, { tensors: { w: someTensor('float32', [5, 2]) } }),
  'MatMul with a vector': one('MatMul', {}, { tensors: { w: someTensor('float32', [5]) } }),
  MaxPool: one('MaxPool', { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1] }),
  'MaxPool with ceil_mode': one('MaxPool', { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1 }),
  'MaxPool of stride 1': one('MaxPool', { kernel_shape: [2, 2] }),
  AveragePool: one('AveragePool', { kernel_shape: [2, 2], strides: [2, 2] }),
  'AveragePool without its padding': one('AveragePool', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
  'AveragePool with its padding': one('AveragePool', {
    kernel_shape: [3, 3],
    pads: [1, 1, 1, 1],
    count_include_pad: 1,
  }),
  'AveragePool with ceil_mode': one('AveragePool', { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }),
  GlobalAveragePool: one('GlobalAveragePool'),
  GlobalMaxPool: one('GlobalMaxPool'),
  'ReduceMean 13': one('ReduceMean', { axes: [-1, 1], keepdims: 0 }, { opset: 13 }),
  'ReduceMean 18': one('ReduceMean', {}, { tensors: { axes: ints([2]) } }),
  ReduceSum: one('ReduceSum', { keepdims: 0 }),
  Softmax: one('Softmax', { axis: 1 }),
  'Softmax 11': one('Softmax', { axis: 2 }, { opset: 11 }),
  LogSoftmax: one('LogSoftmax'),
  Reshape: one('Reshape', {}, { tensors: { shape: ints([0, -1, 3]) } }),
  Flatten: one('Flatten', { axis: 2 }),
  'Flatten to a row': one('Flatten', { axis: 4 }),
  Transpose: one('Transpose', { perm: [0, 2, 3, 1] }),
  'Transpose without an order': one('Transpose'),
  'Squeeze, Unsqueeze 11': {
    inputs: { x: image },
    nodes: [node('Unsqueeze', ['x'], ['a'], { axes: [0, 3] }), node('Squeeze', ['a'], ['y'], { axes: [3] })],
    opset: 11,
  },
  'Squeeze, Unsqueeze 13': {
    inputs: { x: image },
    tensors: { axes: ints([0, -1]) },
    nodes: [node('Unsqueeze', ['x', 'axes'], ['a']), node('Squeeze', ['a'], ['y'])],
  },
  Expand: { ...one('Expand', {}, { tensors: { shape: ints([2, 1, 1, 4]) } }), inputs: { x: [3, 1] } },
  'Slice 9': one('Slice', { starts: [1, -3], ends: [100, -1], axes: [1, 2] }, { opset: 9 }),
  'Slice 13': one(
    'Slice',
    {},
    { tensors: { s: ints([0, 1]), e: ints([2 ** 52, 5]), a: ints([-1, 2]), t: ints([2, 3]) } },
  ),
  'Split 11': {
    inputs: { x: image },
    nodes: [
      node('Split', ['x'], ['a', 'b'], { axis: 2, split: [2, 4] }),
      node('Concat', ['b', 'a'], ['y'], { axis: 2 }),
    ],
    opset: 11,
  },
  'Split 18': {
    inputs: { x: image },
    nodes: [
      node('Split', ['x'], ['a', 'b'], { axis: 3, num_outputs: 2 }),
      node('Concat', ['b', 'a'], ['y'], { axis: -1 }),
    ],
  },
  'Pad 9': one('Pad', { pads: [0, 0, 1, 2, 0, 0, 3, 0], value: { float: 0.5 } }, { opset: 9 }),
  'Pad 18': one('Pad', {}, { tensors: { pads: ints([1, 2, 3, 0]), value: scalar(2), axes: ints([-1, 2]) } }),
  'Gather a place': one('Gather', { axis: 1 }, { tensors: { at: ints([-1], []) } }),
  'Gather places': one('Gather', { axis: 3 }, { tensors: { at: ints([4, 0, 0]) } }),
  'Resize nearest': wired(
    'Resize',
    ['x', '', 's'],
    { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
    { tensors: { s: floats([1, 1, 2, 2]) } },
  ),
  'Resize nearest by half pixels': wired(
    'Resize',
    ['x', '', 's'],
    {},
    { tensors: { s: floats([1, 1, 3, 2]) } },
  ),
  'Resize linear': wired(
    'Resize',
    ['x', '', '', 's'],
    { mode: 'linear' },
    { tensors: { s: ints([2, 3, 9, 4]) } },
  ),
  'Resize with corners': wired(
    'Resize',
    ['x', '', '', 's'],
    { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
    { tensors: { s: ints([2, 3, 11, 13]) } },
  ),
  'Upsample 9': one('Upsample', { mode: 'nearest' }, { tensors: { s: floats([1, 1, 2, 3]) }, opset: 9 }),
  ...Object.fromEntries(
    [0, 1].map((aligned) => [
      `GridSample, reflection, align_corners ${aligned}`,
      {
        inputs: { x: image, g: [2, 9, 7, 2] as const },
        nodes: [
          node('Constant', [], ['three'], { value_float: { float: 3 } }),
          node('Mul', ['g', 'three'], ['far']),
          node('GridSample', ['x', 'far'], ['y'], {
            mode: 'linear',
            padding_mode: 'reflection',
            align_corners: aligned,
          }),
        ],
      },
    ]),
  ),
  'GatherND of rows': {
    inputs: { x: [2, 6, 5] },
    nodes: [node('GatherND', ['x', 'at'], ['y'], { batch_dims: 1 })],
    tensors: { at: ints([5, 0, 2, 2, 1, 4], [2, 3, 1]) },
  },
  'GridSample 16': {
    inputs: { x: image, g: [2, 4, 4, 2] },
    nodes: [node('GridSample', ['x', 'g'], ['y'], { mode: 'bilinear', align_corners: 1 })],
    opset: 16,
  },
  'Constant and ConstantOfShape': {
    inputs: { x: image },
    tensors: { shape: ints([3, 1, 1]) },
    nodes: [
      node('Constant', [], ['c'], { value: floats([1, 2, 3, 4, 5]) }),
      node('Constant', [], ['d'], { value_float: { float: 0.5 } }),
      node('ConstantOfShape', ['shape'], ['e'], { value: floats([3]) }),
      node('Sum', ['x', 'c', 'd', 'e'], ['y']),
    ],
  },
  'Shape as a shape': {
    inputs: { x: image, z: [1] },
    nodes: [node('Shape', ['x'], ['s']), node('Expand', ['z', 's'], ['a']), node('Add', ['a', 'x'], ['y'])],
  },
}

describe('importers', () => {
  test.each(Object.entries(plans))('%s', async (_, plan) => {
    const bytes = modelBytes(plan)
    const feeds = Object.fromEntries(
      Object.entries(plan.inputs ?? {}).map(([name, shape], i) => [
        name,
        someTensor('float32', shape as number[], 50 * i),
      ]),
    )
    const session = await createSession(bytes, { device: 'cpu' })
    const expected = await session.run(feeds)
    await session.close()
    const { graph, weights } = fromOnnx(bytes)
    verify(graph)
    const got = await evaluate(graph, feeds, weights)
    expect(got.y!.shape).toEqual(expected.y!.shape)
    expect(worstDifference(got.y!, toPlain(expected.y!).data)).toBeLessThan(1e-5)
  })
})
