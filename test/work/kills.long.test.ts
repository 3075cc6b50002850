import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../../src/work/open-store.ts'
import { parseQueue, TaskQueue } from '../../src/work/queue.ts'
import { RemoteRunner } from '../../src/work/remote.ts'
import { localRunner } from '../../src/work/task.ts'
import { type Compiled, compile } from '../support/compile.ts'
import {
  redisProgram,
  type S3Server,
  s3Program,
  startRedis,
  startS3,
  type TestServer,
  withoutRedis,
  withoutS3,
} from '../support/servers.ts'
import { countingKind } from './counting.ts'
import { disturb, RestartedWorker } from './disturbed.ts'

const kind = countingKind()
/** Kills during the study. A machine that has no core to spare takes minutes for each. */
const wanted = Number(process.env.PANTIN_TEST_KILLS ?? 3)
let compiled: Compiled
let folder: string
let s3: S3Server | undefined
let redis: TestServer | undefined
beforeAll(() => {
  compiled = compile('test/work/worker-process.ts')
})
afterAll(() => compiled.remove())
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-kills-'))
  s3 = s3Program === undefined ? undefined : await startS3()
  redis = redisProgram === undefined ? undefined : await startRedis()
})
afterEach(async () => {
  await s3?.remove()
  await redis?.remove()
  rmSync(folder, { recursive: true, force: true })
})

const missing = [redisProgram === undefined && withoutRedis, s3Program === undefined && withoutS3].filter(
  Boolean,
)

describe.skipIf(missing.length > 0)(`24 tasks on one queue and one S3 store ${missing.join(', ')}`, () => {
  it('end as undisturbed ones after many kills, a lost queue, a silent store and a paused worker', {
    timeout: 900_000,
  }, async () => {
    const tasks = Array.from({ length: 24 }, (_, i) => ({ name: `task ${i}`, to: 120, ms: 25 }))
    const place = (name: string) => ({ folder: join(folder, name), cache: folder })
    const local = localRunner()
    for (const task of tasks) await local.perform(kind, { ...task, ms: 0 }, place(`local ${task.name}`), {})
    Object.assign(process.env, s3!.env)
    const address = `redis://127.0.0.1:${redis!.port}`
    const store = await openStore('s3://pantin-tests/study')
    const notes: string[] = []
    const runner = new RemoteRunner({
      ...{ store, queue: await TaskQueue.open(parseQueue(address)), pollSeconds: 0.2 },
      onNote: (text) => notes.push(text),
    })
    const main = fileURLToPath(compiled.url('test/work/worker-process.ts'))
    const workers = [0, 1, 2].map((i) => {
      const words = [main, 's3://pantin-tests/study', address, join(folder, `scratch ${i}`)]
      return new RestartedWorker(words, s3!.env, '"from"')
    })
    let ended = 0
    let isOver = false
    const all = Promise.all(
      tasks.map(async (task) => {
        await runner.perform(kind, task, place(task.name), {})
        ended++
      }),
    ).finally(() => {
      isOver = true
    })
    const disturbed = disturb({
      ...{ workers, kills: wanted, busyFor: 500, redis: redis!, s3: s3!, isOver: () => isOver },
    })
    await Promise.all([all, disturbed])
    for (const { name } of tasks) {
      const [found, undisturbed] = [name, `local ${name}`].map((one) =>
        JSON.parse(readFileSync(join(folder, one, 'result.json'), 'utf8')),
      )
      expect(found).toMatchObject({ name, to: 120, chain: undisturbed.chain })
    }
    expect(ended).toBe(24)
    const results: string[] = []
    for await (const { key } of store.list('results/')) results.push(key)
    expect(results).toHaveLength(24)
    // Tasks went on from checkpoints.
    const said = workers.map((worker) => worker.said).join('')
    const resumed = Array.from(said.matchAll(/"from":(\d+)/g), ([, from]) => Number(from)).filter(
      (from) => from > 0,
    )
    const kills = workers.reduce((sum, worker) => sum + worker.kills, 0)
    process.stderr.write(
      `${kills} kills; ${resumed.length} attempts went on from a checkpoint; notes: ${notes.join('; ')}\n`,
    )
    expect(resumed.length).toBeGreaterThan(0)
    // No credential is in what workers say.
    for (const secret of [s3!.env.AWS_SECRET_ACCESS_KEY!, s3!.env.AWS_ACCESS_KEY_ID!])
      expect(said).not.toContain(secret)
    await runner.close()
    await Promise.all(workers.map((worker) => worker.end()))
  })
})
