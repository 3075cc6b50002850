import { compare } from '../../src/compress/compare.ts'
import type { Comparison } from '../../src/compress/comparison.ts'
import { fakeMachine } from '../compress/compare-fake.ts'

/** A comparison of real networks whose times are made up: by the number of nodes, and the same in every run. */
export function sampleComparison(nets?: readonly string[]): Promise<Comparison> {
  return compare({ ...(nets && { nets }), rounds: 3, threads: 2 }, fakeMachine())
}
