import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseQueue, TaskQueue } from '../../src/work/queue.ts'
import { RemoteRunner } from '../../src/work/remote.ts'
import { type Kind, localRunner, taskText } from '../../src/work/task.ts'
import { keys } from '../../src/work/transfer.ts'
import { type Compiled, compile } from '../support/compile.ts'
import { countingKind } from './counting.ts'
import { DisturbedWorld, missingServers, wantedKills } from './disturbed.ts'

const kind = countingKind()
/** Length of each task. */
const steps = 120
let compiled: Compiled
let folder: string
beforeAll(() => {
  compiled = compile('test/work/worker-process.ts')
})
afterAll(() => compiled.remove())
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-kills-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))
/** Its workers end before their folder is removed: hooks of the end run in reverse order. */
const world = new DisturbedWorld()

describe.skipIf(missingServers !== '')(`24 tasks on one queue and one S3 store ${missingServers}`, () => {
  it('end as undisturbed ones after many kills, a lost queue, a silent store and a paused worker', {
    timeout: 3_600_000,
  }, async () => {
    const tasks = Array.from({ length: 24 }, (_, i) => ({ name: `task ${i}`, to: steps, ms: 25 }))
    const place = (name: string) => ({ folder: join(folder, name), cache: folder })
    const local = localRunner()
    for (const task of tasks) await local.perform(kind, { ...task, ms: 0 }, place(`local ${task.name}`), {})
    const { address, named } = world
    const store = await world.openStore()
    const notes: string[] = []
    const runner = new RemoteRunner({
      ...{ store, queue: await TaskQueue.open(parseQueue(address)), pollSeconds: 0.2 },
      onNote: (text) => notes.push(text),
    })
    const main = fileURLToPath(compiled.url('test/work/worker-process.ts'))
    world.startWorkers((i) => [main, named, address, join(folder, `scratch ${i}`)], '"from"')
    let ended = 0
    /** When each checkpoint was first seen in the store, by its key. */
    const seen = new Map<string, number>()
    const look = async () => {
      for (; ended < tasks.length; await sleep(100)) {
        for await (const { key } of store.list('checkpoints/')) if (!seen.has(key)) seen.set(key, Date.now())
      }
    }
    const all = tasks.map(async (task) => {
      await runner.perform(kind, task, place(task.name), {})
      ended++
    })
    const { besides } = await world.disturb(Promise.all([...all, look()]), 500)
    for (const { name } of tasks) {
      const [found, undisturbed] = [name, `local ${name}`].map((one) =>
        JSON.parse(readFileSync(join(folder, one, 'result.json'), 'utf8')),
      )
      expect(found).toMatchObject({ name, to: steps, chain: undisturbed.chain })
    }
    expect(ended).toBe(24)
    expect(world.kills).toBe(wantedKills - 1)
    expect(await world.names('results/')).toHaveLength(24)
    // Each attempt goes on from the last checkpoint that was in the store before. A second is left for an attempt to begin.
    const begins = beginsIn(world.said)
    for (const { began, from, at } of begins) {
      const { id } = taskText(kind as unknown as Kind, tasks.find(({ name }) => name === began)!, {})
      const before = [...seen].filter(
        ([key, since]) => key.startsWith(keys.checkpoints(id)) && since < at - 1000,
      )
      expect(from, began).toBeGreaterThanOrEqual(Math.max(0, ...before.map(([key]) => countIn(key))))
    }
    const resumed = begins.filter(({ from }) => from > 0)
    process.stderr.write(
      `${world.kills} kills, ${besides.join(', ')}; ${begins.length} attempts, ${resumed.length} of them from a checkpoint, ${seen.size} checkpoints seen in the store; notes: ${notes.join('; ')}\n`,
    )
    expect(resumed.length).toBeGreaterThan(0)
    world.expectNoSecrets()
    await runner.close()
  })
})

interface Begin {
  readonly began: string
  /** Steps that the attempt took over from a checkpoint. */
  readonly from: number
  readonly at: number
}

/** Attempts that workers told of. A line that a kill cut off counts as none. */
const beginsIn = (said: string): Begin[] =>
  said.split('\n').flatMap((line) => {
    try {
      const event = JSON.parse(line) as Partial<Begin>
      return event.began === undefined ? [] : [event as Begin]
    } catch {
      return []
    }
  })

/** Steps that a checkpoint contains: its name begins with the part of the task that is done, in billionths. */
const countIn = (key: string): number =>
  Math.round((Number(key.split('/').at(-1)!.slice(0, 10)) / 1e9) * steps)
