import { describe, expect, test } from 'vitest'
import { Graph, verify } from '../../src/graph/graph.ts'
import { constant, input, scatterAddRows } from '../../src/graph/ops/index.ts'
import { inputInfo, parameterInfo } from '../../src/graph/ops/leaf.ts'
import { liveNodes } from '../../src/graph/rewrite.ts'
import { floats, sizeOf, tensor } from '../../src/graph/tensor.ts'
import { createSession } from '../../src/runtime/node.ts'
import { computePlain, numericGradients, type Probe, probe, relativeError } from '../support/gradcheck.ts'
import { opCases } from './op-cases.ts'
import { type OpName, opTable } from './op-table.ts'

const names = Object.keys(opTable) as OpName[]

/** The gradients of a probe as ONNX Runtime computes them. Some ops have a form of their own for one thread. */
async function runOnnx({ graph, feeds }: Probe, threads: number): Promise<Float32Array[]> {
  const leaves = liveNodes(graph)
  const fed = leaves.flatMap((node) => inputInfo(node) ?? [])
  const tensors = fed.map(({ name, shape }) => [name, floats(feeds[Number(name.slice(1))]!, shape)] as const)
  const parameters = leaves.flatMap((node) => parameterInfo(node) ?? [])
  const weights = new Map(
    parameters.map(({ name, shape }) => [name, floats(new Float32Array(sizeOf(shape)).fill(0.5), shape)]),
  )
  await using session = await createSession(graph, { device: 'cpu', threads, weights })
  const results = await session.run(Object.fromEntries(tensors))
  return feeds.map((_, i) => results[`grad${i}`]!.data as Float32Array)
}

describe('the op table', () => {
  test.each(names)('%s stands under its own name', (name) => {
    expect(opTable[name].name).toBe(name)
  })
})

describe.each(names)('gradient of %s', (name) => {
  test.each([...opCases[name]])('$title', async ({ inputs, build, range, away, straightThrough }) => {
    const make = () => probe(inputs, build, { ...(range && { range }), ...(away && { away }) })
    if (opTable[name].gradient === 'forbidden') {
      expect(make).not.toThrow()
      return
    }
    const check = make()
    verify(check.graph)
    const numeric = numericGradients(check, 1e-5, straightThrough)
    const analytic = computePlain(check, check.grads)
    expect(relativeError(analytic, numeric)).toBeLessThan(1e-6)

    // The ONNX forms, in float32 on ONNX Runtime.
    for (const threads of [1, 2]) {
      expect(relativeError(await runOnnx(check, threads), numeric), `${threads}`).toBeLessThan(1e-3)
    }

    // Negative control: a gradient that is off by one percent in one input must not pass.
    const spoiled = analytic.map((grad) => grad.map((value) => value * 1.01))
    expect(relativeError(spoiled, numeric)).toBeGreaterThan(1e-3)
  })
})

test.each([1, 2])('no sum of many rows is lost on %i threads', async (threads) => {
  const [n, count, columns, rows] = [2, 20_000, 16, 50]
  const index = tensor(
    'int64',
    [n, count],
    BigInt64Array.from({ length: n * count }, (_, i) => BigInt((i * 7919) % rows)),
  )
  const graph = new Graph()
  const updates = input(graph, 'updates', 'float32', [n, count, columns])
  graph.output('sums', scatterAddRows(constant(graph, index), updates, rows))
  await using session = await createSession(graph, { device: 'cpu', threads })
  const ones = floats(new Float32Array(n * count * columns).fill(1), [n, count, columns])
  const { sums } = await session.run({ updates: ones })
  expect(sums!.shape).toEqual([n, rows, columns])
  expect(new Set(sums!.data as Float32Array)).toEqual(new Set([count / rows]))
})
