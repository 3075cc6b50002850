// Times sessions in turn, and graphs, each in a session of its own on one device.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Graph } from '../graph/graph.ts'
import { simplify } from '../graph/ops/index.ts'
import { inputInfo, parametersOf } from '../graph/ops/leaf.ts'
import { liveNodes } from '../graph/rewrite.ts'
import { floats, sizeOf, type Tensor } from '../graph/tensor.ts'
import type { Weighted } from '../optimise/rewrite-with.ts'
import { coresHere, createSession, type SessionOptions } from '../runtime/node.ts'
import type { Device, Session, Tensors } from '../runtime/session.ts'
import { Random } from '../util/random.ts'
import {
  type Clock,
  defaultBudgetSeconds,
  type Latencies,
  type Latency,
  type LatencyOptions,
  realClock,
  timeInTurn,
  timingWeights,
} from './latency.ts'

/** The budget is for all of it, loading included. */
export interface TimeGraphsOptions extends LatencyOptions {
  /** The device to time on (default: a GPU if one works, otherwise the CPU). */
  readonly device?: SessionOptions['device']
  /** Threads within one op on the CPU (default: one for each core). */
  readonly threads?: number
  /** Rewrites each graph before it is timed, as `rewriteExactly` does (default: the graph stays as it is). */
  rewrite?(network: Weighted): Promise<Weighted>
  onLoaded?(done: number, device: Device): void
  /** For tests. */
  readonly openSession?: (graph: Graph, options: SessionOptions) => Promise<Session>
}

/** The times of several graphs, and where they were computed. */
export interface GraphLatencies extends Latencies {
  /** The one that all were timed on. */
  readonly device: Device
  readonly threads: number | null
}

/**
 * Times graphs in turn, as `timeInTurn`: each in a session of its own, on one device, with random weights and
 * a random picture. All sessions are open at once, which takes the memory of all weights.
 *
 * @param graphs at least one; each is called once.
 * @throws EnvironmentError if the device is not there, or the signal's reason where it aborts.
 */
export async function timeGraphs(
  graphs: readonly (() => Graph)[],
  options: TimeGraphsOptions = {},
): Promise<GraphLatencies> {
  const { openSession = createSession, seed = 0, signal, clock = realClock } = options
  const { budgetSeconds = defaultBudgetSeconds } = options
  const began = clock.now()
  const threads = options.threads ?? coresHere()
  const sessions: Session[] = []
  try {
    const timed: { run(): Promise<unknown> }[] = []
    for (const make of graphs) {
      await nextTurn()
      signal?.throwIfAborted()
      const simple = simplify(make())
      const device = sessions[0]?.device ?? options.device ?? 'auto'
      const given = { graph: simple, weights: timingWeights(parametersOf(simple), seed) }
      const { graph, weights } = (await options.rewrite?.(given)) ?? given
      const session = await openSession(graph, { device, threads, weights })
      sessions.push(session)
      const feeds = randomFeeds(graph, seed)
      timed.push({ run: () => session.run(feeds) })
      options.onLoaded?.(sessions.length, session.device)
    }
    const { device } = sessions[0]!
    const spent = (clock.now() - began) / 1000
    const measured = await timeInTurn(timed, { ...options, budgetSeconds: budgetSeconds - spent })
    return { ...measured, device, threads: device === 'cpu' ? threads : null }
  } finally {
    for (const session of sessions) await session.close()
  }
}

/** How networks are timed. */
export interface TimingOptions {
  /** Threads within one op. */
  readonly threads: number
  readonly signal?: AbortSignal | undefined
}

/** Processor time of this process: with one thread, it does not count what other programs do meanwhile. */
const cpuClock: Clock = {
  now: () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  },
  rest: realClock.rest,
}

/** Times of sessions in turn. With one thread, processor time is measured. */
export async function timeSessions(
  sessions: readonly Session[],
  feeds: Tensors,
  { threads, rounds, signal }: TimingOptions & Pick<LatencyOptions, 'rounds'>,
): Promise<readonly Latency[]> {
  const { latencies } = await timeInTurn(
    sessions.map((session) => ({ run: () => session.run(feeds) })),
    {
      clock: threads === 1 ? cpuClock : realClock,
      restMs: 2,
      budgetSeconds: 4 * sessions.length,
      ...(rounds !== undefined && { rounds }),
      ...(signal && { signal }),
    },
  )
  return latencies
}

/** Numbers in [0, 1) for every input. */
function randomFeeds(graph: Graph, seed: number): Record<string, Tensor> {
  const random = new Random(seed)
  const inputs = liveNodes(graph).flatMap((node) => inputInfo(node) ?? [])
  return Object.fromEntries(
    inputs.map(({ name, shape }) => [
      name,
      floats(
        Array.from({ length: sizeOf(shape) }, () => random.uniform()),
        shape,
      ),
    ]),
  )
}
