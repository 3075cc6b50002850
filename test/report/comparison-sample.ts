import type { Comparison } from '../../src/study/candidates.ts'
import { compareWith } from '../../src/study/compare.ts'
import { fakeMachine } from '../study/compare-fake.ts'

/** A comparison of real networks whose times are made up: by the number of nodes, and the same in every run. */
export function sampleComparison(nets?: readonly string[]): Promise<Comparison> {
  return compareWith({ ...(nets && { nets }), rounds: 3, threads: 2 }, fakeMachine())
}
