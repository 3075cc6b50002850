// A plain network as a graph: for counting, exporting and importing.
import { Graph } from '../graph/graph.ts'
import { input } from '../graph/ops/leaf.ts'
import type { Shape } from '../graph/tensor.ts'
import { type Clipping, type Dilations, Scope } from '../layers/scope.ts'
import { findNet } from './registry.ts'

/** What `networkGraph` builds. */
export interface NetworkGraphOptions {
  /** Channels of the result. */
  readonly outputs: number
  /** Of the pictures, [N, 3, H, W]; default: one of 64x64, or as large as the network's stride asks for. */
  readonly shape?: Shape
  /** Default: clipped. */
  readonly dilations?: Dilations
}

/**
 * A plain network of the zoo in evaluation mode: input `image` [N, C, H, W], output `output`
 * [N, outputs, H, W].
 *
 * @returns the graph, and the dilations that were clipped at this size
 * @throws InputError for an unknown network, or a size that it does not take.
 */
export function networkGraph(
  name: string,
  { outputs, shape, dilations = 'clipped' }: NetworkGraphOptions,
): {
  /** The network. */
  graph: Graph
  /** The dilations that were clipped. */
  clipped: readonly Clipping[]
} {
  const net = findNet(name)
  const graph = new Graph()
  const side = Math.max(64, net.multiple())
  const image = input(graph, 'image', 'float32', shape ?? [1, 3, side, side])
  const scope = Scope.root(graph, { training: false, dilations })
  graph.output('output', net.build(scope, image, { outputs }))
  return { graph, clipped: scope.clippings }
}
