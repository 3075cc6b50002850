import { Graph } from '../graph/graph.ts'
import { input } from '../graph/ops/leaf.ts'
import { type Dilations, Scope } from '../layers/scope.ts'
import { findNet } from '../zoo/registry.ts'

export interface NetGraphOptions {
  /** Channels of the result. */
  readonly outputs: number
  /** Channels, height and width of one picture. */
  readonly input: readonly [number, number, number]
  readonly dilations: Dilations
}

/**
 * The plain network on one picture, in evaluation mode: input `x` [1, C, H, W], output `y`.
 *
 * @throws InputError for an unknown network, or a size that it does not take.
 */
export function netGraph(name: string, { outputs, input: shape, dilations }: NetGraphOptions): Graph {
  const net = findNet(name)
  const graph = new Graph()
  const scope = Scope.root(graph, { training: false, dilations })
  graph.output('y', net.build(scope, input(graph, 'x', 'float32', [1, ...shape]), { outputs }))
  return graph
}
