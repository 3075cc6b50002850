import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseQueue, TaskQueue } from '../../src/work/queue.ts'
import { RemoteRunner } from '../../src/work/remote.ts'
import { localRunner } from '../../src/work/task.ts'
import { type Compiled, compile } from '../support/compile.ts'
import { countingKind } from './counting.ts'
import { DisturbedWorld, missingServers } from './disturbed.ts'

const kind = countingKind()
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
    const tasks = Array.from({ length: 24 }, (_, i) => ({ name: `task ${i}`, to: 120, ms: 25 }))
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
    const all = tasks.map(async (task) => {
      await runner.perform(kind, task, place(task.name), {})
      ended++
    })
    const { besides } = await world.disturb(Promise.all(all), 500)
    for (const { name } of tasks) {
      const [found, undisturbed] = [name, `local ${name}`].map((one) =>
        JSON.parse(readFileSync(join(folder, one, 'result.json'), 'utf8')),
      )
      expect(found).toMatchObject({ name, to: 120, chain: undisturbed.chain })
    }
    expect(ended).toBe(24)
    expect(await world.results()).toHaveLength(24)
    // Tasks went on from checkpoints.
    const begins = Array.from(world.said.matchAll(/"from":(\d+)/g), ([, from]) => Number(from))
    const resumed = begins.filter((from) => from > 0)
    process.stderr.write(
      `${world.kills} kills, ${besides.join(', ')}; ${begins.length} attempts, ${resumed.length} of them from a checkpoint; notes: ${notes.join('; ')}\n`,
    )
    expect(resumed.length).toBeGreaterThan(0)
    world.expectNoSecrets()
    await runner.close()
  })
})
