import { describe, expect, it } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { constant, gradient, input, mul, reduceMean, square, sub } from '../../src/graph/ops/index.ts'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import type { Shape } from '../../src/graph/tensor.ts'
import { Scope } from '../../src/layers/scope.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { fromOnnx } from '../../src/onnx/import.ts'
import { createSession } from '../../src/runtime/node.ts'
import type { Tensors } from '../../src/runtime/session.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import type { Net } from '../../src/zoo/net.ts'
import { findNet, netNames } from '../../src/zoo/registry.ts'
import { examine, expectNearInHalves, fedTo, noise, notFinite } from './build.ts'

/** What every network of the registry must do on its own; detector-contract.test.ts has the rest. */

const sizes = [
  { height: 64, width: 64 },
  // No multiple of 16: a network computes it, or says what it would take.
  { height: 40, width: 72 },
]

/** 134 million weights of plain layers: a minute for what takes a second with others. */
const heavy = 'fcn'
const nets = netNames.filter((name) => name !== heavy || process.env.PANTIN_TEST_BRIEF === undefined)

describe.each(nets)('%s', (name) => {
  const net = findNet(name)
  const build = (scope: Scope, x: Value) => ({ output: net.build(scope, x, { outputs: 5 }) })

  it.each(sizes)('maps a picture of $width x $height to as large an output', async ({ height, width }) => {
    const shape = [2, 3, height, width]
    const multiple = net.multiple()
    if (height % multiple !== 0 || width % multiple !== 0) return expectRefusal(net, shape, multiple)
    const { outputs } = await examine(shape, build, () => false)
    expect(outputs.output!.shape).toEqual([2, 5, height, width])
    expect(notFinite(outputs)).toEqual([])
  })

  it('trains every parameter', async () => {
    const { outputs, names, untrained } = await examine([2, 3, 64, 96], build)
    expect(outputs.output!.shape).toEqual([2, 5, 64, 96])
    expect(notFinite(outputs)).toEqual([])
    expect(names.length).toBeGreaterThan(10)
    expect(untrained).toEqual([])
  })

  it('lowers its loss twice within ten steps', async () => {
    const side = Math.max(32, net.multiple())
    const losses = await descend(net, [2, 3, side, side])
    expect(losses.every(Number.isFinite)).toBe(true)
    expect(losses.filter((loss, i) => losses.slice(0, i).every((before) => loss < before))).toHaveLength(3)
  }, 240_000)

  it('is the very same after a trip through ONNX', () => {
    const graph = new Graph()
    const x = input(graph, 'x', 'float32', [1, 3, 64, 64])
    graph.output('y', net.build(Scope.root(graph, { training: false }), x, { outputs: 5 }))
    const weights = initialise(parametersOf(graph), new Random(1))
    const bytes = toOnnx(graph, { weights })
    const back = fromOnnx(bytes)
    // Equal bytes compute equal results.
    expect(Buffer.compare(toOnnx(back.graph, { weights: back.weights }), bytes)).toBe(0)
  })

  // Two minutes for the heavy one, whose layers others have too.
  it.skipIf(name === heavy)(
    'is near itself as a graph of half precision',
    () => expectNearInHalves(net),
    60_000,
  )

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
 * At most ten steps down the gradient towards a picture's own channels, in training mode, until two of them have
 * lowered the loss. Each step moves every tensor by `size` in root mean square along its gradient. A step that raises
 * the loss is taken back, and those after it are shorter: sixteen layers without a norm take no 0.001.
 *
 * @returns the loss at the start and after each step, taken back or not
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
  const options = { device: 'cpu', optimise: 'none', threads: 1 } as const
  const session = await createSession(toOnnx(graph, { feedParameters: true }), options)
  const fed = fedTo(session, { x: picture }, weights)
  const moveAll = (outputs: Tensors, size: number) => {
    for (const name of names)
      move(weights.get(name)!.data, outputs[`gradient of ${name}`]!.data as Float32Array, size)
  }

  let size = 1e-3
  let best = await session.run(fed)
  // Gradients that are not needed any more: their memory is written to again.
  let spare: Tensors = {}
  let lowered = 0
  const losses = [lossOf(best)]
  for (let step = 1; step <= 10 && lowered < 2; step++) {
    moveAll(best, size)
    const outputs = await session.run(fed, spare)
    losses.push(lossOf(outputs))
    if (lossOf(outputs) < lossOf(best)) {
      ;[best, spare] = [outputs, best]
      lowered++
    } else {
      spare = outputs
      moveAll(best, -size)
      size /= 10
    }
  }
  await session.close()
  return losses
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
