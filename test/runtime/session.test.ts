import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { add, mul } from '../../src/graph/ops/arithmetic.ts'
import { input } from '../../src/graph/ops/leaf.ts'
import { softmax } from '../../src/graph/ops/unary.ts'
import { floats, ints } from '../../src/graph/tensor.ts'
import { createSession, describeDevices } from '../../src/runtime/node.ts'
import type { Session } from '../../src/runtime/session.ts'
import { EnvironmentError, FormatError, InputError } from '../../src/util/errors.ts'
import { modelBytes, node } from '../onnx/models.ts'

function example(): Graph {
  const graph = new Graph()
  const x = input(graph, 'image', 'float32', [2, 2])
  const y = input(graph, 'scale', 'float32', [2])
  graph.output('sum', add(x, y))
  graph.output('product', mul(x, y))
  return graph
}

const image = floats([1, 2, 3, 4], [2, 2])
const scale = floats([10, 100])

describe('a session on the CPU', () => {
  let session: Session
  beforeAll(async () => {
    session = await createSession(example(), { device: 'cpu', threads: 1, spin: false })
  })
  afterAll(() => session.close())

  test('says what it takes and gives', () => {
    expect(session.device).toBe('cpu')
    expect([...session.inputs]).toEqual([
      ['image', { dtype: 'float32', shape: [2, 2] }],
      ['scale', { dtype: 'float32', shape: [2] }],
    ])
    expect([...session.outputs.keys()]).toEqual(['sum', 'product'])
  })

  test('computes all outputs', async () => {
    const { sum, product } = await session.run({ image, scale })
    expect(sum).toEqual(floats([11, 102, 13, 104], [2, 2]))
    expect(product).toEqual(floats([10, 200, 30, 400], [2, 2]))
  })

  test('writes into memory that is given, at its place in a larger buffer', async () => {
    const buffer = new Float32Array(10)
    const target = { dtype: 'float32', shape: [2, 2], data: buffer.subarray(3, 7) } as const
    const results = await session.run({ image, scale }, { product: target })
    expect(results.product).toBe(target)
    expect([...buffer]).toEqual([0, 0, 0, 10, 200, 30, 400, 0, 0, 0])
    expect(results.sum).toEqual(floats([11, 102, 13, 104], [2, 2]))
  })

  test('results of one run outlive the next', async () => {
    const first = await session.run({ image, scale })
    await session.run({ image, scale: floats([0, 0]) })
    expect(first.sum).toEqual(floats([11, 102, 13, 104], [2, 2]))
  })

  test('runs that overlap do not mix', async () => {
    const runs = Array.from({ length: 8 }, (_, i) => session.run({ image, scale: floats([i, i]) }))
    for (const [i, { sum }] of (await Promise.all(runs)).entries()) {
      expect(sum).toEqual(floats([1 + i, 2 + i, 3 + i, 4 + i], [2, 2]))
    }
  })

  describe('refuses', () => {
    test('a missing input', async () => {
      await expect(session.run({ image })).rejects.toThrowErrorMatchingInlineSnapshot(`
        [InputError: the input "scale" is not fed
          got:      image
          expected: float32[2]
          remedy:   give a tensor for "scale"]
      `)
    })
    test('a mistyped input', async () => {
      await expect(session.run({ image, scale, imagf: image })).rejects.toThrowErrorMatchingInlineSnapshot(`
        [InputError: the model has no input "imagf"
          expected: image, scale
          remedy:   did you mean "image"?]
      `)
    })
    test('another shape', async () => {
      const run = session.run({ image: floats([1, 2, 3, 4]), scale })
      await expect(run).rejects.toThrowErrorMatchingInlineSnapshot(`
        [InputError: the tensor for the input "image" is of another type or shape
          got:      float32[4]
          expected: float32[2, 2]]
      `)
    })
    test('another type', async () => {
      const run = session.run({ image, scale: ints([1, 2]) })
      await expect(run).rejects.toThrowErrorMatchingInlineSnapshot(`
        [InputError: the tensor for the input "scale" is of another type or shape
          got:      int64[2]
          expected: float32[2]]
      `)
    })
    test.each([
      ['another number of elements', { ...image, data: new Float32Array(2) }, '2 elements of a Float32Array'],
      [
        'another kind of array',
        { ...image, data: new Float64Array(4) as unknown as Float32Array<ArrayBuffer> },
        'a Float64Array',
      ],
    ])('%s than the shape says', async (_, wrong, got) => {
      const run = session.run({ image: wrong, scale })
      await expect(run).rejects.toThrow(InputError)
      await expect(run).rejects.toThrow(new RegExp(`${got}[^]*4 of a Float32Array`))
    })
    test('to write over what it reads', async () => {
      await expect(session.run({ image, scale }, { sum: image })).rejects.toThrowErrorMatchingInlineSnapshot(`
        [InputError: the output "sum" would be written over the input "image"
          remedy:   give the output memory of its own, and exchange the two after the run]
      `)
    })
    test('an unknown output', async () => {
      await expect(
        session.run({ image, scale }, { total: image }),
      ).rejects.toThrowErrorMatchingInlineSnapshot(`
        [InputError: the model has no output "total"
          expected: sum, product]
      `)
    })
  })
})

