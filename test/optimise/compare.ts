// A rewritten graph beside the graph that it was made of.
import { expect } from 'vitest'
import type { Graph } from '../../src/graph/graph.ts'
import { liveNodes } from '../../src/graph/rewrite.ts'
import type { Tensor } from '../../src/graph/tensor.ts'
import { type RewriteOptions, rewriteExactly } from '../../src/model/open-model.ts'
import type { Weighted } from '../../src/optimise/rewrite-with.ts'
import { evaluate } from '../../src/runtime/node.ts'

export const opsOf = ({ graph }: Pick<Weighted, 'graph'>) => liveNodes(graph).map((node) => node.op.name)

/** Rewrites a graph, and expects the same results. @returns the rewritten graph */
export async function compare(
  graph: Graph,
  weights: Map<string, Tensor>,
  feeds: Record<string, Tensor>,
  options: RewriteOptions = {},
) {
  const before = await evaluate(graph, feeds, weights)
  const rewritten = await rewriteExactly({ graph, weights }, options)
  const after = await evaluate(rewritten.graph, feeds, rewritten.weights)
  for (const [name, { data, shape }] of Object.entries(before)) {
    expect(after[name]!.shape).toEqual(shape)
    expect(worst(data as Float32Array, after[name]!.data as Float32Array), name).toBeLessThan(1e-5)
  }
  return rewritten
}

/** Relative L2. */
export function worst(a: Float32Array, b: Float32Array): number {
  let [error, norm] = [0, 0]
  a.forEach((value, i) => {
    error += (value - b[i]!) ** 2
    norm += value ** 2
  })
  return Math.sqrt(error / norm)
}
