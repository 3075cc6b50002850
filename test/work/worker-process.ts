// A worker as a process of its own, which tests kill. Arguments: store, queue or -, scratch folder, and milliseconds that it
// takes for a video. It counts, and tracks videos by waiting.
import { openStore } from '../../src/work/open-store.ts'
import { parseQueue } from '../../src/work/queue.ts'
import type { Kind } from '../../src/work/task.ts'
import { work } from '../../src/work/worker.ts'
import { countingKind, waitingKind } from './counting.ts'

const [named, queue, scratch, milliseconds] = process.argv.slice(2) as [string, string, string, string?]
const stop = new AbortController()
process.on('SIGTERM', () => stop.abort())
/** Tells of an event, with the time and the milliseconds of a processor that this worker has used. */
const say = (event: object) => {
  const { user, system } = process.cpuUsage()
  process.stdout.write(`${JSON.stringify({ ...event, at: Date.now(), cpu: (user + system) / 1000 })}\n`)
}
await work({
  store: await openStore(named),
  queue: queue === '-' ? undefined : parseQueue(queue),
  kinds: [
    countingKind((name, from) => say({ began: name, from })),
    waitingKind(Number(milliseconds ?? 0)),
  ] as unknown as Kind[],
  // Where time is measured, no task is to be done twice because this machine stands still for two seconds.
  ...{
    lease: milliseconds === undefined ? 2 : 30,
    checkpointSeconds: 0.1,
    scratch,
    signal: stop.signal,
    onNews: say,
  },
})
