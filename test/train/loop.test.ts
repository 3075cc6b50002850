import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Graph } from '../../src/graph/graph.ts'
import type { Checkpoint } from '../../src/run/checkpoint.ts'
import type { MetricsRecord } from '../../src/run/run-files.ts'
import { type Settings, settingsSchema } from '../../src/train/config.ts'
import { type RunStore, type Task, trainTask } from '../../src/train/loop.ts'
import type { StepEvent } from '../../src/train/step.ts'
import { FormatError, TrainingError } from '../../src/util/errors.ts'

/** The loop with steps, disks and previews of known speed, by a clock that only they move. */

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Lets the clock run until the work ends. */
async function timed<T>(work: Promise<T>): Promise<T> {
  const ended = work.then(
    () => {},
    () => {},
  )
  let isOver = false
  void ended.then(() => {
    isOver = true
  })
  while (!isOver) await vi.advanceTimersByTimeAsync(10)
  return work
}

/** What steps were fed: one random number each. */
let drawn: number[] = []
beforeEach(() => {
  drawn = []
})

const empty = { entries: [], size: 0 }
const task: Task = {
  step: {
    graph: new Graph(),
    gradients: () => new Graph(),
    weights: empty,
    buffers: empty,
    fixed: new Map(),
    feeds: new Set(),
    reports: ['loss', 'term'],
  },
  draw(random) {
    drawn.push(random.uint32())
    return {}
  },
  preview: async () => {
    await sleep(200)
    return { picture: { width: 1, height: 1, data: new Uint8Array(3), time: 0, duration: 0 }, measures: {} }
  },
  close: async () => {},
}
const none = () => new Float32Array(0)
const state = { weights: none(), buffers: none(), firstMoment: none(), secondMoment: none() }

class SlowStore implements RunStore {
  readonly path = 'memory'
  saved: Required<Checkpoint> | undefined
  saves = 0
  metrics: MetricsRecord[] = []

  hasCheckpoint = async () => this.saved !== undefined
  loadCheckpoint = async () => this.saved!
  async saveCheckpoint(checkpoint: Checkpoint) {
    await sleep(100)
    this.saves++
    this.saved = { extra: new Map(), ...checkpoint }
  }
  saveWeights = async () => {}
  appendMetrics = (record: MetricsRecord) => void this.metrics.push(record)
  async truncateMetrics(step: number) {
    this.metrics = this.metrics.filter((record) => record.step <= step)
  }
  savePreview = async () => {}
}

interface Going {
  readonly length: Partial<Settings>
  /** The step at which the device fails, or at which the loss is not a number. */
  readonly failsAt?: number
  readonly nanAt?: number
  readonly signal?: AbortSignal
  onStep?(event: StepEvent): void
}

/** Steps of 10 ms, and one more in which the loop rests, after half a second to get ready. */
const train = (store: RunStore, { length, failsAt, nanAt, signal, onStep = () => {} }: Going) =>
  timed(
    trainTask(store, {
      ...{ task, start: undefined, signal, onStep },
      settings: settingsSchema.parse({
        ...{ clips: ['none'], checkpointSeconds: 0.05, previewSeconds: 0.2, logEvery: 4, ...length },
      }),
      openStep: async () => {
        await sleep(500)
        return {
          device: 'cpu',
          replicas: 1,
          run: async (number) => {
            await sleep(10)
            if (number === failsAt) throw new Error('the device is lost')
            const loss = number === nanAt ? Number.NaN : number
            return { report: { loss, term: 2 * number }, taken: number !== nanAt }
          },
          read: async () => state,
          close: async () => {},
        }
      },
    }),
  )

