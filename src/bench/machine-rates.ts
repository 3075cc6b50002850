import { Graph, type Value } from '../graph/graph.ts'
import { add, input, matmul } from '../graph/ops/index.ts'
import { floats, sizeOf } from '../graph/tensor.ts'
import { createSession } from '../runtime/node.ts'

/** What the machine does at best: what no training step can be faster than. */
export interface MachineRates {
  /** Multiply-adds a second, of a product of two large matrices. */
  readonly macs: number
  /** Bytes a second, of a sum of two vectors that no cache holds. */
  readonly bytes: number
}

const side = 1024
/** Elements of a vector: 64 MiB. */
const length = 2 ** 24
const runs = 12

/** Measures both with onnxruntime-node's CPU provider; the fastest of some runs counts. */
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
