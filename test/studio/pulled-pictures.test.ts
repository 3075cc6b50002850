// Pictures of pulled strings: in order, evenly, one at a time for each worker, and none is left open.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Painters } from '../../studio/src/animate/painters.ts'
import { PulledPictures } from '../../studio/src/animate/pulled-pictures.ts'

/** How the strings are pulled: a number, which the test changes. */
const strings = vi.hoisted(() => ({ pull: {} as object }))
vi.mock('../../studio/src/animate/puppetry.ts', () => ({
  pullNow: () => strings.pull,
  pullAt: () => strings.pull,
  placed: (pull: object) => pull,
  aimed: (pull: object) => pull,
}))

/** Milliseconds that a worker takes for a picture. */
const takes = 60

class FakeWorker {
  readonly asked: object[] = []
  working = 0
  most = 0
  readonly open = new Set<object>()

  async pose(pull: object) {
    this.asked.push(pull)
    this.most = Math.max(this.most, ++this.working)
    await new Promise((resolve) => setTimeout(resolve, takes))
    this.working--
    const frame = { pull, close: () => this.open.delete(frame) }
    this.open.add(frame)
    return { frame, milliseconds: { generate: takes, show: 0 } }
  }
}

const made = (workers: readonly FakeWorker[]) =>
  new PulledPictures({ all: workers } as unknown as Painters, () => false)

/** What the session does for some time: it takes picture after picture, while the strings are pulled on all the time. */
async function takeFor(pictures: PulledPictures, milliseconds: number) {
  const end = performance.now() + milliseconds
  const pulling = setInterval(() => {
    strings.pull = { at: performance.now() }
  }, 5)
  const taken: { readonly pull: unknown; readonly at: number }[] = []
  const taking = (async () => {
    while (performance.now() < end) {
      const { frame } = (await pictures.next(false))!
      taken.push({ pull: (frame as unknown as { pull: unknown }).pull, at: performance.now() })
      frame.close()
    }
  })()
  await vi.advanceTimersByTimeAsync(milliseconds + 3 * takes)
  clearInterval(pulling)
  await taking
  return taken
}

beforeEach(() => {
  vi.useFakeTimers()
  strings.pull = {}
})
afterEach(() => vi.useRealTimers())

test('one worker makes one picture at a time, and never waits', async () => {
  const worker = new FakeWorker()
  const taken = await takeFor(made([worker]), 1200)
  expect(worker.most).toBe(1)
  expect(taken.length).toBeGreaterThanOrEqual(19)
})

test('two workers make twice as many, in order and evenly', async () => {
  const workers = [new FakeWorker(), new FakeWorker()]
  const taken = await takeFor(made(workers), 1200)
  expect(workers.map(({ most }) => most)).toEqual([1, 1])
  expect(taken.length).toBeGreaterThanOrEqual(36)
  const asked = workers.flatMap((worker) => worker.asked as { at: number }[])
  expect(taken.map(({ pull }) => pull)).toEqual(
    [...asked].sort((a, b) => (a.at ?? 0) - (b.at ?? 0)).slice(0, taken.length),
  )
  // Once it is known how long a picture takes.
  const gaps = taken.slice(4).map(({ at }, i) => at - taken[i + 3]!.at)
  expect(Math.max(...gaps)).toBeLessThan(takes * 0.8)
})

test('strings that rest give no second picture', async () => {
  const worker = new FakeWorker()
  const pictures = made([worker, new FakeWorker()])
  const first = pictures.next(false)
  await vi.advanceTimersByTimeAsync(3 * takes)
  ;(await first)!.frame.close()
  expect(await pictures.next(false)).toBeUndefined()
  pictures.again()
  const again = pictures.next(false)
  await vi.advanceTimersByTimeAsync(2 * takes)
  expect(await again).toBeDefined()
})

test('pictures that nobody takes are closed, and the one that is waited for is given', async () => {
  const workers = [new FakeWorker(), new FakeWorker()]
  const pictures = made(workers)
  await takeFor(pictures, 300)
  strings.pull = {}
  const awaited = pictures.next(false)
  strings.pull = {}
  await vi.advanceTimersByTimeAsync(takes / 2)
  pictures.drop()
  await vi.advanceTimersByTimeAsync(3 * takes)
  ;(await awaited)!.frame.close()
  expect(workers.flatMap(({ open }) => [...open])).toEqual([])
})
