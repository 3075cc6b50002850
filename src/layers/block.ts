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
  /** Title of the page of the block. */
  readonly title: string
  /** Uses of the block, for its page and its tests. */
  readonly examples: readonly BlockExample[]
}

/** One use of a block. */
export interface BlockExample {
  /** What the example shows. */
  readonly label: string
  /** [N, C, H, W] */
  readonly input: Shape
  /** Builds the block on an input of that shape. */
  readonly build: (scope: Scope, x: Value) => Value
  /** By the block's formulas, with this example's numbers; tests hold the built graph to it. */
  readonly cost: {
    /** Trained numbers, without running statistics. */
    readonly params: number
    /** Multiply-accumulates of convolutions and matrix products. */
    readonly macs: number
  }
}
