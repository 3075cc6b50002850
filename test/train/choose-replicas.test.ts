import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { chooseReplicas } from '../../src/train/choose-replicas.ts'
import { type Settings, settingsSchema } from '../../src/train/config.ts'
import { smallStep } from './small-step.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-replicas-'))
  vi.stubEnv('XDG_CACHE_HOME', folder)
  vi.stubEnv('PANTIN_THREADS', '4')
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

const settings = (more: Partial<Settings>) =>
  settingsSchema.parse({ clips: ['none'], steps: 1, device: 'cpu', batch: 8, ...more })

/** Steps that take as many milliseconds as is said for a number of replicas. @returns the choice, and what was timed */
async function choose(more: Partial<Settings>, milliseconds: Readonly<Record<number, number>> = {}) {
  const timed: number[] = []
  const chosen = await chooseReplicas(settings(more), {
    step: smallStep,
    openStep: (replicas) => async () => {
      timed.push(replicas)
      return {
        ...{ device: 'cpu', replicas },
        async run(_number, _rate, batches) {
          expect(batches.map(({ frames }) => frames!.shape[0])).toEqual(Array(replicas).fill(8 / replicas))
          await sleep(milliseconds[replicas])
          return { report: {}, taken: true }
        },
        read: () => Promise.reject(new Error('nobody reads')),
        close: async () => {},
      }
    },
  })
  return { chosen, timed }
}

test('there is one for each core, as far as each has two pairs of an equal part', async () => {
  expect(await choose({})).toEqual({ chosen: 4, timed: [] })
  expect((await choose({ batch: 6 })).chosen).toBe(3)
  expect((await choose({ batch: 4 })).chosen).toBe(2)
  expect((await choose({ batch: 7 })).chosen).toBe(1)
  expect((await choose({ threads: 4 })).chosen).toBe(1)
  vi.stubEnv('PANTIN_THREADS', '1')
  expect((await choose({})).chosen).toBe(1)
})

test('a number that is asked for is taken, or refused', async () => {
  expect((await choose({ replicas: 8 })).chosen).toBe(8)
  expect((await choose({ replicas: 2, threads: 3 })).chosen).toBe(2)
  await expect(choose({ replicas: 3 })).rejects.toThrow(/a batch of 8 cannot be trained by 3 replicas on cpu/)
})

test('auto measures which number is fastest, and remembers it', async () => {
  const quick = { 1: 60, 2: 5, 4: 60 }
  expect(await choose({ replicas: 'auto' }, quick)).toEqual({ chosen: 2, timed: [1, 2, 4] })
  expect(await choose({ replicas: 'auto' }, { 1: 5, 2: 60, 4: 60 })).toEqual({ chosen: 2, timed: [] })
  const file = join(folder, 'pantin', 'replicas.json')
  expect(Object.values(JSON.parse(readFileSync(file, 'utf8')))).toEqual([2])
  for (const damaged of ['{"torn', '[]', '{"key": "word"}', 'null']) {
    writeFileSync(file, damaged)
    expect((await choose({ replicas: 'auto' }, { 1: 5, 2: 60, 4: 60 })).chosen).toBe(1)
  }
})

test('auto goes on without a place to remember', async () => {
  writeFileSync(join(folder, 'pantin'), 'a file where the folder would be')
  expect((await choose({ replicas: 'auto' }, { 1: 60, 2: 60, 4: 5 })).chosen).toBe(4)
})
