import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { acquireLock } from '../../../src/files/lock.ts'
import { coresHere } from '../../../src/runtime/node.ts'
import { makePlan, type TrialPlan, trialKey } from '../../../src/study/trials/plan.ts'
import { runTrials, type TrialsProgress } from '../../../src/study/trials/run-trials.ts'
import { runTrial, type TrialTask, writeTrial } from '../../../src/study/trials/trial.ts'
import { train } from '../../../src/train/train.ts'
import { EnvironmentError, TrainingError } from '../../../src/util/errors.ts'

vi.mock('../../../src/train/train.ts', () => ({ train: vi.fn() }))

let folder: string
let plan: TrialPlan
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-trials-'))
  plan = await makePlan(['puppet:1,frames=10,size=32'], { nets: ['enet'], size: 32, seeds: 2 })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Does no work, and notes which trials it was given. */
function worker(ran: string[], wallSeconds = 10) {
  return async ({ trial, folder: own }: TrialTask): Promise<undefined> => {
    ran.push(trialKey(trial))
    mkdirSync(own, { recursive: true })
    await writeTrial(own, { status: 'done', trial, measures: {}, frames: 1, device: 'cpu', wallSeconds })
  }
}

it('runs what has no result, in order, with an ETA from the mean time of a trial', async () => {
  const ran: string[] = []
  const events: TrialsProgress[] = []
  const runOne = worker(ran)
  const states = await runTrials(folder, plan, { runOne, onProgress: (event) => events.push(event) })
  expect(ran).toEqual([
    'enet-scratch-all-42',
    'enet-scratch-none-42',
    'enet-scratch-all-43',
    'enet-scratch-none-43',
  ])
  expect(states.every(({ result }) => result?.status === 'done')).toBe(true)
  expect(events.map(({ done, etaSeconds }) => [done, etaSeconds])).toEqual([
    [0, undefined],
    [1, 30],
    [2, 20],
    [3, 10],
    [4, 0],
  ])
  await runTrials(folder, { ...plan, seeds: [42, 43, 44] }, { runOne })
  expect(ran.slice(4)).toEqual(['enet-scratch-all-44', 'enet-scratch-none-44'])
})

it('goes on after a trial that ends without a result, and tries that again the next time', async () => {
  const ran: string[] = []
  const work = worker(ran)
  const states = await runTrials(folder, plan, {
    runOne: async (task) => {
      if (trialKey(task.trial) === 'enet-scratch-none-42')
        throw new EnvironmentError({ what: 'out of memory' })
      return work(task)
    },
  })
  expect(states.map(({ result, problem }) => [result?.status, problem])).toEqual([
    ['done', undefined],
    [undefined, 'out of memory'],
    ['done', undefined],
    ['done', undefined],
  ])
  await runTrials(folder, plan, { runOne: work })
  expect(ran.slice(3)).toEqual(['enet-scratch-none-42'])
})

it('runs so many at once, the first that labels alone, each on its share of the cores', async () => {
  const [running, most, threads] = [new Set<string>(), [] as number[], new Set<number | undefined>()]
  const work = worker([])
  const events: TrialsProgress[] = []
  const states = await runTrials(
    folder,
    { ...plan, methods: ['distilled'], seeds: [42, 43, 44] },
    {
      jobs: 2,
      runOne: async (task, { onProgress }) => {
        running.add(trialKey(task.trial))
        threads.add(task.threads)
        onProgress?.(0.5)
        await sleep(20)
        most.push(running.size)
        running.delete(trialKey(task.trial))
        return work(task)
      },
      onProgress: (event) => events.push(event),
    },
  )
  expect(states.every(({ result }) => result?.status === 'done')).toBe(true)
  expect(most[0]).toBe(1)
  expect(Math.max(...most)).toBe(2)
  expect([...threads]).toEqual([Math.max(1, Math.floor(coresHere() / 2))])
  expect(events.at(-1)).toMatchObject({ done: 6, progress: 1 })
  expect(events.every(({ progress }) => progress <= 1)).toBe(true)
})

it('stops where it is asked to', async () => {
  const stop = new AbortController()
  const states = await runTrials(folder, plan, {
    signal: stop.signal,
    runOne: async () => {
      stop.abort()
      return undefined
    },
  })
  expect(states.every(({ result, problem }) => result === undefined && problem === undefined)).toBe(true)
})

it('waits for a process that still trains into the run, since its parent was killed', async () => {
  const run = join(folder, 'trials', 'enet-scratch-none-42', 'run')
  mkdirSync(run, { recursive: true })
  const lock = acquireLock(join(run, 'lock'))
  const ran: string[] = []
  const done = runTrials(folder, plan, { runOne: worker(ran) })
  await sleep(300)
  expect(ran).toEqual(['enet-scratch-all-42'])
  lock.release()
  await done
  expect(ran).toHaveLength(4)
})

it('drops the checkpoint of a trial that has a result', async () => {
  await runTrials(folder, plan, { runOne: worker([]) })
  const own = join(folder, 'trials', 'enet-scratch-all-42')
  mkdirSync(join(own, 'run', 'last'), { recursive: true })
  const { mtimeMs } = statSync(join(own, 'result.json'))
  await runTrials(folder, plan, { runOne: worker([]) })
  expect(existsSync(join(own, 'run', 'last'))).toBe(false)
  expect(statSync(join(own, 'result.json')).mtimeMs).toBe(mtimeMs)
})

it('does a trial again whose result is torn', async () => {
  const ran: string[] = []
  await runTrials(folder, plan, { runOne: worker(ran) })
  writeFileSync(join(folder, 'trials', 'enet-scratch-all-43', 'result.json'), '{"status":')
  await runTrials(folder, plan, { runOne: worker(ran) })
  expect(ran.slice(4)).toEqual(['enet-scratch-all-43'])
})

it('records a trial that fails by its own fault, and no other failure', async () => {
  const trial = { net: 'enet', method: 'scratch', skip: 'all', seed: 42 } as const
  const own = join(folder, 'trials', trialKey(trial))
  const task = { trial, settings: plan.settings, folder: own, cache: join(folder, 'teacher') }
  vi.mocked(train).mockRejectedValueOnce(new EnvironmentError({ what: 'the disk is full' }))
  await expect(runTrial(task)).rejects.toThrow('the disk is full')
  expect(existsSync(join(own, 'result.json'))).toBe(false)

  const what = 'training stopped at step 3: a number is not finite'
  vi.mocked(train).mockRejectedValueOnce(new TrainingError({ what, got: 'loss NaN' }))
  expect(await runTrial(task)).toMatchObject({ status: 'failed', trial, reason: `${what}: loss NaN` })

  const ran: string[] = []
  const states = await runTrials(folder, plan, { runOne: worker(ran) })
  expect(ran).not.toContain(trialKey(trial))
  expect(states[0]!.result?.status).toBe('failed')
})
