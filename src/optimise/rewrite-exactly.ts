import { evaluate } from '../runtime/evaluate.ts'
import type { Weighted } from './precompute.ts'
import { type RewriteOptions, rewriteWith } from './rewrite-with.ts'

export type { RewriteOptions, RewriteTarget } from './rewrite-with.ts'

/** `rewriteWith` in Node: a trained graph, written so that it computes the same with less. */
export const rewriteExactly = (network: Weighted, options?: RewriteOptions): Promise<Weighted> =>
  rewriteWith((graph, weights) => evaluate(graph, {}, weights), network, options)
