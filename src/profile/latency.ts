// How long things take, measured side by side in one process, and weights to time a network with. A machine drifts
// (clock rates, other programs), and the threads of a session go on spinning after its run. So everything is timed in
// turn, many rounds, in a new random order for each round. Before each timed run the machine rests, then runs the same
// thing untimed for a while: threads that a first run woke may share a core until the system's next tick (4 ms on
// Linux), which tripled the time of every other run of 2 ms.

import type { ParameterInfo } from '../graph/ops/leaf.ts'
import { sizeOf, type Tensor } from '../graph/tensor.ts'
import { InputError } from '../util/errors.ts'
import { Random } from '../util/random.ts'

/** Something that times itself: in another process, for instance. */
export interface Sampler {
  /** Milliseconds of one run, after the rest and the untimed runs that the options ask for. */
  sample(): Promise<number>
}

/** Milliseconds of one run. */
export interface Latency {
  /** Median, in milliseconds. */
  readonly median: number
  /** Least, in milliseconds. */
  readonly min: number
  /** A quarter of the runs took less, a quarter more than these. */
  readonly quartiles: readonly [number, number]
}

/** The source of time; tests replace it. */
export interface Clock {
  /** Milliseconds. */
  now(): number
  rest(ms: number): Promise<unknown>
}

/** How long and how often things are timed. */
export interface LatencyOptions {
  /** Timed runs of each (default: as many as fit the budget, 3 to 50). */
  readonly rounds?: number
  /** Seconds that all of it may take (default 90). Three rounds are made even if they take longer. */
  readonly budgetSeconds?: number
  /** Rest before the untimed runs, in milliseconds (default 30). */
  readonly restMs?: number
  /** How long it runs untimed before the timed run, in milliseconds, once at least (default 15). */
  readonly warmMs?: number
  /** Of the orders (default 0). */
  readonly seed?: number
  /** Ends the timing between two runs, with the signal's reason. */
  readonly signal?: AbortSignal
  /** `total` is an estimate while the budget decides. */
  onRun?(done: number, total: number): void
  readonly clock?: Clock
}

/** The times of several things that were timed in turn. */
export interface Latencies {
  readonly rounds: number
  /** In the order of the items that were timed. */
  readonly latencies: readonly Latency[]
}

const [leastRounds, mostRounds] = [3, 50]
/** Rest before the untimed runs, in milliseconds. */
export const defaultRestMs = 30
/** Duration of the untimed runs, in milliseconds. */
export const defaultWarmMs = 15
/** Seconds that a whole measurement may take. */
export const defaultBudgetSeconds = 90

/** The process's own clock. */
export const realClock: Clock = {
  now: () => performance.now(),
  rest: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}

/**
 * Times everything in turn.
 *
 * @throws the signal's reason where it aborts, between two runs. InputError for no rounds.
 */
export async function timeInTurn(timed: readonly Timed[], options: LatencyOptions = {}): Promise<Latencies> {
  const { restMs = defaultRestMs, warmMs = defaultWarmMs, clock = realClock, signal } = options
  checkRounds(options.rounds)
  const began = clock.now()
  // The first run of a session sets up its memory; it belongs to no round.
  for (const { run } of timed) {
    signal?.throwIfAborted()
    await run()
  }
  const samplers = timed.map((one) => ({
    sample: async () => {
      await clock.rest(restMs)
      return timeOnce(one, warmMs, () => clock.now())
    },
  }))
  const guess = timed.length * (restMs + warmMs) + 2 * (clock.now() - began)
  return takeInTurn(samplers, options, began, guess)
}

/**
 * The same for samplers, which time themselves. Each must have run once before.
 *
 * @throws as `timeInTurn`.
 */
export async function sampleInTurn(
  samplers: readonly Sampler[],
  options: LatencyOptions = {},
): Promise<Latencies> {
  checkRounds(options.rounds)
  return takeInTurn(samplers, options, (options.clock ?? realClock).now(), Number.POSITIVE_INFINITY)
}

