import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileCli, runHere } from '../cli/run.ts'
import { DisturbedWorld, missingServers, wantedKills } from './disturbed.ts'
import { levelTimes, reportsOf, weightsOf } from './reports.ts'

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
const world = new DisturbedWorld()

beforeAll(async () => {
  const made = ['train', clip, '-o', teacher, '--net', 'enet', '--size', '16', '--keypoints', '2']
  const { code, stderr } = await runHere(...made, '--steps', '3', '--batch', '1', '--device', 'cpu')
  expect(code, stderr).toBe(0)
})
afterAll(() => {
  cli.remove()
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(missingServers !== '')(`a study of ${4 * seeds} trainings ${missingServers}`, () => {
  it(`is that of local processes, through ${wantedKills} kills, a lost queue, a silent store and a paused worker`, {
    timeout: 3_600_000,
  }, async () => {
    const local = join(folder, 'local')
    const own = await cli.run([...plan(local), '--no-latency', '--quiet', '--jobs', '2'])
    expect(own.code, own.stderr).toBe(0)

    const store = await world.openStore()
    const where = ['--store', world.named, '--queue', world.address]
    const words = ['worker', ...where, '--lease', '3', '--checkpoint', '1']
    world.startWorkers((i) => [cli.main, ...words, '--scratch', join(folder, `scratch ${i}`)], ' began')
    const out = join(folder, 'remote')
    let isOver = false
    const began = performance.now()
    const study = cli.run([...plan(out), ...where, '--no-latency']).finally(() => {
      isOver = true
    })
    const saved = new Set<string>()
    const look = async () => {
      for (; !isOver; await sleep(500)) {
        for await (const { key } of store.list('checkpoints/')) saved.add(key)
      }
    }
    const looking = look()
    const { result, besides } = await world.disturb(study, 8000)
    const { code, stdout, stderr } = result
    const seconds = (performance.now() - began) / 1000
    await looking
    expect(code, stdout + stderr).toBe(0)

    // Each trial has one result, and its weights are those of a trial that nothing disturbed.
    expect(await world.names('results/')).toHaveLength(4 * seeds)
    // A worker that was killed after it wrote a result left its task, which the next worker removes.
    await expect.poll(() => world.names('tasks/'), { timeout: 60_000, interval: 500 }).toEqual([])
    expect(levelTimes(out)).toEqual(levelTimes(local))
    expect(levelTimes(out)).toHaveLength(4 * seeds)
    expect(weightsOf(out)).toEqual(weightsOf(local))
    expect(await reportsOf(cli, plan(out), out)).toEqual(await reportsOf(cli, plan(local), local))

    expect(saved.size).toBeGreaterThan(0)
    const begins = world.said.split(' began').length - 1
    process.stderr.write(
      `${world.kills} kills, ${besides.join(', ')}; ${begins} attempts at ${4 * seeds} trials, ` +
        `${saved.size} checkpoints seen in the store; ${seconds.toFixed(0)} s\n`,
    )
    world.expectNoSecrets(stdout, stderr)
  })
})
