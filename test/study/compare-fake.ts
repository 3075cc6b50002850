import type { Graph } from '../../src/graph/graph.ts'
import { liveNodes } from '../../src/graph/rewrite.ts'
import type { Clock } from '../../src/profile/latency.ts'
import type { SessionOptions } from '../../src/runtime/node.ts'
import type { Session } from '../../src/runtime/session.ts'

/** A machine on which time passes only where a test says so. */
export interface FakeMachine {
  readonly clock: Clock
  /** What happened, in order: `rest`, and `run` with the session's number. */
  readonly log: string[]
  readonly opened: SessionOptions[]
  readonly closed: Set<number>
  openSession(graph: Graph, options: SessionOptions): Promise<Session>
}

/** @param cost milliseconds of one run of a session, by its number, at a time */
export function fakeMachine(
  cost: (session: number, now: number, graph: Graph) => number = (_, __, graph) =>
    liveNodes(graph).length / 100,
): FakeMachine {
  let now = 0
  const log: string[] = []
  const opened: SessionOptions[] = []
  const closed = new Set<number>()
  return {
    log,
    opened,
    closed,
    clock: {
      now: () => now,
      rest: async (ms) => {
        log.push('rest')
        now += ms
      },
    },
    openSession: async (graph, options) => {
      const number = opened.length
      opened.push(options)
      return {
        inputs: new Map(),
        outputs: new Map(),
        device: 'cpu',
        run: async () => {
          log.push(`run ${number}`)
          now += cost(number, now, graph)
          return {}
        },
        close: async () => {
          closed.add(number)
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }
    },
  }
}
