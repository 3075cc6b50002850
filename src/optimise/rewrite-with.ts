// The exact rewriting of a trained graph: all rewrites in their order. Values that depend on weights
// alone are computed once.

import { Graph, type Node, type Value } from '../graph/graph.ts'
import { simplify } from '../graph/ops/index.ts'
import { input, inputInfo, isLeaf, parameter, parameterInfo } from '../graph/ops/leaf.ts'
import { copyInto, liveNodes, rewrite } from '../graph/rewrite.ts'
import type { Tensor } from '../graph/tensor.ts'
import { foldNorms, joinParallelConvs, joinSiblings } from './fold-into-kernels.ts'
import {
  filterAsProduct,
  halvedByResizing,
  poolBeforeJacobian,
  samplesByShifts,
  splitJoined,
} from './fomm.ts'
import { joinHalves } from './joined-halves.ts'
import {
  doubledAsProduct,
  smallAffineAsProduct,
  smallMapsAsProduct,
  subpixelUpsampling,
} from './small-maps.ts'

/** How a graph is rewritten. */
export interface RewriteOptions {
  /**
   * Whose kernels it is written for (default `native`): ONNX Runtime's on the CPU, which compute blocks of sixteen
   * channels at once; those on WebAssembly, whose time is that of the products alone; or those of a GPU. Each runs on all.
   */
  readonly target?: RewriteTarget
}

/** Kernels that a graph is rewritten for. */
export type RewriteTarget = 'native' | 'wasm' | 'gpu'

/**
 * A trained graph, written so that it computes the same with less: norms folded into kernels, parallel branches
 * summed as kernels, convolutions of one map joined, wide convolutions of small maps and chains of narrow ones as products, both halves of
 * split-shuffle blocks at once, doubled maps multiplied while they are small, the anti-alias filter as two
 * products, means of 2x2 pixels as resizing, features pooled before the jacobians' kernel, and every value that depends on weights alone computed once.
 * Results agree to rounding.
 *
 * @param evaluate computes the values that depend on weights alone
 */
export async function rewriteWith(
  evaluate: Evaluate,
  { graph, weights }: Weighted,
  { target = 'native' }: RewriteOptions = {},
): Promise<Weighted> {
  const cheaper = poolBeforeJacobian(halvedByResizing(filterAsProduct(simplify(graph), weights)))
  const folded = smallMapsAsProduct(joinSiblings(foldNorms(joinParallelConvs(cheaper))))
  const doubled = subpixelUpsampling(doubledAsProduct(smallAffineAsProduct(joinHalves(folded))))
  const split = target === 'native' ? splitJoined(doubled) : doubled
  // A GPU samples by itself.
  const fewer = target === 'gpu' ? split : samplesByShifts(split)
  const { graph: computed, weights: kept } = await precompute({ graph: fewer, weights }, evaluate)
  return { graph: simplify(computed), weights: kept }
}

/** A graph with the contents of its parameters. */
export interface Weighted {
  readonly graph: Graph
  readonly weights: ReadonlyMap<string, Tensor>
}

/** Computes a graph without inputs, once. */
export type Evaluate = (
  graph: Graph,
  weights: ReadonlyMap<string, Tensor>,
) => Promise<Readonly<Record<string, Tensor>>>

/**
 * Computes each value that depends on weights and constants alone once, and keeps the results as weights.
 *
 * @returns the graph without those nodes, and its weights: the weights that are still read, and `folded.N`
 */
export async function precompute({ graph, weights }: Weighted, evaluate: Evaluate): Promise<Weighted> {
  const nodes = liveNodes(graph)
  const fixed = new Set<Node>()
  for (const node of nodes) {
    const known = isLeaf(node)
      ? node.op.name !== 'input'
      : node.inputs.every((value) => fixed.has(value.node))
    if (known) fixed.add(node)
  }
  const wanted = new Set<Value>()
  const ask = (value: Value) => {
    if (fixed.has(value.node) && !isLeaf(value.node)) wanted.add(value)
  }
  for (const node of nodes) if (!fixed.has(node)) node.inputs.forEach(ask)
  for (const value of graph.outputs.values()) ask(value)
  const values = [...wanted]

  const before = new Graph()
  const copies = copyInto(before, values)
  values.forEach((value, i) => {
    before.output(`folded.${i}`, copies.get(value)!)
  })
  const results = values.length === 0 ? {} : await evaluate(before, weights)

  const names = new Map(values.map((value, i) => [value, `folded.${i}`]))
  const folded = rewrite(graph, (node, _inputs, target) => {
    if (!node.outputs.some((value) => names.has(value))) return undefined
    return node.outputs.map((value) => {
      const name = names.get(value) ?? `unread.${value.node.id}.${value.index}`
      return parameter(target, name, value.shape, { kind: 'fill', value: 0 }, 'buffer')
    })
  })
  return { graph: folded, weights: readBy(folded, new Map([...weights, ...Object.entries(results)])) }
}

function readBy(graph: Graph, weights: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const names = new Set(liveNodes(graph).map((node) => parameterInfo(node)?.name))
  return new Map(Array.from(weights).filter(([name]) => names.has(name)))
}

/**
 * Two networks, of which the second is run many times for one run of the first: what the second computes of the first's picture
 * and results alone becomes results of the first. Parameters stay where they are.
 *
 * @param first its input and its outputs have the names of the second's inputs
 */
export function movedForward(first: Graph, second: Graph): { readonly first: Graph; readonly second: Graph } {
  const known = new Map<string, Value>(first.outputs)
  for (const node of liveNodes(first)) {
    const name = inputInfo(node)?.name
    if (name !== undefined) known.set(name, node.outputs[0]!)
  }
  const early = new Set<Node>()
  const moved = new Set<Value>()
  const read = new Set<string>()
  for (const node of liveNodes(second)) {
    const name = inputInfo(node)?.name
    const isFree = isLeaf(node)
      ? node.op.name === 'constant'
      : node.inputs.every((value) => early.has(value.node))
    if (name === undefined ? isFree : known.has(name)) early.add(node)
    else for (const value of node.inputs) if (early.has(value.node)) readLate(value)
  }
  for (const value of second.outputs.values()) if (early.has(value.node)) readLate(value)
  if (moved.size === 0) return { first, second }

  function readLate(value: Value): void {
    const name = inputInfo(value.node)?.name
    if (name !== undefined) read.add(name)
    else if (value.node.inputs.length > 0) moved.add(value)
  }

  const whole = new Graph()
  const ofFirst = copyInto(whole, known.values())
  const copies = copyInto(whole, moved, (node) => {
    const name = inputInfo(node)?.name
    return name === undefined ? undefined : [ofFirst.get(known.get(name)!)!]
  })
  for (const [name, value] of first.outputs) if (read.has(name)) whole.output(name, ofFirst.get(value)!)
  const names = new Map(Array.from(moved, (value, i) => [value, `early.${i}`]))
  for (const [value, name] of names) whole.output(name, copies.get(value)!)
  const rest = rewrite(second, (node, _inputs, target) =>
    node.outputs.some((value) => names.has(value))
      ? node.outputs.map((value) => input(target, names.get(value)!, value.dtype, value.shape))
      : undefined,
  )
  return { first: whole, second: rewrite(rest, () => undefined) }
}
