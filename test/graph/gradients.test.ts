import { describe, expect, test } from 'vitest'
import { verify } from '../../src/graph/graph.ts'
import { inputInfo, parameterInfo } from '../../src/graph/ops/leaf.ts'
import { liveNodes } from '../../src/graph/rewrite.ts'
import { floats, sizeOf } from '../../src/graph/tensor.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { computePlain, numericGradients, type Probe, probe, relativeError } from '../support/gradcheck.ts'
import { opCases } from './op-cases.ts'
import { type OpName, opTable } from './op-table.ts'

const names = Object.keys(opTable) as OpName[]

/** The gradients of a probe as ONNX Runtime computes them. */
async function runOnnx({ graph, feeds }: Probe): Promise<Float32Array[]> {
  const leaves = liveNodes(graph)
  const fed = leaves.flatMap((node) => inputInfo(node) ?? [])
  const tensors = fed.map(({ name, shape }) => [name, floats(feeds[Number(name.slice(1))]!, shape)] as const)
  const parameters = leaves.flatMap((node) => parameterInfo(node) ?? [])
  const weights = new Map(
    parameters.map(({ name, shape }) => [name, floats(new Float32Array(sizeOf(shape)).fill(0.5), shape)]),
  )
  const results = await evaluate(graph, Object.fromEntries(tensors), weights)
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
    const computed = await runOnnx(check)
    expect(relativeError(computed, numeric)).toBeLessThan(1e-3)

    // Negative control: a gradient that is off by one percent in one input must not pass.
    const spoiled = analytic.map((grad) => grad.map((value) => value * 1.01))
    expect(relativeError(spoiled, numeric)).toBeGreaterThan(1e-3)
  })
})
