import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openStore } from '../../src/work/open-store.ts'
import { parseQueue, TaskQueue } from '../../src/work/queue.ts'
import { RemoteRunner } from '../../src/work/remote.ts'
import { processVideos, type VideoSettings } from '../../src/work/videos.ts'
import { type Compiled, compile } from '../support/compile.ts'
import { redisProgram, startRedis, withoutRedis } from '../support/servers.ts'
import { makeRun } from '../support/shared.ts'

/**
 * A folder of short clips is tracked by 1, 2 and 4 workers, which are processes. A clip takes 100 ms, in which its worker
 * waits: workers on one machine would take the cores from each other, which workers on machines of their own do not.
 * PANTIN_TEST_CLIPS=2000 measures more exactly, on a machine that does nothing else.
 */
const clips = Number(process.env.PANTIN_TEST_CLIPS ?? 60)
const milliseconds = 100
const folder = mkdtempSync(join(tmpdir(), 'pantin-many-'))
const run = join(folder, 'run')
const from = join(folder, 'clips')
let compiled: Compiled

beforeAll(async () => {
  compiled = compile('test/work/worker-process.ts')
  await makeRun(run)
  mkdirSync(from)
  // Each has its own content, and is copied to its worker.
  for (let i = 0; i < clips; i++) writeFileSync(join(from, `${i}.mp4`), randomBytes(20_000))
})
afterAll(() => {
  compiled.remove()
  rmSync(folder, { recursive: true, force: true })
})

interface Measured {
  /** Clips per second of one worker. */
  readonly rate: number
  /** Heap of the command in MB, at most, in each quarter of the work. */
  readonly heap: readonly number[]
  /** Milliseconds of a processor that the command, and a worker, took for each clip. */
  readonly command: number
  readonly worker: number
}

async function measure(workers: number): Promise<Measured> {
  const own = join(folder, `with ${workers}`)
  const redis = await startRedis()
  const address = `redis://127.0.0.1:${redis.port}`
  const times: number[][] = []
  const used: number[] = []
  const last: number[] = []
  let ready = 0
  const children = Array.from({ length: workers }, (_, i) => {
    const words = [join(own, 'store'), address, join(own, `scratch ${i}`), String(milliseconds)]
    const main = fileURLToPath(compiled.url('test/work/worker-process.ts'))
    const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ends: number[] = []
    times.push(ends)
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { kind, at, cpu } = JSON.parse(line) as { kind?: string; at: number; cpu: number }
      if (kind === 'ready') {
        ready++
        used[i] = -cpu
      } else if (kind === 'done') {
        ends.push(at)
        last[i] = cpu
      }
    })
    return child
  })
  try {
    while (ready < workers) await sleep(50)
    const queue = await TaskQueue.open(parseQueue(address, {}))
    const runner = new RemoteRunner({ store: await openStore(join(own, 'store')), queue })
    const settings: VideoSettings = { work: 'track', run, format: 'json', overlay: false, device: 'cpu' }
    const videos = readdirSync(from).map((name) => join(from, name))
    const heap = [0, 0, 0, 0]
    const before = process.cpuUsage()
    const rows = await processVideos({
      ...{ settings, from, videos, out: join(own, 'out'), runner },
      onProgress: ({ done }) => {
        const quarter = Math.min(3, Math.floor((4 * done) / clips))
        heap[quarter] = Math.max(heap[quarter]!, process.memoryUsage().heapUsed / 2 ** 20)
      },
    })
    const { user, system } = process.cpuUsage(before)
    await runner.close()
    expect(rows.filter(({ status }) => status === 'done')).toHaveLength(clips)
    expect(times.flat()).toHaveLength(clips)
    // The first clips wait for the command, which is still copying clips into the store.
    const spans = times.map((ends) => ends.slice(Math.floor(ends.length / 10)))
    const rates = spans.map((ends) => ((ends.length - 1) * 1000) / (ends.at(-1)! - ends[0]!))
    return {
      rate: rates.reduce((sum, rate) => sum + rate, 0) / workers,
      heap,
      command: (user + system) / 1000 / clips,
      worker: last.reduce((sum, cpu, i) => sum + cpu + used[i]!, 0) / clips,
    }
  } finally {
    const gone = children.map((child) => new Promise((resolve) => child.once('exit', resolve)))
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(gone)
    await redis.remove()
    rmSync(own, { recursive: true, force: true })
  }
}

it.skipIf(redisProgram === undefined)(
  `a queue costs little beside the work of ${clips} clips, with 1, 2 and 4 workers ${redisProgram ? '' : withoutRedis}`,
  { timeout: 3_600_000 },
  async () => {
    const found: Measured[] = []
    for (const workers of [1, 2, 4]) {
      const one = await measure(workers)
      found.push(one)
      const { rate, heap, command, worker } = one
      const overhead = 1000 / rate - milliseconds
      process.stderr.write(
        `${clips} clips of ${milliseconds} ms, ${workers} workers: ${rate.toFixed(2)} per second and worker, ` +
          `${overhead.toFixed(1)} ms more per clip, ${worker.toFixed(1)} of them of a processor; command: ` +
          `${command.toFixed(1)} ms of a processor per clip, heap at most ${heap.map((part) => part.toFixed(0)).join(', ')} MB in each quarter\n`,
      )
    }
    // Loose, and no limit on times: other tests may take the cores.
    for (const { heap, worker, command } of found) {
      expect(worker).toBeLessThan(200)
      expect(command).toBeLessThan(200)
      expect(heap[3]! - heap[0]!).toBeLessThan(60)
    }
  },
)
