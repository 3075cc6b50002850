import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../../src/work/open-store.ts'
import { compileCli, runHere } from '../cli/run.ts'
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
import { disturb, RestartedWorker } from './disturbed.ts'
import { levelTimes, reportsOf, weightsOf } from './reports.ts'

/** Kills during the study. A machine that has no core to spare takes minutes for each ten. */
const kills = Number(process.env.PANTIN_TEST_KILLS ?? 3)
/** Seeds of each of four networks. Six make the 24 trainings that the guide speaks of. */
const seeds = Number(process.env.PANTIN_TEST_SEEDS ?? 1)
const cli = compileCli()
const folder = mkdtempSync(join(tmpdir(), 'pantin-study-'))
const clip = 'puppet:1,frames=8,size=16'
const teacher = join(folder, 'teacher')
const plan = (out: string) => [
  ...['study', clip, '--out', out, '--teacher', teacher, '--nets', 'enet,ficelle', '--skips', 'all'],
  ...[
    '--seeds',
    `${seeds}`,
    '--steps',
    '40',
    '--batch',
    '1',
    '--size',
    '16',
    '--keypoints',
    '2',
    '--device',
    'cpu',
  ],
]
let s3: S3Server | undefined
let redis: TestServer | undefined
const workers: RestartedWorker[] = []

beforeAll(async () => {
  const made = ['train', clip, '-o', teacher, '--net', 'enet', '--size', '16', '--keypoints', '2']
  const { code, stderr } = await runHere(...made, '--steps', '3', '--batch', '1', '--device', 'cpu')
  expect(code, stderr).toBe(0)
})
beforeEach(async () => {
  s3 = s3Program === undefined ? undefined : await startS3()
  redis = redisProgram === undefined ? undefined : await startRedis()
})
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.end()))
  await s3?.remove()
  await redis?.remove()
})
afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

const missing = [redisProgram === undefined && withoutRedis, s3Program === undefined && withoutS3].filter(
  Boolean,
)

describe.skipIf(missing.length > 0)(`a study of ${4 * seeds} trainings ${missing.join(', ')}`, () => {
  it(`is that of local processes, through ${kills} kills, a lost queue, a silent store and a paused worker`, {
    timeout: 3_600_000,
  }, async () => {
    const local = join(folder, 'local')
    const own = await cli.run([...plan(local), '--no-latency', '--quiet', '--jobs', '2'])
    expect(own.code, own.stderr).toBe(0)

    Object.assign(process.env, s3!.env)
    const named = 's3://pantin-tests/trainings'
    const store = await openStore(named)
    const where = ['--store', named, '--queue', `redis://127.0.0.1:${redis!.port}`]
    for (const i of [0, 1, 2]) {
      const words = ['worker', ...where, '--lease', '3', '--checkpoint', '1']
      const scratch = ['--scratch', join(folder, `scratch ${i}`)]
      workers.push(new RestartedWorker([cli.main, ...words, ...scratch], s3!.env, ' began'))
    }
    const out = join(folder, 'remote')
    let isOver = false
    const began = performance.now()
    const study = cli.run([...plan(out), ...where, '--no-latency']).finally(() => {
      isOver = true
    })
    const disturbed = disturb({
      ...{ workers, kills, busyFor: 8000, redis: redis!, s3: s3!, isOver: () => isOver },
    })
    const saved = new Set<string>()
    const look = async () => {
      for (; !isOver; await sleep(500)) {
        for await (const { key } of store.list('checkpoints/')) saved.add(key)
      }
    }
    const looking = look()
    const { code, stdout, stderr } = await study
    const seconds = (performance.now() - began) / 1000
    const besides = await disturbed
    await looking
    expect(code, stdout + stderr).toBe(0)

    // Each trial has one result, and its weights are those of a trial that nothing disturbed.
    const results: string[] = []
    for await (const { key } of store.list('results/')) results.push(key)
    expect(results).toHaveLength(4 * seeds)
    for await (const { key } of store.list('tasks/')) expect(key).toBe('none')
    expect(levelTimes(out)).toEqual(levelTimes(local))
    expect(levelTimes(out)).toHaveLength(4 * seeds)
    expect(weightsOf(out)).toEqual(weightsOf(local))
    expect(await reportsOf(cli, plan(out), out)).toEqual(await reportsOf(cli, plan(local), local))

    expect(saved.size).toBeGreaterThan(0)
    const said = workers.map((worker) => worker.said).join('')
    const begins = said.split(' began').length - 1
    const killed = workers.reduce((sum, worker) => sum + worker.kills, 0)
    process.stderr.write(
      `${killed} kills, ${besides.join(', ')}; ${begins} attempts at ${4 * seeds} trials, ` +
        `${saved.size} checkpoints seen in the store; ${seconds.toFixed(0)} s\n`,
    )
    for (const secret of [s3!.env.AWS_SECRET_ACCESS_KEY!, s3!.env.AWS_ACCESS_KEY_ID!]) {
      for (const text of [said, stdout, stderr]) expect(text).not.toContain(secret)
    }
  })
})
