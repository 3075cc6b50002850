import type { Graph } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import { createSession } from './node.ts'
import type { Tensors } from './session.ts'

/** Computes a graph's outputs once, on the CPU: for tests, and for values that are needed once. */
export async function evaluate(
  graph: Graph,
  feeds: Tensors = {},
  weights?: ReadonlyMap<string, Tensor>,
): Promise<Record<string, Tensor>> {
  const session = await createSession(graph, { device: 'cpu', ...(weights && { weights }) })
  try {
    return await session.run(feeds)
  } finally {
    await session.close()
  }
}
