import { describe, expect, it } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { constant, gradient, input, mul, reduceMean, square, sub } from '../../src/graph/ops/index.ts'
import type { Shape } from '../../src/graph/tensor.ts'
import { Scope } from '../../src/layers/scope.ts'
import { type DetectorOptions, detectKeypoints } from '../../src/motion/detector.ts'
import type { Head } from '../../src/motion/heads.ts'
import { initialise, parametersOf } from '../../src/motion/weights.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { fromOnnx } from '../../src/onnx/import.ts'
import { createSession, evaluate } from '../../src/runtime/node.ts'
import type { Tensors } from '../../src/runtime/session.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import type { Net } from '../../src/zoo/net.ts'
import { findNet, netNames } from '../../src/zoo/registry.ts'
import { examine, fedTo, noise, notFinite } from './build.ts'

/** What every network of the registry must do, alone and as a detector's backbone. */

const sizes = [
  { height: 64, width: 64 },
  { height: 64, width: 96 },
  // No multiple of 16: a network computes it, or says what it would take.
  { height: 40, width: 72 },
]

const detectorOf = (net: string, head: Head, jacobian = true): DetectorOptions => ({
  net,
  keypoints: 3,
  jacobian,
  temperature: 0.1,
  scaleFactor: 1,
  head,
  dilations: 'clipped',
})
const heads: readonly Head[] = [
  { kind: 'light', channels: 8, stride: 2, skip: 'all' },
  { kind: 'light', channels: 8, stride: 4, skip: 'gated' },
  { kind: 'light', channels: 8, stride: 2, skip: 'none' },
  { kind: 'fomm', skip: 'none' },
  { kind: 'fomm', skip: 'sum' },
]

describe.each(netNames)('%s', (name) => {
  const net = findNet(name)

  it.each(sizes)('maps a picture of $width x $height to as large an output', async ({ height, width }) => {
    const shape = [2, 3, height, width]
    const build = (scope: Scope, x: Value) => ({ output: net.build(scope, x, { outputs: 5 }) })
    const multiple = net.multiple()
    if (height % multiple !== 0 || width % multiple !== 0) {
      return expectRefusal(net, shape, multiple)
    }
    const { outputs, untrained } = await examine(shape, build)
    expect(outputs.output!.shape).toEqual([2, 5, height, width])
    expect(notFinite(outputs)).toEqual([])
    expect(untrained).toEqual([])
  })

  it.each(heads)('carries the head %o', async (head) => {
    const { outputs, untrained } = await examine([2, 3, 32, 64], (scope, x) => {
      const { keypoints, heatmap } = detectKeypoints(scope, x, detectorOf(name, head))
      return { value: keypoints.value, jacobian: keypoints.jacobian!, heatmap }
    })
    expect(outputs.value!.shape).toEqual([2, 3, 2])
    expect(outputs.jacobian!.shape).toEqual([2, 3, 2, 2])
    expect(notFinite(outputs)).toEqual([])
    for (const at of outputs.value!.data) expect(Math.abs(Number(at))).toBeLessThan(1 + 1e-5)
    // A softmax over pixels does not see a bias of its map.
    expect(untrained.filter((weight) => weight !== 'kp.bias')).toEqual([])
  })

  it('detects without jacobians', () => {
    const graph = new Graph()
    const x = input(graph, 'x', 'float32', [1, 3, 32, 64])
    const scope = Scope.root(graph, { training: false })
    const { keypoints } = detectKeypoints(scope, x, detectorOf(name, heads[0]!, false))
    expect(keypoints.jacobian).toBeUndefined()
    expect(keypoints.value.shape).toEqual([1, 3, 2])
  })

  it('lowers its loss in ten steps', async () => {
    const losses = await descend(net, [2, 3, 64, 64])
    expect(losses.every(Number.isFinite)).toBe(true)
    expect(losses.at(-1)).toBeLessThan(losses[0]!)
  }, 240_000)

  it('computes the very same after a trip through ONNX', async () => {
    const graph = new Graph()
    const x = input(graph, 'x', 'float32', [1, 3, 64, 64])
    graph.output('y', net.build(Scope.root(graph, { training: false }), x, { outputs: 5 }))
    const weights = initialise(parametersOf(graph), new Random(1))
    const feeds = { x: noise([1, 3, 64, 64], 2) }
    const before = await evaluate(graph, feeds, weights)
    const back = fromOnnx(toOnnx(graph, { weights }))
    const after = await evaluate(back.graph, feeds, back.weights)
    expect(after.y!.shape).toEqual(before.y!.shape)
    expect(Buffer.from(after.y!.data.buffer).equals(Buffer.from(before.y!.data.buffer))).toBe(true)
  })

  it('refuses a size that is no multiple of its stride, and says what would do', () => {
    const multiple = net.multiple()
    expectRefusal(net, [1, 3, 8 * multiple, 8 * multiple + 1], multiple)
    expect(() => buildPlain(net, [1, 3, 8 * multiple, 8 * multiple + 1])).toThrow(
      `resize to ${8 * multiple}x${8 * multiple}`,
    )
  })
})

