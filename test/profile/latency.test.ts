import { describe, expect, it } from 'vitest'
import { floats } from '../../src/graph/tensor.ts'
import { type LatencyOptions, type Timed, timeInTurn, timingWeights } from '../../src/profile/latency.ts'

/** Things that take the given milliseconds, on a clock that only they and rests move. */
function race(costs: readonly ((now: number) => number)[], options: LatencyOptions = {}) {
  let now = 0
  const log: (number | 'rest')[] = []
  const timed = costs.map(
    (cost, i): Timed => ({
      run: async () => {
        log.push(i)
        now += cost(now)
      },
    }),
  )
  const clock = {
    now: () => now,
    rest: async (ms: number) => {
      log.push('rest')
      now += ms
    },
  }
  const result = timeInTurn(timed, { clock, warmMs: 0, ...options })
  return { result, log, elapsed: () => now }
}

describe('timing in turn', () => {
  const three = [() => 1, () => 2, () => 3]

  it('times everything once a round, after a rest and an untimed run', async () => {
    const { result, log } = race(three, { rounds: 8 })
    expect(await result).toMatchObject({ rounds: 8 })
    expect(log.slice(0, 3)).toEqual([0, 1, 2])
    const rounds = Array.from({ length: 8 }, (_, i) => log.slice(3 + 9 * i, 12 + 9 * i))
    for (const round of rounds) {
      const turns = [0, 3, 6].map((at) => round.slice(at, at + 3))
      for (const [rest, warm, run] of turns) expect([rest, warm]).toEqual(['rest', run])
      expect(turns.map(([, run]) => run).sort()).toEqual([0, 1, 2])
    }
    expect(new Set(rounds.map(String)).size).toBeGreaterThan(1)
  })

  it('runs untimed until it is warm', async () => {
    const { result, log } = race([() => 4], { rounds: 1, warmMs: 10 })
    expect((await result).latencies[0]!.median).toBe(4)
    // The run that sets up memory; then 4, 8 and 12 ms of warming, and the timed one.
    expect(log).toEqual([0, 'rest', 0, 0, 0, 0])
  })

  it('draws the same orders from the same seed, and others from another', async () => {
    const orders = async (seed: number) => {
      const { result, log } = race(three, { rounds: 6, seed })
      await result
      return String(log)
    }
    expect(await orders(1)).toBe(await orders(1))
    expect(await orders(1)).not.toBe(await orders(2))
  })

  it('gives median, least and quartiles of the timed runs', async () => {
    let call = 0
    // A run sets up memory, then each timed one comes after an untimed one: 1, 2, 3, 4, 5.
    const { result } = race([() => (call++ % 2 === 0 && call > 1 ? call / 2 - 0.5 : 1000)], { rounds: 5 })
    expect((await result).latencies).toEqual([{ median: 3, min: 1, quartiles: [2, 4] }])
  })

  it('lets a drift of the machine meet all alike', async () => {
    // Half as fast after half of the rounds; one after the other, the second would look twice as slow.
    const drifting = (now: number) => (now < 1500 ? 5 : 10)
    const { result } = race([drifting, drifting], { rounds: 41 })
    const [a, b] = (await result).latencies
    expect(a!.median).toBe(b!.median)
    expect([a!.min, b!.min]).toEqual([5, 5])
  })
})

describe('the number of rounds', () => {
  it.each([
    ['fills the budget', 10, 2, 30],
    ['is at most 50', 1000, 2, 50],
    ['is at least 3', 0.1, 500, 3],
  ])('%s', async (_, budgetSeconds, cost, expected) => {
    const { result, elapsed } = race(
      Array.from({ length: 10 }, () => () => cost),
      { budgetSeconds },
    )
    const { rounds } = await result
    expect(rounds === expected || (expected === 30 && rounds > 20 && rounds <= 30)).toBe(true)
    if (rounds > 3) expect(elapsed()).toBeLessThanOrEqual(1000 * budgetSeconds)
  })

  it('shrinks when runs become slower than the first ones let expect', async () => {
    const { result, elapsed } = race([(now) => (now < 500 ? 1 : 200)], { budgetSeconds: 5 })
    // Fifty would fit if all were like the first.
    expect((await result).rounds).toBeLessThan(30)
    expect(elapsed()).toBeLessThan(5500)
  })

  it('is as asked for, and told as it goes', async () => {
    const told: [number, number][] = []
    const { result } = race([() => 1, () => 1], { rounds: 4, onRun: (...event) => told.push(event) })
    expect((await result).rounds).toBe(4)
    expect(told.at(0)).toEqual([1, 8])
    expect(told.at(-1)).toEqual([8, 8])
  })

  it.each([0, -1, 1.5, Number.NaN])('cannot be %d', async (rounds) => {
    await expect(race([() => 1], { rounds }).result).rejects.toThrow('1 or more')
  })
})

it('stops between two runs, with the reason of the signal', async () => {
  const controller = new AbortController()
  const { result, log } = race([() => 1, () => 1], {
    signal: controller.signal,
    onRun: (done) => done === 3 && controller.abort(),
  })
  await expect(result).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
  expect(log.filter((entry) => entry === 'rest')).toHaveLength(3)
})

describe('weights to time with', () => {
  const of = (initial: Parameters<typeof timingWeights>[0] extends Iterable<infer P> ? P : never) =>
    timingWeights([initial], 1).get(initial.name)!

  it('are as large as those of training, and none is zero or nearly so', () => {
    const { data, shape } = of({
      name: 'a',
      role: 'weight',
      shape: [300, 300],
      initial: { kind: 'uniform', amount: 0.05 },
    })
    expect(shape).toEqual([300, 300])
    expect(data.every((value) => Math.abs(value) >= 0.0049 && Math.abs(value) <= 0.05)).toBe(true)
    expect(data.some((value) => value < 0)).toBe(true)
    expect(new Set(data.subarray(0, 1000)).size).toBeGreaterThan(990)
  })

  it('are near what a norm starts with', () => {
    const variance = of({ name: 'v', role: 'buffer', shape: [9], initial: { kind: 'fill', value: 1 } })
    expect(variance.data.every((value) => value > 1 && value < 1.02)).toBe(true)
    const mean = of({ name: 'm', role: 'buffer', shape: [9], initial: { kind: 'fill', value: 0 } })
    expect(mean.data.every((value) => value > 1e-4)).toBe(true)
  })

  it('are those that are given', () => {
    const values = floats([1, 2, 3])
    expect(of({ name: 'k', role: 'weight', shape: [3], initial: { kind: 'values', values } }).data).toEqual(
      values.data,
    )
  })
})
