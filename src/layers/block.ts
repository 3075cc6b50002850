// What a block says of itself: its name, and examples with their costs.

import type { Value } from '../graph/graph.ts'
import type { Shape } from '../graph/tensor.ts'
import type { Scope } from './scope.ts'

/**
 * What a block says of itself. Its description, picture and formulas are the comment over its function: the
 * pages in docs/blocks are made from there, so they are written once.
 */
export interface Block {
  /** As in `docs/blocks/NAME.md`. */
  readonly name: string
  readonly title: string
  readonly examples: readonly BlockExample[]
}

export interface BlockExample {
  readonly label: string
  /** [N, C, H, W] */
  readonly input: Shape
  readonly build: (scope: Scope, x: Value) => Value
  /** By the block's formulas, with this example's numbers; tests hold the built graph to it. */
  readonly cost: {
    /** Trained numbers, without running statistics. */
    readonly params: number
    /** Multiply-accumulates of convolutions and matrix products. */
    readonly macs: number
  }
}
