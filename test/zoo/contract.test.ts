import { describe, expect, it } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { addAll, constant, gradient, input, mul, reduceSum } from '../../src/graph/ops/index.ts'
import { floats, type Shape, sizeOf, type Tensor } from '../../src/graph/tensor.ts'
import { Scope } from '../../src/layers/scope.ts'
import { type DetectorOptions, detectKeypoints } from '../../src/motion/detector.ts'
import { initialise, parametersOf } from '../../src/motion/weights.ts'
import { evaluate } from '../../src/runtime/evaluate.ts'
import { InputError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import type { HourglassSize } from '../../src/zoo/net.ts'
import { findNet, netNames } from '../../src/zoo/registry.ts'

/** What every network of the registry must do, alone and as a detector's backbone. */

const hourglass: HourglassSize = { blockExpansion: 4, maxFeatures: 16, blocks: 3 }
const sizes = [
  { height: 32, width: 32 },
  { height: 32, width: 48 },
]

const detectorOf = (net: string, head: DetectorOptions['head']): DetectorOptions => ({
  net,
  keypoints: 3,
  jacobian: true,
  temperature: 0.1,
  scaleFactor: 1,
  head,
  hourglass,
})
const heads = [
  { kind: 'light', channels: 8, stride: 4, skip: true },
  { kind: 'light', channels: 8, stride: 2, skip: false },
  { kind: 'fomm' },
] as const

/** Noise: fixed, in [0, 1), and without a pattern that a stride could fall in step with. */
function noise(shape: Shape, seed: number): Tensor<'float32'> {
  const random = new Random(seed)
  return floats(
    Array.from({ length: sizeOf(shape) }, () => random.uniform()),
    shape,
  )
}

/** The sum of a value's elements, each times its own number, so that no gradient cancels by symmetry. */
function weighed(value: Value): Value {
  return reduceSum(mul(value, constant(value.graph, noise(value.shape, 5))))
}

const filled = (shape: Shape, value: number) => floats(new Array<number>(sizeOf(shape)).fill(value), shape)

interface Built {
  readonly results: Readonly<Record<string, Value>>
  readonly loss: Value
}

/**
 * Evaluates a network with random weights and statistics, and the gradient of its loss to every weight.
 * In evaluation mode: in training mode a bias before a norm has a gradient of exactly 0.
 */
async function run(shape: Shape, build: (scope: Scope, x: Value) => Built) {
  const graph = new Graph()
  const scope = Scope.root(graph, { training: false })
  const { results, loss } = build(scope, input(graph, 'x', 'float32', shape))
  for (const [name, value] of Object.entries(results)) graph.output(name, value)
  const parameters = parametersOf(graph)
  const names = parameters.filter(({ role }) => role === 'weight').map(({ name }) => name)
  const leaves = names.map((name) => scope.parameters.get(name)!)
  gradient(loss, leaves).forEach((value, i) => {
    graph.output(`gradient of ${names[i]}`, value)
  })
  const weights = initialise(parameters, new Random(3))
  for (const { name, shape, initial } of parameters) {
    if (initial.kind !== 'fill' || initial.value !== 0) continue
    // Norms are shifted so that no ReLU shuts a path: a dead unit is chance, a missing path is a mistake.
    // Kernels that start at 0, as the jacobian head's, would hold gradients back.
    const open = shape.length === 1 && name.endsWith('bias') ? filled(shape, 1) : noise(shape, 9)
    if (!name.endsWith('running_mean')) weights.set(name, open)
  }
  return { outputs: await evaluate(graph, { x: noise(shape, 1) }, weights), names }
}

function expectTrained(outputs: Readonly<Record<string, Tensor>>, names: readonly string[]): void {
  const dead = names.filter((name) => {
    const { data } = outputs[`gradient of ${name}`]!
    return !Array.from(data as Float32Array).some((x) => Number.isFinite(x) && x !== 0)
  })
  expect(dead).toEqual([])
}

function expectFinite(outputs: Readonly<Record<string, Tensor>>): void {
  for (const [name, { data }] of Object.entries(outputs)) {
    expect((data as Float32Array).every(Number.isFinite), name).toBe(true)
  }
}

describe.each(netNames)('%s', (name) => {
  const net = findNet(name)

  it.each(sizes)('maps a picture of $width x $height to as large an output', async ({ height, width }) => {
    const { outputs, names } = await run([2, 3, height, width], (scope, x) => {
      const output = net.build(scope, x, { outputs: 5, hourglass })
      return { results: { output }, loss: weighed(output) }
    })
    expect(outputs.output!.shape).toEqual([2, 5, height, width])
    expectFinite(outputs)
    expectTrained(outputs, names)
  })

  it.each(heads)('carries the head %o', async (head) => {
    const { outputs, names } = await run([2, 3, 32, 48], (scope, x) => {
      const { keypoints, heatmap } = detectKeypoints(scope, x, detectorOf(name, head))
      const { value, jacobian } = keypoints
      const results = { value, jacobian: jacobian!, heatmap }
      return { results, loss: addAll([weighed(value), weighed(jacobian!)]) }
    })
    expect(outputs.value!.shape).toEqual([2, 3, 2])
    expect(outputs.jacobian!.shape).toEqual([2, 3, 2, 2])
    expectFinite(outputs)
    for (const at of outputs.value!.data) expect(Math.abs(Number(at))).toBeLessThan(1 + 1e-5)
    // A softmax over pixels does not see a bias of its map.
    expectTrained(
      outputs,
      names.filter((weight) => weight !== 'kp.bias'),
    )
  })

  it('refuses a size that is no multiple of its stride, and says what would do', () => {
    const graph = new Graph()
    const multiple = net.multiple({ hourglass })
    const x = input(graph, 'x', 'float32', [1, 3, 8 * multiple, 8 * multiple + 1])
    const build = () => net.build(Scope.root(graph, { training: false }), x, { outputs: 5, hourglass })
    expect(build).toThrow(InputError)
    expect(build).toThrow(`multiples of ${multiple}`)
    expect(build).toThrow(`resize to ${8 * multiple}x${8 * multiple}`)
  })
})

describe('findNet', () => {
  it('suggests the nearest name', () => {
    expect(() => findNet('LedNte')).toThrow('did you mean "lednet"?')
    expect(() => findNet('LedNte')).toThrow(InputError)
  })
})
