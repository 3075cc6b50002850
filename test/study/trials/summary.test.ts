import { expect, it } from 'vitest'
import type { Trial } from '../../../src/study/trials/plan.ts'
import type { TrialState } from '../../../src/study/trials/run-trials.ts'
import { recommend, spreadOf, summarise } from '../../../src/study/trials/summary.ts'

it('has mean, standard deviation over n - 1, and n', () => {
  expect(spreadOf([2, 4, 9])).toEqual({ mean: 5, deviation: Math.sqrt(13), n: 3 })
  expect(spreadOf([7])).toEqual({ mean: 7, deviation: undefined, n: 1 })
})

const trial = (seed: number, rest: Partial<Trial> = {}): Trial => ({
  ...{ net: 'enet', method: 'scratch', skip: 'all', seed },
  ...rest,
})
const done = (of: Trial, measures: Record<string, number>): TrialState => ({
  trial: of,
  result: { status: 'done', trial: of, measures, frames: 5, device: 'cpu', wallSeconds: 1 },
})

it('gathers the seeds of one network, skip and method, and counts those that failed', () => {
  const failed: TrialState = {
    trial: trial(44),
    result: { status: 'failed', trial: trial(44), reason: 'diverged', wallSeconds: 1 },
  }
  const states = [
    done(trial(42), { l1: 1, psnr: 20 }),
    done(trial(43), { l1: 3 }),
    failed,
    { trial: trial(45), result: undefined },
    done(trial(42, { skip: 'none' }), { l1: 100 }),
    done(trial(42, { method: 'distilled' }), { l1: 100 }),
    done(trial(42, { net: 'lednet' }), { l1: 100 }),
  ]
  expect(summarise(states, trial(0))).toEqual({
    ...{ method: 'scratch', n: 2, failed: 1, frames: 5 },
    measures: {
      l1: { mean: 2, deviation: Math.SQRT2, n: 2 },
      psnr: { mean: 20, deviation: undefined, n: 1 },
    },
  })
  expect(summarise(states, trial(0, { net: 'esnet' }))).toMatchObject({ n: 0, failed: 0, measures: {} })
})

const choice = (name: string, cost: number, mean: number, deviation?: number) => ({
  ...{ name, cost },
  error: { mean, deviation, n: 3 },
})

it('recommends the most accurate within each budget, and none that another beats', () => {
  const found = recommend([
    choice('dear', 4, 0.1),
    choice('beaten', 3, 0.5),
    choice('cheap', 1, 0.6),
    choice('middle', 2, 0.3),
  ])
  expect(found.map(({ name, from, to }) => [name, from, to])).toEqual([
    ['cheap', 1, 2],
    ['middle', 2, 4],
    ['dear', 4, undefined],
  ])
})

it('says where a cheaper one is as good, by the spread of the seeds', () => {
  const named = (deviation?: number) =>
    recommend([
      choice('a', 1, 0.5, deviation),
      choice('b', 2, 0.44, deviation),
      choice('c', 3, 0.2, deviation),
    ]).map(({ enough }) => enough)
  expect(named(0.05)).toEqual([undefined, 'a', undefined])
  expect(named(0.03)).toEqual([undefined, undefined, undefined])
  // Of single seeds nothing is known.
  expect(named()).toEqual([undefined, undefined, undefined])
  expect(recommend([])).toEqual([])
})
