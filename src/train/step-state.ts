import type { Graph, Value } from '../graph/graph.ts'
import { concat, gradient, input, reduceSum, reshape, simplify, sqrt, square } from '../graph/ops/index.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { Scope } from '../layers/scope.ts'
import { type AdamOptions, adam } from './adam.ts'
import { copyWithFlat, type FlatLayout, flatLayout, flatten } from './flat.ts'

/** A training step as one graph, and where each weight and buffer stands in its flat vectors. */
export interface TrainingStep {
  /**
   * Inputs: what one batch brings, `weights`, `buffers`, `firstMoment`, `secondMoment`, and Adam's scalars.
   * Outputs: `losses`, as `reports` lists them, and the four vectors under the names of `stateOutputs`.
   */
  readonly graph: Graph
  readonly weights: FlatLayout
  readonly buffers: FlatLayout
  /** Contents of the parameters that are not trained: those of a perceptual network. */
  readonly fixed: ReadonlyMap<string, Tensor>
  /** What the step reports: `loss`, its terms, and `gradientNorm`. */
  readonly reports: readonly string[]
}

/** Names of the state vectors: as inputs, and as outputs. */
export const stateOutputs = {
  weights: 'weights.next',
  buffers: 'buffers.next',
  firstMoment: 'firstMoment.next',
  secondMoment: 'secondMoment.next',
} as const
export type StateName = keyof typeof stateOutputs

/** What a step minimises, and further scalars that it reports. */
export type Terms = Readonly<Record<string, Value>> & { readonly loss: Value }

/**
 * Makes a training step of a loss: adds gradients, running statistics and Adam, and reads all parameters from
 * flat vectors.
 *
 * @param scope in training mode, with all parameters that the loss reads
 * @param fixed contents of the graph's parameters that are not the scope's
 */
export function withState(
  scope: Scope,
  terms: Terms,
  options: AdamOptions,
  fixed: ReadonlyMap<string, Tensor> = new Map(),
): TrainingStep {
  const parameters = [...scope.parameters.values()]
  const weights = flatLayout(parameters, 'weight')
  const buffers = flatLayout(parameters, 'buffer')
  const leaves = weights.entries.map(({ name }) => scope.parameters.get(name)!)
  const grads = gradient(terms.loss, leaves)
  const grad = flatten(new Map(weights.entries.map(({ name }, i) => [name, grads[i]!])), weights)
  const nextBuffers = flatten(new Map([...scope.parameters, ...scope.updates]), buffers)

  const reported = { ...terms, gradientNorm: sqrt(reduceSum(square(grad))) }
  const losses = concat(
    Object.values(reported).map((value) => reshape(value, [1])),
    0,
  )
  const flat = copyWithFlat([losses, grad, nextBuffers], { weights, buffers })
  const { graph } = flat
  const moment = (name: StateName) => input(graph, name, 'float32', [weights.size])
  const state = {
    weights: flat.weights,
    firstMoment: moment('firstMoment'),
    secondMoment: moment('secondMoment'),
  }
  const next = adam(state, flat.copy(grad), options)
  graph.output('losses', flat.copy(losses))
  graph.output(stateOutputs.weights, next.weights)
  graph.output(stateOutputs.buffers, flat.copy(nextBuffers))
  graph.output(stateOutputs.firstMoment, next.firstMoment)
  graph.output(stateOutputs.secondMoment, next.secondMoment)
  return { graph: simplify(graph), weights, buffers, fixed, reports: Object.keys(reported) }
}
