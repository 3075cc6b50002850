// The least time of a training step on this machine: its multiply-adds and bytes, at measured best rates.

import { Graph, type Value } from '../../src/graph/graph.ts'
import { add, input, matmul } from '../../src/graph/ops/index.ts'
import { floats, sizeOf } from '../../src/graph/tensor.ts'
import { detectorGraph, generatorGraph } from '../../src/motion/model.ts'
import { profile } from '../../src/profile/profile.ts'
import { createSession } from '../../src/runtime/node.ts'
import { childTask } from '../../src/util/child-process.ts'
import type { Figure } from './figure.ts'
import { makeStep, type StepChoice } from './step-graphs.ts'

/** Passes over memory that an update needs at least: 3 reads and 3 writes of weights and moments, 1 read of the gradient. */
const passes = 7
/** The forward pass, the gradients of maps, and the gradients of kernels. */
const directions = 3

/**
 * The least time of a step: the multiply-adds of its convolutions and matrix products, forward and both gradients,
 * at the rate of a large product; then the weights, moments and gradient once through memory.
 */
export function stepFloor(choice: StepChoice, rates: MachineRates): NonNullable<Figure['floor']> {
  const { model, training, weights } = makeStep(choice)
  const { batch } = training
  const detector = profile(detectorGraph(model)).macs
  // The whole step's detector sees source, driving and warped frames.
  const forward =
    choice.what === 'detector'
      ? batch * detector
      : 3 * batch * detector + batch * profile(generatorGraph(model)).macs
  const macs = directions * forward
  const bytes = 4 * passes * weights.size
  const [compute, memory] = [(1000 * macs) / rates.macs, (1000 * bytes) / rates.bytes]
  return {
    value: compute + memory,
    because:
      `${(macs / 1e9).toPrecision(3)} G multiply-adds (forward, gradients of maps and of kernels) at ` +
      `${(rates.macs / 1e9).toPrecision(3)} G/s, as a product of 1024x1024 matrices, and ` +
      `${(bytes / 1e6).toPrecision(3)} MB of weights, moments and gradient at ` +
      `${(rates.bytes / 1e9).toPrecision(3)} GB/s, as a sum of large vectors`,
  }
}

/** The best rates of the machine: no training step can be faster. */
export interface MachineRates {
  /** Multiply-adds per second, of a product of two large matrices. */
  readonly macs: number
  /** Bytes per second, of a sum of two vectors that fit in no cache. */
  readonly bytes: number
}

const side = 1024
/** Elements of a vector: 64 MiB. */
const length = 2 ** 24
const runs = 12

/** Measures both rates on onnxruntime-node's CPU provider. The fastest of several runs counts. */
export async function measureRates({ threads }: { readonly threads: number }): Promise<MachineRates> {
  return {
    macs: side ** 3 / (await leastSeconds([side, side], threads, matmul)),
    bytes: (3 * 4 * length) / (await leastSeconds([length], threads, add)),
  }
}

async function leastSeconds(
  shape: number[],
  threads: number,
  op: (a: Value, b: Value) => Value,
): Promise<number> {
  const graph = new Graph()
  graph.output('c', op(input(graph, 'a', 'float32', shape), input(graph, 'b', 'float32', shape)))
  const session = await createSession(graph, { device: 'cpu', threads })
  const filled = () => floats(new Float32Array(sizeOf(shape)).fill(0.5), shape)
  const [feeds, into] = [{ a: filled(), b: filled() }, { c: filled() }]
  let least = Number.POSITIVE_INFINITY
  try {
    for (let i = 0; i < runs; i++) {
      const began = performance.now()
      await session.run(feeds, into)
      least = Math.min(least, performance.now() - began)
    }
  } finally {
    await session.close()
  }
  return least / 1000
}

/** `measureRates` in a child process. */
export const measureRatesInChild = childTask(import.meta.url, measureRates)
