import { describe, expect, it } from 'vitest'
import { halve, promoted, rungsOf, type Score } from '../../../src/study/search/plan.ts'
import { Random } from '../../../src/util/random.ts'

/** An error that falls with the budget towards a candidate's own, at its own rate, and is measured with noise. */
interface Learner {
  readonly final: number
  readonly rate: number
}

const drawLearners = (random: Random, count: number): Learner[] =>
  Array.from({ length: count }, () => ({ final: random.uniform(), rate: random.between(1, 3) }))

async function bestOf(learners: readonly Learner[], random: Random) {
  const spent: number[] = []
  const rungs = rungsOf(learners.length, 100, 3)
  const levels = await halve(learners, rungs, async ({ final, rate }, rung): Promise<Score> => {
    const { steps } = rungs[rung]!
    spent.push(steps)
    return { error: final + rate / Math.sqrt(steps) + (0.5 * random.normal()) / Math.sqrt(steps), cost: 1 }
  })
  return { best: promoted(levels.at(-1)!, 1)[0]!.candidate, spent, levels }
}

describe('successive halving', () => {
  it('finds the optimum far more often than chance', async () => {
    const random = new Random(7)
    let [found, rank] = [0, 0]
    const trials = 200
    for (let i = 0; i < trials; i++) {
      const learners = drawLearners(random, 27)
      const { best } = await bestOf(learners, random)
      const better = learners.filter(({ final }) => final < best.final).length
      if (better === 0) found++
      rank += better / trials
    }
    // By chance: 1 of 27, and 13 are better.
    expect(found / trials).toBeGreaterThan(0.4)
    expect(rank).toBeLessThan(2)
  })

  it('spends as much on every rung, which adds up', async () => {
    const random = new Random(1)
    expect(rungsOf(27, 100, 3)).toEqual([
      { steps: 100, count: 27 },
      { steps: 300, count: 9 },
      { steps: 900, count: 3 },
    ])
    const { spent, levels } = await bestOf(drawLearners(random, 27), random)
    expect(levels.map((level) => level.length)).toEqual([27, 9, 3])
    expect(spent.reduce((a, b) => a + b, 0)).toBe(3 * 2700)
    const left = await bestOf(drawLearners(random, 4), random)
    expect(left.levels.map((level) => level.length)).toEqual([4, 1, 1])
    expect(rungsOf(0, 100, 2).map(({ count }) => count)).toEqual([0, 0])
  })

  const scored = (...scores: [error: number, cost: number][]) =>
    scores.map(([error, cost], candidate) => ({ candidate, score: { error, cost } }))
  const ids = (of: readonly { readonly candidate: number }[]) => of.map(({ candidate }) => candidate)

  it('keeps a place for what is cheaper and no worse than all that is as cheap', () => {
    const all = scored([0.1, 1], [0.11, 1], [0.12, 1], [0.2, 0.5], [0.3, 0.6])
    expect(ids(promoted(all, 3))).toEqual([0, 1, 3])
    expect(ids(promoted(all, 1))).toEqual([0])
    expect(ids(promoted(all, 9))).toEqual([0, 1, 2, 3, 4])
  })

  it('lets nothing go on that failed', async () => {
    const failed = scored([Number.POSITIVE_INFINITY, 0.1], [0.5, 1], [Number.POSITIVE_INFINITY, 0.2])
    expect(ids(promoted(failed, 3))).toEqual([1])
    const levels = await halve([1, 2, 3], rungsOf(3, 1, 2), async () => ({
      error: Number.POSITIVE_INFINITY,
      cost: 1,
    }))
    expect(levels).toHaveLength(1)
  })
})
