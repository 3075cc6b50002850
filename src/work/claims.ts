// Workers without a queue: they look into the store for tasks, and each claims a task by creating an object that only one
// of them can create. A claim whose owner falls silent is followed by another claim.
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { isId, type Store } from './task.ts'
import { idIn, keys, removeAll } from './transfer.ts'

/** A claim. Its owner writes it again while it works, so that it changes. */
const claimSchema = z.object({
  worker: z.string().max(200),
  beat: z.int().nonnegative(),
  /** The attempt is over, and left no result. */
  ended: z.enum(['failed', 'stopped']).optional(),
})
type Claim = z.infer<typeof claimSchema>

export interface ClaimWork {
  readonly store: Store
  /** Name of the worker. */
  readonly name: string
  readonly jobs: number
  /** Seconds of silence after which a claim may be followed. */
  readonly lease: number
  /** Seconds without a task to claim after which the worker ends. The owners of all other tasks are then at work. */
  readonly idle: number | undefined
  readonly fitness: Fitness
  /** Does a task. @param last whether no attempt follows. @returns whether it is over */
  perform(id: string, last: boolean): Promise<boolean>
  readonly signal: AbortSignal
}

/** Attempts at a task that leaves no result. */
const attempts = 3

/** Milliseconds that a worker rests after an attempt failed through its surroundings, and at most after many. */
const [firstRest, mostRest] = [1000, 60_000]

/**
 * What a worker knows of its own fitness. An attempt that failed through its disk, its memory or its network says nothing of
 * the task: the worker rests, longer each time, and leaves the task to others for a while. A sick worker, which fails at
 * once, would otherwise take each task from the healthy workers, three times.
 */
export class Fitness {
  private rest = 0
  private restsUntil = 0
  private readonly failed = new Map<string, number>()

  /** @param lease seconds for which a task is left to others */
  constructor(private readonly lease: number) {}

  /** Notes that an attempt at a task failed through the surroundings. */
  fail(id: string): void {
    const now = performance.now()
    this.failed.set(id, now)
    // Tasks that failed together had one reason.
    if (now < this.restsUntil) return
    this.rest = Math.min(Math.max(firstRest, 2 * this.rest), mostRest)
    this.restsUntil = now + this.rest
  }

  /** Notes that an attempt had a result. */
  succeed(): void {
    this.rest = 0
  }

  /** Milliseconds for which the worker should take no task; 0 if it may take one. */
  restLeft(): number {
    return Math.max(0, this.restsUntil - performance.now())
  }

  /** Whether a task is left to others. */
  leaves(id: string): boolean {
    const since = this.failed.get(id)
    if (since === undefined) return false
    if (performance.now() - since < this.lease * 1000) return true
    this.failed.delete(id)
    return false
  }
}

/** Claims tasks of a store and does them until the signal aborts, or until there was none to claim for some time. */
export async function workFromStore(work: ClaimWork): Promise<void> {
  const claims = new Claims(work)
  const lane = async () => {
    let since = performance.now()
    while (!work.signal.aborted) {
      const rest = work.fitness.restLeft()
      if (rest > 0) {
        await pause(rest, work.signal)
        continue
      }
      const claim = await claims.next()
      if (typeof claim !== 'string') {
        await claims.perform(claim)
        since = performance.now()
      } else if (
        claim === 'none' &&
        performance.now() - since >= (work.idle ?? Number.POSITIVE_INFINITY) * 1000
      ) {
        return
      } else await pause(Math.min(work.lease * 100, 5000), work.signal)
    }
  }
  await Promise.all(Array.from({ length: work.jobs }, lane))
}

/** A claim of this worker. */
interface Own {
  readonly id: string
  readonly key: string
  /** Earlier attempts that failed. */
  readonly failures: number
}

class Claims {
  /** Claims of others, as they were seen, and since when they are so. */
  private readonly seen = new Map<string, { readonly text: string; readonly since: number }>()
  /** Open tasks as they were listed, without the ones that this worker has looked at since. */
  private walk: string[] = []
  private looking: Promise<unknown> = Promise.resolve()

  constructor(private readonly work: ClaimWork) {}

  /** A task of which this worker is the owner now; `later` if owners are still to be watched; `none` if none is left. */
  next(): Promise<Own | 'later' | 'none'> {
    // Lanes of one worker look in turn.
    const look = this.looking.then(() => this.look())
    this.looking = look.catch(() => {})
    return look
  }

