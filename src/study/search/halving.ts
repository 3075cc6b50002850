// Successive halving (Jamieson and Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter
// optimization"): many candidates are tried with a small budget, the best third of them with three times as much, and so
// on. Most of the time goes to candidates that deserve it, if small budgets rank them about as large ones do.
import { paretoFront } from '../../profile/costs.ts'

/** The factor of budgets from rung to rung, and of the number of candidates the other way. */
export const eta = 3

export interface Rung {
  /** Budget of each candidate. */
  readonly steps: number
  /** The most candidates. */
  readonly count: number
}

/** @param rungs their number, at least 1 */
export const rungsOf = (candidates: number, steps: number, rungs: number): Rung[] =>
  Array.from({ length: rungs }, (_, i) => ({
    steps: steps * eta ** i,
    count: Math.max(Math.min(1, candidates), Math.floor(candidates / eta ** i)),
  }))

/** The score of a candidate on a rung. Less is better in both numbers. */
export interface Score {
  /** Infinity where it failed. */
  readonly error: number
  /** Its cost in use, which does not depend on what it learned. */
  readonly cost: number
}

export interface Scored<T> {
  readonly candidate: T
  readonly score: Score
}

/**
 * The candidates that go on to the next rung: those of the least errors, and for the last third of the places others of
 * the front of error and cost, so that a cheap candidate is not lost to several that are alike. None that failed goes on.
 */
export function promoted<T>(scored: readonly Scored<T>[], count: number): Scored<T>[] {
  const ranked = scored
    .filter(({ score }) => Number.isFinite(score.error))
    .toSorted((a, b) => a.score.error - b.score.error || a.score.cost - b.score.cost)
  const first = ranked.slice(0, count - Math.floor(count / eta))
  const front = new Set(paretoFront(ranked, ({ score }) => [score.error, score.cost]))
  const rest = ranked.slice(first.length)
  const others = [...rest.filter((one) => front.has(one)), ...rest.filter((one) => !front.has(one))]
  return [...first, ...others].slice(0, count)
}

/**
 * Runs candidates through all rungs, one at a time.
 *
 * @param score tries one candidate on a rung; rungs count from 0
 * @returns for each rung the candidates that were tried on it, in that order; fewer than `rungs` where all failed.
 */
export async function halve<T>(
  candidates: readonly T[],
  rungs: readonly Rung[],
  score: (candidate: T, rung: number) => Promise<Score>,
): Promise<Scored<T>[][]> {
  const levels: Scored<T>[][] = []
  let left = candidates
  for (const [i, { count }] of rungs.entries()) {
    if (i > 0) left = promoted(levels[i - 1]!, count).map(({ candidate }) => candidate)
    if (left.length === 0) break
    const level: Scored<T>[] = []
    for (const candidate of left) level.push({ candidate, score: await score(candidate, i) })
    levels.push(level)
  }
  return levels
}
