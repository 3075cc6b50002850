import { describe, expect, it, vi } from 'vitest'
import { Fitness, workFromStore } from '../../src/work/claims.ts'
import { hashOf, type Store } from '../../src/work/task.ts'
import { keys } from '../../src/work/transfer.ts'

/** A store in memory that counts what it is asked. */
class CountingStore implements Store {
  readonly name = 'memory'
  readonly objects = new Map<string, string>()
  private readonly folders = new Map<string, Set<string>>()
  /** Calls of all kinds; listings of tasks and failures, and the names in them. */
  calls = 0
  listings = 0
  listed = 0

  private async call<T>(answer: () => T): Promise<T> {
    this.calls++
    return answer()
  }
  set(key: string, content: string): void {
    const folder = `${key.split('/')[0]}/`
    this.folders.set(folder, (this.folders.get(folder) ?? new Set()).add(key))
    this.objects.set(key, content)
  }
  read = (key: string) =>
    this.call(() => {
      const found = this.objects.get(key)
      return found === undefined ? undefined : Buffer.from(found)
    })
  has = (key: string) => this.call(() => this.objects.has(key))
  write = (key: string, content: string) => this.call(() => this.set(key, content))
  create = (key: string, content: string) =>
    this.call(() => {
      const isNew = !this.objects.has(key)
      if (isNew) this.set(key, content)
      return isNew
    })
  remove = (key: string) =>
    this.call(() => {
      this.objects.delete(key)
      this.folders.get(`${key.split('/')[0]}/`)?.delete(key)
    })
  async *list(prefix: string) {
    const under = prefix.slice(0, prefix.indexOf('/') + 1)
    const found = await this.call(() =>
      [...(this.folders.get(under) ?? [])].filter((key) => key.startsWith(prefix)),
    )
    const isOfAll = prefix === 'tasks/' || prefix === 'failures/'
    if (isOfAll) this.listings++
    for (const key of found.toSorted()) {
      if (isOfAll) this.listed++
      yield { key }
    }
  }
  upload = () => Promise.reject(new Error('no file goes into this store'))
  download = () => Promise.reject(new Error('no file comes out of this store'))
}

function storeWith(tasks: number): { readonly store: CountingStore; readonly ids: readonly string[] } {
  const store = new CountingStore()
  const ids = Array.from({ length: tasks }, (_, i) => hashOf(`task ${i}`))
  for (const id of ids) store.set(keys.task(id), '{}')
  return { store, ids }
}

/** Workers that claim tasks until none is left. @returns the tasks that they did, in order */
async function drain(
  store: Store,
  workers: number,
  { lease = 30, perform }: { lease?: number; perform?: (id: string, last: boolean) => Promise<boolean> } = {},
): Promise<string[]> {
  const done: string[] = []
  const work = async (id: string) => {
    done.push(id)
    // Others claim meanwhile.
    await new Promise((resolve) => setImmediate(resolve))
    await store.remove(keys.task(id))
    return true
  }
  const worker = (i: number) =>
    workFromStore({
      ...{ store, name: `worker ${i}`, jobs: 1, lease, idle: 0, perform: perform ?? work },
      fitness: new Fitness(lease),
      signal: new AbortController().signal,
    })
  await Promise.all(Array.from({ length: workers }, (_, i) => worker(i)))
  return done
}

describe('workers without a queue', () => {
  it.each([1, 3, 20])(
    'look at a bounded number of objects for each of 2,000 tasks, as %i workers',
    async (n) => {
      const { store, ids } = storeWith(2000)
      const done = await drain(store, n)
      expect(done.toSorted()).toEqual(ids.toSorted())
      process.stderr.write(
        `${n} workers, 2,000 tasks: ${(store.calls / 2000).toFixed(1)} calls of the store a task, ` +
          `${store.listings} listings of tasks and failures with ${store.listed} names\n`,
      )
      // A claim itself takes some ten calls. A list for each claim would give two million names, as would one for each task
      // that another worker has done.
      expect(store.calls / 2000).toBeLessThan(20)
      expect(store.listed / 2000).toBeLessThan(5 * n)
    },
  )

  it('find tasks that come while they walk through a list, and do no task again that failed or was done meanwhile', async () => {
    const { store, ids } = storeWith(12)
    const late = hashOf('late')
    const begun: string[] = []
    await drain(store, 1, {
      async perform(id) {
        begun.push(id)
        await store.remove(keys.task(id))
        if (begun.length === 1) {
          // Another worker does a task, and one fails for good; its task stays in the store.
          const [done, failed] = ids.filter((one) => one !== id)
          await store.remove(keys.task(done!))
          await store.write(keys.failure(failed!), '{}')
          await store.write(keys.task(late), '{}')
        }
        return true
      },
    })
    expect(begun).toHaveLength(11)
    expect(begun).toContain(late)
    expect(new Set(begun).size).toBe(11)
  })

  it('follow a claim whose owner is silent, and none whose owner is at work', async () => {
    const { store, ids } = storeWith(30)
    const [dead, alive] = ids as [string, string]
    const claim = (id: string, beat: number) =>
      store.write(`${keys.claims(id)}000001.json`, JSON.stringify({ worker: 'other', beat }))
    await claim(dead, 0)
    await claim(alive, 0)
    let beat = 0
    const timer = setInterval(() => void claim(alive, ++beat), 20)
    const done = await drain(store, 2, { lease: 0.5 })
    clearInterval(timer)
    expect(done.toSorted()).toEqual(ids.filter((id) => id !== alive).toSorted())
    expect(store.objects.has(keys.task(alive))).toBe(true)
  })
})

it('a worker rests longer after each failure through its surroundings, until a task succeeds', () => {
  vi.useFakeTimers()
  const fitness = new Fitness(30)
  const rests = Array.from({ length: 8 }, (_, i) => {
    fitness.fail(`task ${i}`)
    // Another task that runs beside it fails by the same reason.
    fitness.fail('beside')
    const rest = fitness.restLeft()
    vi.advanceTimersByTime(rest)
    expect(fitness.restLeft()).toBe(0)
    return rest / 1000
  })
  expect(rests).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
  expect(fitness.leaves('task 0')).toBe(false)
  fitness.succeed()
  fitness.fail('task 9')
  expect(fitness.restLeft()).toBe(1000)
  vi.advanceTimersByTime(29_000)
  expect([fitness.leaves('task 9'), fitness.leaves('another')]).toEqual([true, false])
  vi.advanceTimersByTime(2000)
  expect(fitness.leaves('task 9')).toBe(false)
  vi.useRealTimers()
})