  private async look(): Promise<Own | 'later' | 'none'> {
    for (;;) {
      const isNew = this.walk.length === 0
      if (isNew) this.walk = await this.openTasks()
      // Tasks that others have done since the list was made. When they are many, a new list costs less than to ask for each.
      const mostGone = 5 + this.walk.length / 40
      let gone = 0
      let watched = 0
      for (let id = this.walk.pop(); id !== undefined; id = this.walk.pop()) {
        if (this.work.signal.aborted) return 'later'
        const found = await this.claim(id)
        if (typeof found !== 'string') return found
        if (found === 'unknown') watched++
        if (found === 'gone') gone++
        if (gone > mostGone) break
      }
      const isComplete = isNew && this.walk.length === 0
      this.walk = []
      if (isComplete) return watched === 0 ? 'none' : 'later'
    }
  }

  /** Tasks without a result and without a failure, from a random one on. */
  private async openTasks(): Promise<string[]> {
    const { store } = this.work
    const failed = new Set<string>()
    for await (const { key } of store.list('failures/')) failed.add(idIn(key))
    const open: string[] = []
    for await (const { key } of store.list('tasks/')) {
      const id = idIn(key)
      if (isId(id) && !failed.has(id)) open.push(id)
    }
    // Workers that begin at different tasks are seldom in each other's way.
    const first = open.length === 0 ? 0 : randomInt(open.length)
    return [...open.slice(first), ...open.slice(0, first)]
  }

  /** @returns `held` if its owner is at work; `unknown` if that is not known yet; `gone` if it is over */
  private async claim(id: string): Promise<Own | 'held' | 'unknown' | 'gone'> {
    const { store, name, lease, fitness } = this.work
    if (!(await store.has(keys.task(id)))) return 'gone'
    if (fitness.leaves(id)) return 'unknown'
    let last: { readonly key: string; readonly number: number } | undefined
    let failures = 0
    for await (const { key } of store.list(keys.claims(id))) {
      const number = Number(idIn(key))
      if (!Number.isSafeInteger(number)) continue
      last = { key, number }
      const text = (await store.read(key, 10_000))?.toString('utf8') ?? ''
      if (parsedClaim(text)?.ended === 'failed') failures++
      const before = this.seen.get(key)
      if (before?.text !== text) this.seen.set(key, { text, since: performance.now() })
    }
    if (last !== undefined) {
      const { text, since } = this.seen.get(last.key)!
      const silent = performance.now() - since
      // A claim that changed while this worker looked has an owner.
      if (parsedClaim(text)?.ended === undefined && silent < lease * 1000) {
        return this.alive.has(last.key) || this.noteAlive(last.key, text) ? 'held' : 'unknown'
      }
    }
    // Looked for after the claims: an owner writes the failure before it removes its claim.
    if (await store.has(keys.failure(id))) return 'gone'
    const key = `${keys.claims(id)}${String((last?.number ?? 0) + 1).padStart(6, '0')}.json`
    const own: Claim = { worker: name, beat: 0 }
    return (await store.create(key, JSON.stringify(own))) ? { id, key, failures } : 'held'
  }

  /** Claims that were seen to change, and their text at first. */
  private readonly alive = new Set<string>()
  private readonly firstSeen = new Map<string, string>()

  private noteAlive(key: string, text: string): boolean {
    const first = this.firstSeen.get(key)
    if (first === undefined) this.firstSeen.set(key, text)
    else if (first !== text) this.alive.add(key)
    return this.alive.has(key)
  }

  async perform({ id, key, failures }: Own): Promise<void> {
    const { store, name, lease, perform } = this.work
    let beat = 0
    let writing: Promise<void> = Promise.resolve()
    const write = (claim: Claim) => {
      writing = writing.then(() => store.write(key, JSON.stringify(claim))).catch(() => {})
      return writing
    }
    const timer = setInterval(() => void write({ worker: name, beat: ++beat }), (lease * 1000) / 4)
    let end: Claim['ended'] | 'over' = 'failed'
    try {
      const isOver = await perform(id, failures + 1 >= attempts)
      end = isOver ? 'over' : 'stopped'
    } catch {
      // It was told by `perform`. Another attempt may follow.
    } finally {
      clearInterval(timer)
      await writing
      if (end === 'over') await removeAll(store, keys.claims(id))
      else await write({ worker: name, beat: beat + 1, ended: end })
    }
  }
}

function parsedClaim(text: string): Claim | undefined {
  try {
    return claimSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  sleep(milliseconds, undefined, { signal }).catch(() => {})