describe('a run by minutes', () => {
  const lasting = (seconds: number) => ({ length: { minutes: seconds / 60 } })

  test('has the time for steps: getting ready, checkpoints and previews do not count', async () => {
    const store = new SlowStore()
    const run = await train(store, lasting(0.6))
    expect(run).toMatchObject({ interrupted: false, steps: 55 })
    expect(run.seconds).toBeCloseTo(0.605, 3)
    // Five steps are longer than 50 ms. The last step saves twice.
    expect(store.saves).toBe(12)
    expect(store.saved!.step).toBe(55)
  })

  test('has a step, however short the time', async () => {
    expect(await train(new SlowStore(), lasting(1e-3))).toMatchObject({ steps: 1, interrupted: false })
  })

  test('goes on with the time that is left after a device was lost', async () => {
    const store = new SlowStore()
    await expect(train(store, { ...lasting(0.8), failsAt: 30 })).rejects.toThrow('lost')
    expect(store.saved!.step).toBe(25)
    const run = await train(store, lasting(0.8))
    expect(run.steps).toBe(73)
    expect(run.seconds).toBeCloseTo(0.803, 3)
  })
})

describe('a run by steps', () => {
  const length = { steps: 12 }

  test('tells each step, with the terms of its loss, what is left, and its speed', async () => {
    const events: StepEvent[] = []
    await train(new SlowStore(), {
      length: { ...length, checkpointSeconds: 60 },
      onStep: (e) => events.push(e),
    })
    expect(events.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    expect(events[2]).toEqual({
      ...{ kind: 'step', step: 3, steps: 12, progress: 0.25, loss: 3, terms: { term: 6 }, device: 'cpu' },
      rate: expect.closeTo(1000 / 11, 6),
      etaSeconds: expect.closeTo(9 * 0.011, 6),
      seconds: expect.closeTo(0.033, 6),
    })
  })

  test('that is stopped and resumed draws, and records, as one that was not', async () => {
    const whole = new SlowStore()
    await train(whole, { length })
    const expected = drawn
    drawn = []
    const halves = new SlowStore()
    const abort = new AbortController()
    const onStep = ({ step }: StepEvent) => void (step === 7 && abort.abort())
    const stopped = await train(halves, { length, signal: abort.signal, onStep })
    expect(stopped).toMatchObject({ interrupted: true, steps: 7, loss: 7 })
    expect(halves.metrics.map(({ step }) => step)).toEqual([4])
    expect(await train(halves, { length })).toMatchObject({ interrupted: false, steps: 12 })
    expect(drawn).toEqual(expected)
    const told = ({ metrics }: SlowStore) => metrics.map(({ elapsed: _, ...record }) => record)
    expect(told(halves)).toEqual(told(whole))
    expect(told(whole)).toMatchObject([{ step: 4, loss: 2.5 }, { step: 8, loss: 6.5 }, { loss: 10.5 }, {}])
  })

  test('saves the state before a step whose loss is not finite, with what would have been drawn', async () => {
    await train(new SlowStore(), { length })
    const expected = drawn
    drawn = []
    const store = new SlowStore()
    const broken = train(store, { length, nanAt: 6 })
    await expect(broken).rejects.toThrow(TrainingError)
    await expect(broken).rejects.toThrow(/step 6: a number is not finite[\s\S]*loss NaN/)
    expect(store.saved!.step).toBe(5)
    drawn = []
    await train(store, { length })
    expect(drawn).toEqual(expected.slice(5))
  })

  test.each<[string, string]>([
    ['are no JSON', '{"count":'],
    ['are lacking', '{"count":1}'],
    ['lack a report', '{"count":1,"sums":{"loss":1}}'],
    ['are no numbers', '{"count":1,"sums":{"loss":1,"term":null}}'],
    ['are of no number of steps', '{"count":-1,"sums":{"loss":1,"term":2}}'],
  ])('does not go on from a checkpoint whose sums %s', async (_, window) => {
    const store = new SlowStore()
    await train(store, { length: { steps: 2 } })
    store.saved = { ...store.saved!, extra: new Map([['window', window]]) }
    const resumed = train(store, { length })
    await expect(resumed).rejects.toThrow(FormatError)
    await expect(resumed).rejects.toThrow(/memory\/last\/checkpoint\.safetensors: not a checkpoint/)
    store.saved = { ...store.saved, extra: new Map() }
    expect(await train(store, { length })).toMatchObject({ steps: 12 })
  })
})
