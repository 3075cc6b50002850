import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../../src/work/open-store.ts'
import { parseQueue, TaskQueue } from '../../src/work/queue.ts'
import { RemoteRunner } from '../../src/work/remote.ts'
import { hashOf, type Kind, localRunner, type Store } from '../../src/work/task.ts'
import { keys } from '../../src/work/transfer.ts'
import { type WorkerEvent, work } from '../../src/work/worker.ts'
import { runHere } from '../cli/run.ts'
import { redisProgram, startRedis, type TestServer, withoutRedis } from '../support/servers.ts'
import { countingKind } from './counting.ts'

let folder: string
let store: Store
let stop: AbortController
let workers: Promise<unknown>[]
let news: WorkerEvent[]
let begins: [string, number][]
const kind = countingKind((name, from) => begins.push([name, from]))

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-work-'))
  store = await openStore(join(folder, 'store'))
  stop = new AbortController()
  workers = []
  news = []
  begins = []
})
afterEach(async () => {
  stop.abort()
  await Promise.all(workers)
  rmSync(folder, { recursive: true, force: true })
})

function startWorker(options: Partial<Parameters<typeof work>[0]> = {}): void {
  workers.push(
    work({
      ...{ store, kinds: [kind as unknown as Kind], signal: stop.signal, lease: 2, checkpointSeconds: 0.05 },
      ...{ scratch: join(folder, `scratch-${workers.length}`), onNews: (event) => news.push(event) },
      ...options,
    }),
  )
}

const place = (name: string) => ({ folder: join(folder, 'out', name), cache: join(folder, 'cache') })
const resultOf = (name: string) => JSON.parse(readFileSync(join(place(name).folder, 'result.json'), 'utf8'))
const runnerOf = (options: Partial<ConstructorParameters<typeof RemoteRunner>[0]> = {}) =>
  new RemoteRunner({ store, pollSeconds: 0.05, ...options })

describe.each(['a queue', 'the store alone'])('workers with %s', (how) => {
  const withQueue = how === 'a queue'
  if (withQueue && redisProgram === undefined) {
    it.skip(withoutRedis)
    return
  }
  let redis: TestServer | undefined
  const address = () => (redis === undefined ? undefined : parseQueue(`redis://127.0.0.1:${redis.port}`, {}))
  const open = async () => {
    const queue = address()
    return runnerOf(queue === undefined ? {} : { queue: await TaskQueue.open(queue) })
  }
  beforeEach(async () => {
    redis = withQueue ? await startRedis() : undefined
  })
  afterEach(async () => {
    stop.abort()
    await Promise.all(workers)
    await redis?.remove()
  })

  it('leave the same results as processes of this machine, each task done once', async () => {
    const file = join(folder, 'names of clips', 'a clip.txt')
    mkdirSync(join(folder, 'names of clips'))
    writeFileSync(file, 'content')
    const tasks = Array.from({ length: 12 }, (_, i) => ({ name: `task ${i}`, to: 2, ms: 1, file }))
    const local = localRunner()
    for (const task of tasks) await local.perform(kind, task, place(`local ${task.name}`), {})
    begins = []
    for (let i = 0; i < 2; i++) startWorker({ queue: address() })
    const runner = await open()
    const parts: number[] = []
    await Promise.all(
      tasks.map((task) =>
        runner.perform(kind, task, place(task.name), { onProgress: (part) => parts.push(part) }),
      ),
    )
    for (const { name } of tasks) expect(resultOf(name)).toEqual(resultOf(`local ${name}`))
    expect(begins.map(([name]) => name).toSorted()).toEqual(tasks.map(({ name }) => name).toSorted())
    // A result that is there is not made again.
    await runner.perform(kind, tasks[0]!, place('again'), {})
    expect(resultOf('again')).toEqual(resultOf('task 0'))
    expect(begins).toHaveLength(12)
    await runner.close()
  })

  it('tell why a task has no result, and go on with the others', async () => {
    startWorker({ queue: address(), jobs: 2 })
    const runner = await open()
    const ends = await Promise.allSettled(
      ['bad', 'good'].map((name) => runner.perform(kind, { name, to: 1, ms: 1 }, place(name), {})),
    )
    expect(ends[0]).toMatchObject({ reason: { message: expect.stringContaining('bad cannot be counted') } })
    expect(resultOf('good')).toMatchObject({ name: 'good' })
    // Another worker might have done it: it was tried three times.
    expect(begins.filter(([name]) => name === 'bad')).toHaveLength(3)
    await runner.close()
  })

  it('leave tasks to each other if one of them is sick', async () => {
    const file = join(folder, 'clip.txt')
    writeFileSync(file, 'content')
    const sick = join(folder, 'sick')
    mkdirSync(sick)
    // No input finds room there.
    writeFileSync(join(sick, 'inputs'), '')
    startWorker({ queue: address(), scratch: sick, jobs: 2 })
    const runner = await open()
    const names = Array.from({ length: 8 }, (_, i) => `task ${i}`)
    const ends = Promise.allSettled(
      names.map((name) => runner.perform(kind, { name, to: 4, ms: 100, file }, place(name), {})),
    )
    while (!news.some(({ kind }) => kind === 'failed')) await sleep(10)
    startWorker({ queue: address() })
    expect((await ends).map(({ status }) => status)).toEqual(names.map(() => 'fulfilled'))
    const failed = news.flatMap((event) => (event.kind === 'failed' ? [event.id] : []))
    expect(failed.length).toBeLessThan(8)
    await runner.close()
  })

  it('go on from the last checkpoint of a worker that was stopped', async () => {
    const first = new AbortController()
    startWorker({ queue: address(), signal: first.signal })
    const runner = await open()
    const ended = runner.perform(kind, { name: 'long', to: 40, ms: 20 }, place('long'), {})
    while (!begins.some(([name]) => name === 'long')) await sleep(10)
    await sleep(300)
    first.abort()
    await workers[0]
    startWorker({ queue: address() })
    await ended
    expect(resultOf('long')).toMatchObject({ to: 40 })
    expect(begins).toHaveLength(2)
    expect(begins[1]![1]).toBeGreaterThan(0)
    await runner.close()
  })
})

