import { expect } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { addAll, constant, gradient, input, mul, reduceSum } from '../../src/graph/ops/index.ts'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { floats, type Shape, sizeOf, type Tensor } from '../../src/graph/tensor.ts'
import { Scope } from '../../src/layers/scope.ts'
import { rewriteExactly } from '../../src/model/open-model.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { inHalfPrecision } from '../../src/onnx/half-graph.ts'
import { createSession } from '../../src/runtime/node.ts'
import type { Session, Tensors } from '../../src/runtime/session.ts'
import { Random } from '../../src/util/random.ts'
import type { Net } from '../../src/zoo/net.ts'

/** Noise: fixed, in [0, 1), and without a pattern that a stride could fall in step with. */
export function noise(shape: Shape, seed: number): Tensor<'float32'> {
  const random = new Random(seed)
  return floats(
    Array.from({ length: sizeOf(shape) }, () => random.uniform()),
    shape,
  )
}

/** The sum of all elements, each times its own number, so that no gradient cancels by symmetry. */
export function weighed(values: readonly Value[]): Value {
  return addAll(values.map((value) => reduceSum(mul(value, constant(value.graph, noise(value.shape, 5))))))
}

/**
 * Starting weights under which everything that is wired up has a gradient: norms are shifted so that no ReLU
 * shuts a path (a dead unit is chance, a missing path is a mistake), gates stand half open, and kernels that
 * start at 0, as the jacobian head's, do not. A trained slope has a gradient from what is negative only, so
 * with slopes (they alone start at 0.25) every other channel is shifted down.
 */
export function openWeights(graph: Graph, seed = 3): Map<string, Tensor> {
  const parameters = parametersOf(graph)
  const weights: Map<string, Tensor> = initialise(parameters, new Random(seed))
  const slopes = parameters.some(({ initial }) => initial.kind === 'fill' && initial.value === 0.25)
  const shifts = (n: number) => Array.from({ length: n }, (_, i) => (slopes && i % 2 === 1 ? -1 : 1))
  for (const { name, shape, initial } of parameters) {
    if (name.endsWith('gate.weight'))
      weights.set(name, floats(new Array<number>(sizeOf(shape)).fill(1e-4), shape))
    if (initial.kind !== 'fill' || initial.value !== 0 || name.endsWith('running_mean')) continue
    const shift = shape.length === 1 && name.endsWith('bias')
    weights.set(name, shift ? floats(shifts(sizeOf(shape)), shape) : noise(shape, 9))
  }
  return weights
}

/**
 * Evaluates what `build` makes of a picture, and which of its weights have no gradient.
 * In evaluation mode: in training mode a bias before a norm has a gradient of exactly 0.
 *
 * @param isAsked which weights are asked for a gradient, by name (default: all)
 * @returns `names` are those of the weights that were asked.
 */
export async function examine(
  shape: Shape,
  build: (scope: Scope, x: Value) => Readonly<Record<string, Value>>,
  isAsked: (name: string) => boolean = () => true,
): Promise<{ outputs: Record<string, Tensor>; names: string[]; untrained: string[] }> {
  const graph = new Graph()
  const scope = Scope.root(graph, { training: false })
  const results = build(scope, input(graph, 'x', 'float32', shape))
  const names = parametersOf(withOutputs(graph, results))
    .filter(({ role, name }) => role === 'weight' && isAsked(name))
    .map(({ name }) => name)
  const leaves = names.map((name) => scope.parameters.get(name)!)
  // One number says whether a gradient is there; whole gradients of large networks would fill the memory.
  const loss = leaves.length === 0 ? undefined : weighed(Object.values(results))
  const gradients = loss === undefined ? [] : gradient(loss, leaves)
  gradients.forEach((value, i) => {
    graph.output(`gradient of ${names[i]}`, reduceSum(mul(value, value)))
  })
  // Weights are fed, not written into the model: of 134 million a model would keep several copies.
  // Run once or twice, so that optimising would take longer than it saves.
  const session = await createSession(toOnnx(graph, { feedParameters: true }), {
    device: 'cpu',
    optimise: 'none',
    threads: 1,
  })
  const run = (seed?: number) => session.run(fedTo(session, { x: noise(shape, 1) }, openWeights(graph, seed)))
  const all = await run()
  let untrained = names.filter((name) => !hasGradient(all, name))
  if (untrained.length > 0) {
    // Under another draw a unit that no pixel opened is open; a path that is missing stays so.
    const again = await run(4)
    untrained = untrained.filter((name) => !hasGradient(again, name))
  }
  await session.close()
  const outputs = Object.fromEntries(Object.keys(results).map((name) => [name, all[name]!]))
  return { outputs, names, untrained }
}

/** Inputs and those of the weights that a session reads. */
export function fedTo(session: Session, inputs: Tensors, weights: ReadonlyMap<string, Tensor>): Tensors {
  const all = { ...inputs, ...Object.fromEntries(weights) }
  return Object.fromEntries(Object.entries(all).filter(([name]) => session.inputs.has(name)))
}

function hasGradient(outputs: Readonly<Record<string, Tensor>>, name: string): boolean {
  const squared = Number(outputs[`gradient of ${name}`]!.data[0])
  return Number.isFinite(squared) && squared > 0
}

function withOutputs(graph: Graph, results: Readonly<Record<string, Value>>): Graph {
  for (const [name, value] of Object.entries(results)) graph.output(name, value)
  return graph
}

/** The names of outputs that hold a number which is not finite. */
export function notFinite(outputs: Readonly<Record<string, Tensor>>): string[] {
  return Object.entries(outputs).flatMap(([name, { data }]) =>
    (data as Float32Array).every(Number.isFinite) ? [] : name,
  )
}

/** What a network, rewritten for a GPU, makes of a picture in half precision is near what it makes of it in 32 bits. */
export async function expectNearInHalves(net: Net): Promise<void> {
  const graph = new Graph()
  const shape = [1, 3, 64, 64]
  graph.output(
    'y',
    net.build(Scope.root(graph, { training: false }), input(graph, 'x', 'float32', shape), { outputs: 5 }),
  )
  const network = await rewriteExactly({ graph, weights: openWeights(graph) }, { target: 'gpu' })
  const whole = toOnnx(network.graph, { weights: network.weights })
  const of = async (model: Uint8Array) => {
    await using session = await createSession(model, { device: 'cpu' })
    return (await session.run({ x: noise(shape, 1) })).y!.data as Float32Array
  }
  const [full, half] = [await of(whole), await of(inHalfPrecision(whole))]
  const error = Math.hypot(...full.map((x, i) => x - half[i]!)) / Math.hypot(...full)
  expect(error).toBeGreaterThan(0)
  expect(error).toBeLessThan(0.01)
}
