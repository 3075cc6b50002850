// What single nodes of a graph cost, and what they are called, as their ops say.

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
