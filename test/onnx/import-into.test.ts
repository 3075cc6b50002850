import { describe, expect, test } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { add, mul, reduceSum } from '../../src/graph/ops/arithmetic.ts'
import { gradient } from '../../src/graph/ops/autodiff.ts'
import { input } from '../../src/graph/ops/leaf.ts'
import { floats, ints } from '../../src/graph/tensor.ts'
import { fromOnnx } from '../../src/onnx/import.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { someTensor } from './feeds.ts'
import { modelBytes, node, type Plan } from './models.ts'

/** The first blocks of a VGG, as PyTorch writes them: an open batch, one output, features in between. */
const vgg: Plan = {
  inputs: { image: ['batch', 3, 8, 8] },
  tensors: {
    'features.0.weight': someTensor('float32', [4, 3, 3, 3]),
    'features.0.bias': someTensor('float32', [4]),
    'features.3.weight': someTensor('float32', [5, 4, 3, 3]),
    'features.3.bias': someTensor('float32', [5]),
    shape: ints([0, -1]),
  },
  nodes: [
    node('Conv', ['image', 'features.0.weight', 'features.0.bias'], ['c0'], { pads: [1, 1, 1, 1] }),
    node('Relu', ['c0'], ['relu0']),
    node('MaxPool', ['relu0'], ['p0'], { kernel_shape: [2, 2], strides: [2, 2] }),
    node('Conv', ['p0', 'features.3.weight', 'features.3.bias'], ['c3'], { pads: [1, 1, 1, 1] }),
    node('Relu', ['c3'], ['relu3']),
    node('Einsum', ['relu3'], ['unknown']),
    node('Reshape', ['unknown', 'shape'], ['logits']),
  ],
  outputs: ['logits'],
}

test('a part of a model is imported at a value, and differentiated through', async () => {
  const graph = new Graph()
  const x = input(graph, 'x', 'float32', [2, 3, 8, 8])
  const { outputs, weights } = fromOnnx(modelBytes(vgg), {
    target: graph,
    inputs: { image: mul(x, 2) },
    outputs: ['relu0', 'relu3'],
    prefix: 'vgg',
  })
  expect([...weights.keys()]).toEqual([
    'vgg/features.0.weight',
    'vgg/features.0.bias',
    'vgg/features.3.weight',
    'vgg/features.3.bias',
  ])
  expect(graph.outputs.size).toBe(0)
  expect(outputs.get('relu3')!.shape).toEqual([2, 5, 4, 4])
  const loss = reduceSum(add(reduceSum(outputs.get('relu0')!), reduceSum(outputs.get('relu3')!)))
  graph.output('loss', loss)
  graph.output('dx', gradient(loss, [x])[0]!)
  const at = someTensor('float32', x.shape).data as Float32Array<ArrayBuffer>
  const { loss: before, dx } = await evaluate(graph, { x: floats(at, x.shape) }, weights)
  // All is positive, so the ReLUs are open and the loss bends only at the pools: a small step tells the slope.
  const step = 2 ** -10
  const moved = at.with(70, at[70]! + step) as Float32Array<ArrayBuffer>
  const { loss: after } = await evaluate(graph, { x: floats(moved, x.shape) }, weights)
  const slope = (Number(after!.data[0]) - Number(before!.data[0])) / step
  expect(Number(dx!.data[70]) / slope).toBeCloseTo(1, 1)
})

describe('open axes', () => {
  const needed = { outputs: ['relu0'] }

  test('are fixed by given shapes', () => {
    const { inputs } = fromOnnx(modelBytes(vgg), { ...needed, shapes: { image: [4, 3, 8, 8] } })
    expect(inputs.get('image')!.shape).toEqual([4, 3, 8, 8])
  })

  test('must be fixed', () => {
    expect(() => fromOnnx(modelBytes(vgg), needed)).toThrowErrorMatchingInlineSnapshot(`
      [InputError: the model leaves an axis of its input "image" open
        got:      float32[batch, 3, 8, 8]
        remedy:   give its shape: shapes: { 'image': [...] }]
    `)
  })

  test('of one name are of one size', () => {
    const plan: Plan = {
      inputs: { a: ['n', 2], b: ['n', 2] },
      nodes: [node('Concat', ['a', 'b'], ['y'], { axis: 0 })],
    }
    const shapes = { a: [3, 2], b: [4, 2] }
    expect(() => fromOnnx(modelBytes(plan), { shapes })).toThrowErrorMatchingInlineSnapshot(`
      [InputError: the value for the model's input "b" does not fit
        got:      [4, 2]
        expected: float32[n = 3, 2]]
    `)
    expect(fromOnnx(modelBytes(plan), { shapes: { a: [3, 2] } }).outputs.get('y')!.shape).toEqual([6, 2])
  })
})

describe('bindings', () => {
  test('fit the declared shape', () => {
    const graph = new Graph()
    const image = input(graph, 'x', 'float32', [2, 1, 8, 8])
    expect(() =>
      fromOnnx(modelBytes(vgg), { target: graph, inputs: { image } }),
    ).toThrowErrorMatchingInlineSnapshot(`
      [InputError: the value for the model's input "image" does not fit
        got:      [2, 1, 8, 8]
        expected: float32[batch, 3, 8, 8]]
    `)
  })

  test('name inputs that there are', () => {
    const graph = new Graph()
    const picture = input(graph, 'x', 'float32', [2, 1, 8, 8])
    expect(() =>
      fromOnnx(modelBytes(vgg), { target: graph, inputs: { picture } }),
    ).toThrowErrorMatchingInlineSnapshot(`
      [InputError: the model has no input "picture"
        expected: image]
    `)
  })
})

test('weights are constants where they are whole numbers, parameters where they are floats', () => {
  const { graph } = fromOnnx(modelBytes({ ...vgg, nodes: vgg.nodes.slice(0, 5), outputs: ['relu3'] }), {
    shapes: { image: [1, 3, 8, 8] },
    role: 'weight',
  })
  const parameters = graph.nodes.filter((made) => made.op.name === 'parameter')
  expect(parameters.map(({ attrs }) => attrs.role)).toEqual(['weight', 'weight', 'weight', 'weight'])
})