test('a closed session says so, and closes once', async () => {
  const session = await createSession(example(), { device: 'cpu' })
  await session.close()
  await session.close()
  await expect(session.run({ image, scale })).rejects.toThrow('the session is closed')
})

test('what is computed when a session is closed is computed to its end', async () => {
  const session = await createSession(example(), { device: 'cpu' })
  const running = session.run({ image, scale })
  await session.close()
  expect((await running).sum).toEqual(floats([11, 102, 13, 104], [2, 2]))
})

test.each([-3, 1.5, 0, Number.NaN])('%s threads are refused before the model is read', async (threads) => {
  await expect(createSession(example(), { device: 'cpu', threads })).rejects.toThrow(
    /threads[\s\S]*1 to 1024/,
  )
})

test('axes that a model leaves open take any size', async () => {
  const bytes = modelBytes({ inputs: { x: ['n', 2] }, nodes: [node('Relu', ['x'], ['y'])] })
  const session = await createSession(bytes, { device: 'cpu' })
  expect(session.inputs.get('x')!.shape).toEqual(['n', 2])
  const { y } = await session.run({ x: floats([-1, 1, 2, -2, 3, 3], [3, 2]) })
  expect(y).toEqual(floats([0, 1, 2, 0, 3, 3], [3, 2]))
  await session.close()
})

test('optimising changes the work, not the results', async () => {
  const results = await Promise.all(
    (['none', 'basic', 'all'] as const).map(async (optimise) => {
      const session = await createSession(example(), { device: 'cpu', optimise })
      const { sum } = await session.run({ image, scale })
      await session.close()
      return sum
    }),
  )
  expect(results[1]).toEqual(results[0])
  expect(results[2]).toEqual(results[0])
})

describe('errors of ONNX Runtime are pantin errors', () => {
  test('damaged bytes', async () => {
    const error = await createSession(new Uint8Array([1, 2, 3]), { device: 'cpu' }).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(FormatError)
  })

  test('a node that fails is named', async () => {
    const bytes = modelBytes({
      inputs: { x: ['n'], z: ['m'] },
      nodes: [node('Add', ['x', 'z'], ['y'])],
    })
    const session = await createSession(bytes, { device: 'cpu' })
    const error = await session
      .run({ x: floats([1, 2]), z: floats([1, 2, 3]) })
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(EnvironmentError)
    expect(String(error)).toMatch(/y: ONNX Runtime failed to run the model on cpu/)
    await session.close()
  })
})

test('devices are described, and those that are not there are refused, not replaced', async () => {
  const devices = await describeDevices()
  expect(devices.map(({ device }) => device)).toEqual(['cpu', 'webgpu', 'cuda'])
  for (const { device, available, detail } of devices) {
    expect(detail === '').toBe(available)
    if (available) continue
    const error = await createSession(example(), { device }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(EnvironmentError)
    expect(String(error)).toContain(`the device "${device}" is not there`)
  }
  const session = await createSession(example())
  expect(devices.find(({ device }) => device === session.device)?.available).toBe(true)
  await session.close()
})

test('softmax over a graph of one node', async () => {
  const graph = new Graph()
  graph.output('y', softmax(input(graph, 'x', 'float32', [1, 2]), 1))
  const session = await createSession(graph, { device: 'cpu' })
  const { y } = await session.run({ x: floats([0, 0], [1, 2]) })
  expect(y).toEqual(floats([0.5, 0.5], [1, 2]))
  await session.close()
})
