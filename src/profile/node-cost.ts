import type { Node } from '../graph/graph.ts'
import { bytesPerElement, sizeOf } from '../graph/tensor.ts'

/** What one node of a graph costs when the graph runs once. */

/**
 * Multiply-accumulates: products of convolutions, transposed convolutions and matrix products. Sums, biases,
 * norms, activations and resizing are not counted, as in the tables of the literature.
 */
export function macsOf({ op, inputs, outputs }: Node): number {
  const shape = (value: { readonly shape: readonly number[] } | undefined) => value?.shape ?? []
  const result = sizeOf(shape(outputs[0]))
  switch (op.name) {
    case 'conv':
      // The kernel [O, C / group, kh, kw] without its first axis is what one result sums over.
      return result * sizeOf(shape(inputs[1]).slice(1))
    case 'convTranspose':
      return sizeOf(shape(inputs[0])) * sizeOf(shape(inputs[1]).slice(1))
    case 'matmul':
      return result * shape(inputs[0]).at(-1)!
    default:
      return 0
  }
}

/** Ops that make nothing: what they give is fed, stored with the model, or the same memory seen otherwise. */
const makeNothing: ReadonlySet<string> = new Set(['input', 'parameter', 'constant', 'reshape'])

/** Bytes of the node's first result; others (the indices of a max pool) are made only where they are read. */
export function activationBytesOf({ op, outputs }: Node): number {
  const made = outputs[0]
  if (made === undefined || makeNothing.has(op.name)) return 0
  return sizeOf(made.shape) * bytesPerElement[made.dtype]
}
