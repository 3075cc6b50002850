import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'
import { openRun } from '../../src/run/run.ts'
import { Random } from '../../src/util/random.ts'
import { type Compiled, compile } from '../support/compile.ts'

const script = fileURLToPath(new URL('save-loop.mjs', import.meta.url))
let compiled: Compiled
let folder = ''
beforeAll(() => {
  compiled = compile('src/run/run.ts')
  folder = mkdtempSync(join(tmpdir(), 'pantin-kill-'))
})
afterAll(() => {
  compiled.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** Starts the script; `lines` grows as it speaks, `ended` gives its exit code. */
function start(...args: string[]) {
  const zod = import.meta.resolve('zod')
  const child = spawn(process.execPath, [script, compiled.url('src/run/run.ts'), zod, ...args])
  const lines: string[] = []
  const add = (bytes: Buffer) => lines.push(...bytes.toString().trim().split('\n'))
  child.stdout.on('data', add)
  child.stderr.on('data', add)
  const ended = new Promise<number | null>((done) => child.on('close', done))
  const spoken = async (word: string) => {
    while (!lines.some((line) => line.startsWith(word)) && child.exitCode === null) await sleep(2)
  }
  return { child, lines, ended, spoken }
}

it('survives 30 kills at random moments: always loadable, never back', async () => {
  const random = new Random(7)
  const path = join(folder, 'run')
  let step = 0
  // Checkpoint and weights are both written once a step is announced.
  let announced = 0
  let torn = 0
  for (let kill = 0; kill < 30; kill++) {
    const { child, lines, ended, spoken } = start(path)
    await spoken('from')
    // The first kills may come before anything was saved; the later ones anywhere in a save.
    await sleep(random.between(0, kill < 5 ? 5 : 60))
    child.kill('SIGKILL')
    await ended
    expect(lines[0]).toBe(`from ${step}`)
    announced = Number(/saved (\d+)/.exec(lines.at(-1) ?? '')?.[1] ?? announced)
    const said = Math.max(step, announced)

    const run = await openRun(path, z.object({}))
    if (await run.hasCheckpoint()) {
      const { step: saved, elapsed, randomState, tensors } = await run.loadCheckpoint()
      // A save that was not announced may still have taken its name.
      expect(saved).toBeGreaterThanOrEqual(said)
      expect(saved).toBeLessThanOrEqual(said + 1)
      expect([elapsed, randomState[0], tensors.size]).toEqual([saved, saved, 3])
      for (const { data } of tensors.values()) expect(data.every((value) => value === saved)).toBe(true)
      step = saved
    } else expect(said).toBe(0)
    if (announced > 0) {
      const { tensors } = await run.loadWeights()
      expect(tensors.get('weights')!.data[0]).toBeGreaterThanOrEqual(announced)
    }
    const metrics = await run.readMetrics()
    expect(metrics.map((record) => record.step)).toEqual(metrics.map((_, i) => i + 1))
    expect(metrics.length).toBeGreaterThanOrEqual(step)
    torn += temporaries(path).length
  }
  // Otherwise no kill came within a write, and the test has shown nothing.
  expect(torn).toBeGreaterThan(5)
  expect(step).toBeGreaterThan(10)

  const last = await openRun(path, z.object({}), { write: true })
  expect(temporaries(path)).toEqual([])
  last.close()
  expect(readdirSync(path)).not.toContain('lock')
})

function temporaries(path: string): string[] {
  return [...readdirSync(path), ...readdirSync(join(path, 'last'))].filter((name) => name.includes('.tmp'))
}

it('keeps a second process out while the first one runs, and lets it in afterwards', async () => {
  const path = join(folder, 'locked')
  const first = start(path)
  await first.spoken('saved')
  await expect(openRun(path, z.object({}), { write: true })).rejects.toThrow(`process ${first.child.pid}`)
  const reader = await openRun(path, z.object({}))
  expect((await reader.loadCheckpoint()).step).toBeGreaterThan(0)
  first.child.kill('SIGKILL')
  await first.ended
  const crowd = Array.from({ length: 4 }, () => start(path, '3'))
  await Promise.all(crowd.map(({ ended }) => ended))
  // One after the other or at once: each that got in did its three steps on top of the one before.
  const entered = crowd.filter(({ lines }) => lines[0]?.startsWith('from'))
  expect(entered.length).toBeGreaterThan(0)
  const saved = entered.flatMap(({ lines }) => lines.filter((line) => line.startsWith('saved')))
  expect(new Set(saved).size).toBe(saved.length)
  expect(readdirSync(path)).not.toContain('lock')
})
