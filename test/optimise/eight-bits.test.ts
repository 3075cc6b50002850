import { describe, expect, it } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import { add, concat, conv, input, parameter, relu, reshape, resize } from '../../src/graph/ops/index.ts'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { liveNodes } from '../../src/graph/rewrite.ts'
import { floats, type Tensor } from '../../src/graph/tensor.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { fromOnnx } from '../../src/onnx/import.ts'
import {
  type EightBitPlan,
  eightBitCandidates,
  eightBitValues,
  graphKey,
  isPlanFor,
  nodeNames,
  scaleOf,
  valueName,
  withEightBits,
} from '../../src/optimise/eight-bits.ts'
import { hasExactEightBitSums } from '../../src/runtime/devices.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { Random } from '../../src/util/random.ts'

/** Convolutions with a skip, a join and a resize: every rule for scales has its case. */
function sample(): { graph: Graph; weights: Map<string, Tensor<'float32'>> } {
  const graph = new Graph()
  const x = input(graph, 'x', 'float32', [1, 3, 8, 8])
  const weight = (name: string, shape: readonly number[]) =>
    parameter(graph, name, shape, { kind: 'normal', deviation: 0.3 }, 'weight')
  const first = relu(conv(x, weight('a', [16, 3, 3, 3]), weight('b', [16]), { pads: [1, 1, 1, 1] }))
  const second = conv(first, weight('c', [16, 16, 3, 3]), weight('d', [16]), { pads: [1, 1, 1, 1] })
  const sum = relu(add(first, second))
  const joined = concat([resize(sum, [16, 16], 'nearest'), resize(first, [16, 16], 'nearest')], 1)
  const last = conv(joined, weight('e', [4, 32, 1, 1]), undefined)
  graph.output('y', reshape(last, [4, 256]))
  return { graph, weights: initialise(parametersOf(graph), new Random(1)) }
}

const picture = {
  x: floats(
    Float32Array.from({ length: 192 }, (_, i) => Math.sin(i)),
    [1, 3, 8, 8],
  ),
}

/** The range of every value on the picture. */
async function planFor(
  { graph, weights }: ReturnType<typeof sample>,
  largestWeight: 127 | 63 = 127,
): Promise<EightBitPlan> {
  const ops = new Set(eightBitCandidates(graph))
  const { values, sharing } = eightBitValues(graph, ops, (value) => value.node.op.name === 'relu')
  const names = nodeNames(graph)
  const shown = sample()
  const byName = new Map(Array.from(nodeNames(shown.graph), ([node, name]) => [name, node]))
  values.forEach((value, i) => {
    shown.graph.output(`v${i}`, byName.get(names.get(value.node)!)!.outputs[value.index]!)
  })
  const results = await evaluate(shown.graph, picture, weights)
  const ranges = new Map<unknown, [number, number]>()
  values.forEach((value, i) => {
    const data = results[`v${i}`]!.data as Float32Array
    const [low, high] = ranges.get(sharing.get(value)) ?? [0, 0]
    ranges.set(sharing.get(value), [Math.min(low, ...data), Math.max(high, ...data)])
  })
  return {
    graph: graphKey(graph),
    ops: Array.from(ops, (node) => names.get(node)!),
    scales: Object.fromEntries(
      values.map((value) => [valueName(value, names), scaleOf(...ranges.get(sharing.get(value))!)]),
    ),
    largestWeight,
  }
}

const errorOf = (a: Tensor, b: Tensor) => {
  const [p, q] = [a.data as Float32Array, b.data as Float32Array]
  const sum = (of: Float32Array) => Math.sqrt(of.reduce((total, x) => total + x * x, 0))
  return sum(p.map((x, i) => x - q[i]!)) / sum(q)
}

describe('a network in eight bits', () => {
  it('computes nearly the same, and less so with weights of seven bits', async () => {
    const network = sample()
    const { y } = await evaluate(network.graph, picture, network.weights)
    const errors: number[] = []
    for (const largest of [127, 63] as const) {
      const { graph, weights } = withEightBits(network, await planFor(network, largest))
      errors.push(errorOf((await evaluate(graph, picture, weights)).y!, y!))
    }
    expect(errors[0]).toBeGreaterThan(1e-4)
    expect(errors[0]).toBeLessThan((await hasExactEightBitSums()) ? 0.03 : 1)
    expect(errors[1]).toBeLessThan(0.06)
    // Negative control: scales that are ten times too coarse.
    const plan = await planFor(network)
    const coarse = Object.entries(plan.scales).map(([name, [scale, zero]]) => [name, [10 * scale, zero]])
    const worse = withEightBits(network, { ...plan, scales: Object.fromEntries(coarse) })
    expect(errorOf((await evaluate(worse.graph, picture, worse.weights)).y!, y!)).toBeGreaterThan(0.1)
  })

  it('holds its kernels in bytes, and its biases in 32 bits', async () => {
    const network = sample()
    const { graph, weights } = withEightBits(network, await planFor(network))
    expect(weights.size).toBe(0)
    const stored = liveNodes(graph).flatMap(({ op, outputs: [value] }) =>
      op.name === 'constant' && value!.shape.length > 0 ? [`${value!.dtype} ${value!.shape}`] : [],
    )
    expect(stored).toContain('int8 16,16,3,3')
    expect(stored).toContain('int32 16')
    expect(stored.filter((text) => text.startsWith('float32') && text.includes(',3'))).toEqual([])
  })

  it('is an ONNX file that comes back', async () => {
    const network = sample()
    const { graph, weights } = withEightBits(network, await planFor(network))
    const before = await evaluate(graph, picture, weights)
    const again = fromOnnx(toOnnx(graph, { weights }))
    const after = await evaluate(again.graph, picture, again.weights)
    expect(errorOf(after.y!, before.y!)).toBeLessThan(0.01)
  })

  it('shares a scale through resizing, and rounds no value between a convolution and its ReLU', async () => {
    const { graph } = sample()
    const ops = new Set(eightBitCandidates(graph))
    const { values, sharing } = eightBitValues(graph, ops, () => true)
    const kinds = values.map(({ node }) => node.op.name)
    // The second convolution is summed; the last one is read by nothing in eight bits but a reshape.
    expect(kinds.filter((kind) => kind === 'conv')).toHaveLength(2)
    expect(kinds).not.toContain('add')
    const resized = values.find(({ node }) => node.op.name === 'resize')!
    expect(sharing.get(resized)).toBe(sharing.get(resized.node.inputs[0]!))
  })

  it('is planned for one graph, whose names depend on its own ops alone', async () => {
    const network = sample()
    const plan = await planFor(network)
    expect(isPlanFor(plan, sample().graph)).toBe(true)
    const other = new Graph()
    other.output('y', relu(input(other, 'x', 'float32', [1, 3, 8, 8])))
    expect(isPlanFor(plan, other)).toBe(false)
  })
})