function buildPlain(net: Net, shape: Shape): void {
  const graph = new Graph()
  const x = input(graph, 'x', 'float32', shape)
  net.build(Scope.root(graph, { training: false }), x, { outputs: 5 })
}

function expectRefusal(net: Net, shape: Shape, multiple: number): void {
  expect(() => buildPlain(net, shape)).toThrow(InputError)
  expect(() => buildPlain(net, shape)).toThrow(`multiples of ${multiple}`)
}

/**
 * Ten steps down the gradient towards a picture's own channels, in training mode. Each step moves every
 * tensor by `size` in root mean square along its gradient. A step that raises the loss is taken back, and
 * those after it are shorter: sixteen layers without a norm take no 0.001.
 *
 * @returns the loss at the start, that of each step, taken back or not, and the one at the end
 */
async function descend(net: Net, shape: Shape): Promise<number[]> {
  const graph = new Graph()
  const scope = Scope.root(graph, { training: true })
  const picture = noise(shape, 1)
  const x = input(graph, 'x', 'float32', shape)
  const y = net.build(scope, x, { outputs: 3 })
  const loss = reduceMean(square(sub(y, constant(graph, picture))))
  graph.output('loss', loss)
  const parameters = parametersOf(graph)
  const names = parameters.filter(({ role }) => role === 'weight').map((info) => info.name)
  const leaves = names.map((name) => scope.parameters.get(name)!)
  gradient(loss, leaves).forEach((grad, i) => {
    graph.output(`gradient of ${names[i]}`, mul(grad, 1))
  })
  const weights = initialise(parameters, new Random(4))
  const session = await createSession(toOnnx(graph, { feedParameters: true }), { device: 'cpu' })
  const fed = fedTo(session, { x: picture }, weights)
  const moveAll = (outputs: Tensors, size: number) => {
    for (const name of names)
      move(weights.get(name)!.data, outputs[`gradient of ${name}`]!.data as Float32Array, size)
  }

  let size = 1e-3
  let best = await session.run(fed)
  // Gradients that are not needed any more: their memory is written to again.
  let spare: Tensors = {}
  const losses = [lossOf(best)]
  for (let step = 1; step <= 10; step++) {
    moveAll(best, size)
    const outputs = await session.run(fed, spare)
    losses.push(lossOf(outputs))
    if (lossOf(outputs) < lossOf(best)) [best, spare] = [outputs, best]
    else {
      spare = outputs
      moveAll(best, -size)
      size /= 10
    }
  }
  await session.close()
  return [...losses, lossOf(best)]
}

const lossOf = ({ loss }: Tensors) => Number(loss!.data[0])

function move(weight: Float32Array, grad: Float32Array, size: number): void {
  let squares = 0
  for (let i = 0; i < grad.length; i++) squares += grad[i]! * grad[i]!
  const rate = size / (Math.sqrt(squares / grad.length) + 1e-12)
  for (let i = 0; i < weight.length; i++) weight[i]! -= rate * grad[i]!
}

describe('findNet', () => {
  it('suggests the nearest name', () => {
    expect(() => findNet('LedNte')).toThrow('did you mean "lednet"?')
    expect(() => findNet('LedNte')).toThrow(InputError)
  })
})
