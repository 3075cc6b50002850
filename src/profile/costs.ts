// Costs: of single nodes of a graph, as their ops state them, and the Pareto front of items by their costs.

import type { Node } from '../graph/graph.ts'
import { bytesPerElement, sizeOf } from '../graph/tensor.ts'

/**
 * Multiply-accumulates of one run: products of convolutions, transposed convolutions and matrix products. Sums,
 * biases, norms, activations and resizing are not counted, as in the tables of the literature.
 */
export function macsOf(node: Node): number {
  const { cost } = node.op
  return typeof cost === 'function' ? cost(node) : 0
}

/**
 * Bytes that a run writes: those of the node's first result. Other results (the indices of a max pool) are made
 * only if something reads them, and are not counted.
 */
export function activationBytesOf({ op, outputs }: Node): number {
  const made = outputs[0]
  if (made === undefined || op.cost === 'nothing') return 0
  return sizeOf(made.shape) * bytesPerElement[made.dtype]
}

/** The nodes in words: `3x1 conv, relu, 1x3 conv, norm, add`. Equal neighbours are counted: `add x 3`. */
export function opsInWords(nodes: readonly Node[]): string {
  const parts: { readonly text: string; count: number }[] = []
  for (const node of nodes) {
    const { words } = node.op
    if (words === 'silent') continue
    const text = typeof words === 'function' ? words(node) : words
    const last = parts.at(-1)
    if (last?.text === text) last.count++
    else parts.push({ text, count: 1 })
  }
  return parts.map(({ text, count }) => (count > 1 ? `${text} x ${count}` : text)).join(', ')
}

/**
 * The items that no other item beats: none is at least as cheap in every respect and cheaper in one.
 *
 * @param costs of one item, as many for each; less is better. Items whose costs are equal stand or fall
 * together.
 * @returns those items, in the order given.
 */
export function paretoFront<T>(items: readonly T[], costs: (item: T) => readonly number[]): T[] {
  const all = items.map(costs)
  return items.filter((_, i) => !all.some((other) => beats(other, all[i]!)))
}

const beats = (a: readonly number[], b: readonly number[]) =>
  a.every((cost, i) => cost <= b[i]!) && a.some((cost, i) => cost < b[i]!)
