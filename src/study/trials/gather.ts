import { type MeasureName, measureNames } from './measures.ts'
import type { Method, Trial } from './plan.ts'
import type { TrialState } from './run-trials.ts'

/** A measure over the seeds. */
export interface Spread {
  readonly mean: number
  /** Standard deviation of the seeds (over n - 1); undefined for one seed. */
  readonly deviation: number | undefined
  /** Seeds. */
  readonly n: number
}

/** What a network with a skip came to by one method. */
export interface Gathered {
  readonly method: Method
  readonly measures: Readonly<Partial<Record<MeasureName, Spread>>>
  /** Seeds that were measured. */
  readonly n: number
  /** Seeds whose training failed: the measures are of the others. */
  readonly failed: number
  /** Frames that each was measured on; 0 where none was. */
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
export function gather(states: readonly TrialState[], { net, skip, method }: Omit<Trial, 'seed'>): Gathered {
  const results = states.flatMap(({ trial, result }) => {
    const own = trial.net === net && trial.skip === skip && trial.method === method
    return own && result !== undefined ? [result] : []
  })
  const done = results.flatMap((result) => (result.status === 'done' ? [result] : []))
  const measures = measureNames.flatMap((name) => {
    const values = done.flatMap(({ measures }) => measures[name] ?? [])
    return values.length === 0 ? [] : [[name, spreadOf(values)]]
  })
  return {
    method,
    measures: Object.fromEntries(measures) as Gathered['measures'],
    n: done.length,
    failed: results.length - done.length,
    frames: done[0]?.frames ?? 0,
  }
}
