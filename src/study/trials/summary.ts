// What the trials of a study come to: each measure over the seeds, and which network is best for which budget.
import { findMeasure, type Measure, measureNames } from '../../evaluate/measures.ts'
import { paretoFront } from '../../profile/costs.ts'
import type { Method, Trial } from './plan.ts'
import type { TrialState } from './run-trials.ts'

/** The measure that networks are ranked by. */
export const rankedBy: Readonly<Record<Method, string>> = { distilled: 'distance', scratch: 'ratio' }

/** How a measure of a trial is shown. */
export type TrialMeasure = Pick<Measure, 'label' | 'unit' | 'short' | 'better'>

/** What a trial records of its training, besides the measures of what it trained. */
const ofTraining: Readonly<Record<string, TrialMeasure>> = {
  steps: { label: 'steps', short: 'steps', better: 'neither' },
  seconds: { label: 'seconds of training', short: 'train s', better: 'lower' },
}

/** Names of what trials measure. No trial moves another picture, so none measures `transfer`. */
export const trialMeasureNames = (): string[] => [
  ...measureNames().filter((name) => name !== 'transfer'),
  ...Object.keys(ofTraining),
]

export function trialMeasure(name: string): TrialMeasure {
  const found = ofTraining[name] ?? findMeasure(name)
  // A measure of a plugin that is not loaded now.
  return found ?? { label: name, short: name, better: 'neither' }
}

/** A measure over the seeds. */
export interface Spread {
  /** Mean over the seeds. */
  readonly mean: number
  /** Standard deviation of the seeds (over n - 1); undefined for one seed. */
  readonly deviation: number | undefined
  /** Number of seeds. */
  readonly n: number
}

/** What a network with a skip came to by one method. */
export interface Summary {
  /** How the detectors were trained. */
  readonly method: Method
  /** By the names of measures; a measure that no seed has is missing. */
  readonly measures: Readonly<Partial<Record<string, Spread>>>
  /** Number of seeds that were measured. */
  readonly n: number
  /** Number of seeds whose training failed: the measures are of the others. */
  readonly failed: number
  /** Frames that each was measured on; 0 if none was measured. */
  readonly frames: number
}

export function spreadOf(values: readonly number[]): Spread {
  const n = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  if (n < 2) return { mean, deviation: undefined, n }
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, deviation: Math.sqrt(squares / (n - 1)), n }
}

/** Means and spreads over the seeds of a network, a skip and a method. */
export function summarise(
  states: readonly TrialState[],
  { net, skip, method }: Omit<Trial, 'seed'>,
): Summary {
  const results = states.flatMap(({ trial, result }) => {
    const isOne = trial.net === net && trial.skip === skip && trial.method === method
    return isOne && result !== undefined ? [result] : []
  })
  const done = results.flatMap((result) => (result.status === 'done' ? [result] : []))
  const names = new Set([...trialMeasureNames(), ...done.flatMap((result) => Object.keys(result.measures))])
  const spreads = [...names].flatMap((name) => {
    const values = done.flatMap((result) => result.measures[name] ?? [])
    return values.length === 0 ? [] : [[name, spreadOf(values)] as const]
  })
  return {
    method,
    measures: Object.fromEntries(spreads),
    n: done.length,
    failed: results.length - done.length,
    frames: done[0]?.frames ?? 0,
  }
}

/** A network that may be recommended: its name, its cost, and its error over the seeds. */
export interface Choice {
  /** Name of the network. */
  readonly name: string
  /** Its cost. */
  readonly cost: number
  /** Less is better. */
  readonly error: Spread
}

/** The best choice of a range of budgets. */
export interface Recommendation {
  /** Name of the network. */
  readonly name: string
  /** The least budget that it fits: its own cost. */
  readonly from: number
  /** The cost of the next better choice; undefined for the last. */
  readonly to: number | undefined
  /** Its error over the seeds. */
  readonly error: Spread
  /**
   * The cheapest choice whose error is not clearly larger, if that is another one: the difference is within the standard
   * deviations of both together.
   */
  readonly enough: string | undefined
}

/**
 * The most accurate choice within each budget: the Pareto front of cost and mean error, cheapest first. If two are
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

/** Whether means differ by no more than both standard deviations together. For single seeds this is not known. */
function isNear(a: Spread, b: Spread): boolean {
  if (a.deviation === undefined || b.deviation === undefined) return false
  return Math.abs(a.mean - b.mean) <= Math.hypot(a.deviation, b.deviation)
}
