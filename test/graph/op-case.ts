// The form of a case in the table of ops (op-cases.ts).
import type { Value } from '../../src/graph/graph.ts'
import type { Shape } from '../../src/graph/tensor.ts'

/** One use of an op, small enough for central differences. */
export interface OpCase {
  readonly title: string
  /** Shapes of the float inputs that are drawn at random. */
  readonly inputs: readonly Shape[]
  /** Range that inputs are drawn from (default -1 to 1), off the op's kinks and poles. */
  readonly range?: readonly [number, number]
  /** Numbers are kept this far from 0 and, with `gap`, from each other (for kinks at ties). */
  readonly away?: number
  readonly build: (...inputs: Value[]) => Value
  /**
   * The function whose derivative the gradient rule gives, where that is not the op's own: rounding counts as the identity.
   * Returns the elements of the result for moved inputs; `at` are the inputs that they were moved from.
   */
  readonly straightThrough?: (inputs: readonly Float64Array[], at: readonly Float64Array[]) => Float64Array
}