/** Rounds in random order. `guess` is how long a round may take, in milliseconds, before one was made. */
async function takeInTurn(
  samplers: readonly Sampler[],
  options: LatencyOptions,
  began: number,
  guess: number,
): Promise<Latencies> {
  const { budgetSeconds = defaultBudgetSeconds, clock = realClock, signal } = options
  const random = new Random(options.seed ?? 0)
  const samples = samplers.map((): number[] => [])
  let done = 0

  const round = async (planned: number) => {
    for (const i of shuffled(samplers.length, random)) {
      signal?.throwIfAborted()
      samples[i]!.push(await samplers[i]!.sample())
      options.onRun?.(++done, planned * samplers.length)
    }
  }

  const fitting = (rounds: number, perRound: number) => {
    const left = began + 1000 * budgetSeconds - clock.now()
    return Math.min(mostRounds, Math.max(leastRounds, rounds + Math.floor(left / perRound)))
  }
  const firstRound = clock.now()
  let rounds = 0
  let planned = options.rounds ?? fitting(0, guess)
  while (samplers.length > 0 && rounds < planned) {
    await round(planned)
    rounds++
    if (options.rounds === undefined) planned = fitting(rounds, (clock.now() - firstRound) / rounds)
  }
  return { rounds, latencies: samples.map(summarise) }
}

function checkRounds(rounds: number | undefined): void {
  if (rounds === undefined || (Number.isSafeInteger(rounds) && rounds > 0)) return
  throw new InputError({
    what: 'this number of rounds cannot be made',
    got: String(rounds),
    expected: 'a whole number, 1 or more',
  })
}

/** 0 to count - 1 in random order (Fisher and Yates). */
function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1)
    ;[order[i], order[j]] = [order[j]!, order[i]!]
  }
  return order
}

function summarise(samples: readonly number[]): Latency {
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    median: quantile(sorted, 0.5),
    min: sorted[0]!,
    quartiles: [quantile(sorted, 0.25), quantile(sorted, 0.75)],
  }
}

/** Linear between neighbours. */
function quantile(sorted: readonly number[], part: number): number {
  const at = part * (sorted.length - 1)
  const low = Math.floor(at)
  return sorted[low]! + (at - low) * ((sorted[low + 1] ?? sorted[low]!) - sorted[low]!)
}

/** Something to time. */
export interface Timed {
  run(): Promise<unknown>
}

/** Milliseconds of one run, after untimed ones for at least `warmMs`. */
export async function timeOnce(timed: Timed, warmMs: number, now: () => number): Promise<number> {
  const warmFrom = now()
  do await timed.run()
  while (now() - warmFrom < warmMs)
  const began = now()
  await timed.run()
  return now() - began
}

/**
 * Weights to time a network with. How long a run takes does not depend on them, with two exceptions that these
 * stay clear of: numbers so small that processors compute with them slowly, and zeros and ones that ONNX
 * Runtime would optimise away. A table of random numbers is repeated, which takes no time even for a network
 * of a hundred million weights.
 */
export function timingWeights(
  parameters: Iterable<ParameterInfo>,
  seed: number,
): Map<string, Tensor<'float32'>> {
  const random = new Random(seed)
  // A prime number of them, so that rows of a kernel do not repeat each other.
  const table = Float32Array.from({ length: 65_521 }, () => random.between(0.1, 1))
  const signed = table.map((value) => (random.uniform() < 0.5 ? -value : value))
  return new Map(
    Array.from(parameters, ({ name, shape, initial }) => {
      const data = new Float32Array(sizeOf(shape))
      if (initial.kind === 'values') data.set(initial.values.data)
      else if (initial.kind === 'fill') repeat(table, data, (value) => initial.value + 0.01 * value)
      else {
        const amount = initial.kind === 'uniform' ? initial.amount : initial.deviation
        repeat(signed, data, (value) => amount * value)
      }
      return [name, { dtype: 'float32', data, shape }]
    }),
  )
}

/** Fills `data` with the table, each of its numbers changed by `change`. */
function repeat(table: Float32Array, data: Float32Array, change: (value: number) => number): void {
  const changed = table.subarray(0, data.length).map(change)
  for (let at = 0; at < data.length; at += changed.length) {
    data.set(changed.subarray(0, data.length - at), at)
  }
}