describe('a result that the store has', () => {
  const doOnce = async (name: string, options: Parameters<typeof runnerOf>[0] = {}) => {
    const runner = runnerOf(options)
    await runner.perform(kind, { name, to: 1, ms: 0 }, place(name), {})
    await runner.close()
  }

  it('is made again if it failed, or if the user says so, and then once', async () => {
    startWorker()
    await doOnce('one')
    await doOnce('one')
    expect(begins).toHaveLength(1)
    const again = runnerOf({ again: true })
    for (let i = 0; i < 2; i++) await again.perform(kind, { name: 'one', to: 1, ms: 0 }, place('one'), {})
    await again.close()
    expect(begins).toHaveLength(2)
    // What a damaged input gave, for instance.
    const ids: string[] = []
    for await (const { key } of store.list('results/')) ids.push(key)
    const content = JSON.stringify({ status: 'failed', reason: 'it cannot be read' })
    const files = [
      {
        path: 'result.json',
        hash: hashOf(content),
        bytes: content.length,
        content: Buffer.from(content).toString('base64'),
      },
    ]
    await store.write(ids[0]!, JSON.stringify({ files }))
    await doOnce('one')
    expect(begins).toHaveLength(3)
    expect(resultOf('one')).toMatchObject({ name: 'one' })
  })
})

