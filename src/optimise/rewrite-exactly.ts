// The exact rewriting in Node. It is a file of its own, because pages give `rewriteWith` another way to compute.

import { evaluate } from '../runtime/node.ts'
import { type RewriteOptions, rewriteWith, type Weighted } from './rewrite-with.ts'

export type { RewriteOptions, RewriteTarget } from './rewrite-with.ts'

/** `rewriteWith` in Node: a trained graph, written so that it computes the same with less. */
export const rewriteExactly = (network: Weighted, options?: RewriteOptions): Promise<Weighted> =>
  rewriteWith((graph, weights) => evaluate(graph, {}, weights), network, options)
