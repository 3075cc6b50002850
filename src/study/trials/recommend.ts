import { paretoFront } from '../../profile/pareto.ts'
import type { Spread } from './gather.ts'

/** Something that may be recommended: its name, what it costs, and its error over the seeds. */
export interface Choice {
  readonly name: string
  readonly cost: number
  /** Less is better. */
  readonly error: Spread
}

/** The best choice of a range of budgets. */
export interface Recommendation {
  readonly name: string
  /** The least budget that it fits: its own cost. */
  readonly from: number
  /** Where the next better one begins to fit; undefined for the last. */
  readonly to: number | undefined
  readonly error: Spread
  /**
   * The cheapest choice whose error is not clearly larger, if that is another one: the difference is within the standard
   * deviations of both together.
   */
  readonly enough: string | undefined
}

/**
 * The most accurate choice within each budget: the Pareto front of cost and mean error, cheapest first. Where two are
 * equal in both, both are on it.
 */
export function recommend(choices: readonly Choice[]): Recommendation[] {
  const front = paretoFront(choices, ({ cost, error }) => [cost, error.mean]).toSorted(
    (a, b) => a.cost - b.cost,
  )
  return front.map((choice, i) => ({
    name: choice.name,
    from: choice.cost,
    to: front.slice(i + 1).find(({ cost }) => cost > choice.cost)?.cost,
    error: choice.error,
    enough: choices
      .filter((other) => other.cost < choice.cost && isNear(other.error, choice.error))
      .toSorted((a, b) => a.cost - b.cost)[0]?.name,
  }))
}

/** Whether means differ by no more than both standard deviations together; not known for single seeds. */
function isNear(a: Spread, b: Spread): boolean {
  if (a.deviation === undefined || b.deviation === undefined) return false
  return Math.abs(a.mean - b.mean) <= Math.hypot(a.deviation, b.deviation)
}