describe('what is going on', () => {
  it('is told by the command, by the store, and by the page of a worker', async () => {
    startWorker({ metricsPort: 0 })
    while (news.length === 0) await sleep(10)
    const [first] = news
    const page = first?.kind === 'ready' ? first.metrics! : ''
    expect(page).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
    const runner = runnerOf()
    const said: string[] = []
    const ends = await Promise.allSettled(
      ['bad', 'one', 'two', 'three'].map((name) =>
        runner.perform(kind, { name, to: 100, ms: 20 }, place(name), {
          onProgress: () => said.push(runner.now()),
        }),
      ),
    )
    expect(ends.map(({ status }) => status)).toEqual(['rejected', ...Array(3).fill('fulfilled')])
    expect(said).toContainEqual(expect.stringMatching(/^1 worker, 1 running/))
    expect(runner.now()).toMatch(/^1 worker, \d running, \d+ per hour each, 1 failed$/)
    await runner.close()

    const response = await fetch(page)
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4')
    const text = await response.text()
    // Each number has its help and its type, as Prometheus reads them. A task that fails is tried three times.
    const lines = text.trimEnd().split('\n')
    for (let i = 0; i < lines.length; i += 3) {
      const [name] = lines[i + 2]!.split(' ')
      expect(lines.slice(i, i + 3)).toEqual([
        expect.stringMatching(`^# HELP ${name} \\w`),
        expect.stringMatching(`^# TYPE ${name} (counter|gauge)$`),
        expect.stringMatching(`^${name} [0-9.]+$`),
      ])
    }
    expect(text).toContain('\npantin_worker_tasks_done_total 3\n')
    expect(text).toContain('\npantin_worker_tasks_failed_total 3\n')
    expect((await fetch(page.replace('/metrics', '/'))).status).toBe(404)

    const { code, stdout } = await runHere('queue', '--status', '--store', join(folder, 'store'), '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      tasks: { open: 0, done: 3, failed: 1, running: 0 },
      workers: [{ jobs: 1 }],
    })
    const shown = await runHere('queue', '--store', join(folder, 'store'))
    expect(shown.stdout).toContain('0 tasks open, 0 of them running; 3 done, 1 failed')
    expect(shown.stdout).toMatch(/worker +done +failed +per hour +now/)
  })
})

it('a queue is not told again of a task that ends while the queue is counted', async () => {
  const told: string[] = []
  const queue = {
    add: async (ids: readonly string[]) => void told.push(...ids),
    counts: async () => {
      await store.create(keys.result(told[0]!), JSON.stringify({ files: [] }))
      return { waiting: 0, running: 0 }
    },
    close: async () => {},
  }
  const runner = runnerOf({ queue: queue as unknown as TaskQueue })
  await runner.perform(kind, { name: 'one', to: 1, ms: 1 }, place('one'), {})
  await runner.close()
  expect(told).toHaveLength(1)
})

it('a queue is told of many tasks in few calls', async () => {
  const calls: number[] = []
  const queue = {
    async add(ids: readonly string[]) {
      calls.push(ids.length)
      await sleep(200)
      for (const id of ids) await store.create(keys.result(id), JSON.stringify({ files: [] }))
    },
    counts: async () => ({ waiting: 100, running: 0 }),
    close: async () => {},
  }
  const runner = runnerOf({ queue: queue as unknown as TaskQueue })
  const tasks = Array.from({ length: 30 }, (_, i) => ({ name: `task ${i}`, to: 1, ms: 1 }))
  await Promise.all(tasks.map((task) => runner.perform(kind, task, place(task.name), {})))
  await runner.close()
  expect(calls.reduce((sum, count) => sum + count, 0)).toBe(30)
  expect(calls.length).toBeLessThan(15)
})

describe.skipIf(redisProgram === undefined)('a queue', () => {
  it.each([
    ['', 0],
    [', also if the store was away for a while', 4000],
  ])('that was lost is filled again%s', async (_, milliseconds) => {
    let slow = milliseconds
    const list = store.list.bind(store)
    store.list = async function* (prefix) {
      await sleep(slow)
      slow = 0
      yield* list(prefix)
    }

    const redis = await startRedis()
    try {
      const queue = parseQueue(`redis://127.0.0.1:${redis.port}`, {})
      const runner = runnerOf({ queue: await TaskQueue.open(queue) })
      const tasks = Array.from({ length: 6 }, (_, i) => ({ name: `task ${i}`, to: 1, ms: 1 }))
      const ended = Promise.all(tasks.map((task) => runner.perform(kind, task, place(task.name), {})))
      await sleep(200)
      await redis.kill()
      await redis.start()
      startWorker({ queue })
      const began = performance.now()
      await ended
      expect(performance.now() - began).toBeLessThan(40_000)
      expect(tasks.map(({ name }) => resultOf(name).name)).toEqual(tasks.map(({ name }) => name))
      stop.abort()
      await Promise.all(workers)
      await runner.close()
    } finally {
      await redis.remove()
    }
  })
})
